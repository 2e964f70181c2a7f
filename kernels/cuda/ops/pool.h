// Pooling on CUDA; Backend documents the functions. The activations of a call have one type, f32,
// f16 or bf16 (else DTypeError).
#pragma once

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

/// `indices` may be undefined; then they are not computed.
void max_pool2d(ExecContext& ctx, const Pool2dShape& shape, ConstView x, View y, View indices);
void max_pool2d_backward(ExecContext& ctx, const Pool2dShape& shape, ConstView dy,
                         ConstView indices, View dx);
void avg_pool2d(ExecContext& ctx, const Pool2dShape& shape, ConstView x, View y);
void avg_pool2d_backward(ExecContext& ctx, const Pool2dShape& shape, ConstView dy, View dx);
void adaptive_avg_pool2d(ExecContext& ctx, ConstView x, View y);
void adaptive_avg_pool2d_backward(ExecContext& ctx, ConstView dy, View dx);

}  // namespace hanok::cuda
