// Hand-written convolutions on CUDA: the fallback if cuDNN is missing or does not support a shape.
// Activations and weights have one type, f32, f16 or bf16; sums, and dw, are f32. Every Conv2dShape
// is supported, by one of three algorithms:
//   implicit_gemm   the patch matrix is gathered tile by tile into shared memory and multiplied
//   winograd4x4     F(4x4, 3x3): a quarter of the multiplications, for 3x3 with stride 1
//   direct          one thread per output, for groups of few channels (depthwise)
#pragma once

#include <cstddef>

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

/// Workspace that a call takes from ctx.workspace, including the epilogue's bn_mean_var.
std::size_t conv2d_workspace_bytes(Conv2dPass pass, const Conv2dShape& shape);
/// Name of the algorithm: a pure function of its arguments.
const char* conv2d_algorithm(Conv2dPass pass, const Conv2dShape& shape);
void conv2d_forward(ExecContext& ctx, const Conv2dShape& shape, ConstView x, ConstView w,
                    const Epilogue& epilogue, View y);
void conv2d_backward_data(ExecContext& ctx, const Conv2dShape& shape, ConstView dy, ConstView w,
                          View dx);
void conv2d_backward_weights(ExecContext& ctx, const Conv2dShape& shape, ConstView x, ConstView dy,
                             View dw);

}  // namespace hanok::cuda
