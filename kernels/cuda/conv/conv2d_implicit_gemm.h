// Any convolution as a matrix product whose operand A (or B) is the patch matrix, which is never
// stored: each tile gathers its part. Also the direct algorithm for groups of few channels.
// kernels/cuda/conv/conv2d.cu has checked the views' types: one of f32, f16 and bf16 for all,
// except f32 for dw; it also computes the epilogue's moments.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cuda/gemm/gemm_tile.h"

namespace hanok::cuda {

namespace implicit_gemm {
void forward(ExecContext& ctx, const Conv2dShape& shape, ConstView x, ConstView w,
             const Epilogue& epilogue, View y);
void backward_data(ExecContext& ctx, const Conv2dShape& shape, ConstView dy, ConstView w, View dx);
std::size_t backward_weights_bytes(const Conv2dShape& shape);
void backward_weights(ExecContext& ctx, const Conv2dShape& shape, ConstView x, ConstView dy,
                      View dw);
}  // namespace implicit_gemm

namespace direct_conv2d {
void forward(ExecContext& ctx, const Conv2dShape& shape, ConstView x, ConstView w,
             const Epilogue& epilogue, View y);
void backward_data(ExecContext& ctx, const Conv2dShape& shape, ConstView dy, ConstView w, View dx);
std::size_t backward_weights_bytes(const Conv2dShape& shape);
void backward_weights(ExecContext& ctx, const Conv2dShape& shape, ConstView x, ConstView dy,
                      View dw);
}  // namespace direct_conv2d

/// out[i] = sum of partial[piece][i] in order of the pieces, in double.
void sum_pieces(ExecContext& ctx, const float* partial, std::int64_t pieces, std::int64_t count,
                float* out);

}  // namespace hanok::cuda
