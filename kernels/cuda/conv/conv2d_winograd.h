// Winograd's F(4x4, 3x3) on CUDA: 3x3 convolutions with stride 1, a quarter of the multiplications.
// kernels/cuda/conv/conv2d.cu has checked that all views have one type, f32, f16 or bf16;
// transformed data is f32. The caller computes the epilogue's moments.
#pragma once

#include <cstddef>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cuda/gemm/gemm_tile.h"

namespace hanok::cuda::winograd {

/// Whether the algorithm can compute this shape at all (Forward and BackwardData).
bool fits(const Conv2dShape& shape);
std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& shape);
void forward(ExecContext& ctx, const Conv2dShape& shape, ConstView x, ConstView w,
             const Epilogue& epilogue, View y);
void backward_data(ExecContext& ctx, const Conv2dShape& shape, ConstView dy, ConstView w, View dx);

}  // namespace hanok::cuda::winograd
