// Winograd's F(4x4, 3x3) on CUDA: 3x3 convolutions with stride 1, a quarter of the multiplications.
// Functions take f32 pointers that kernels/cuda/conv2d.cu has checked.
#pragma once

#include <cstddef>

#include "kernels/backend.h"
#include "kernels/cuda/gemm_tile.h"

namespace hanok::cuda::winograd {

/// Whether the algorithm can compute this shape at all (Forward and BackwardData).
bool fits(const Conv2dShape& shape);
std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& shape);
/// `result` lies as y does: one row a pixel of y, shape.k channels.
void forward(ExecContext& ctx, const Conv2dShape& shape, const float* x, const float* w,
             const MatrixResult& result);
void backward_data(ExecContext& ctx, const Conv2dShape& shape, const float* dy, const float* w,
                   float* dx);

}  // namespace hanok::cuda::winograd
