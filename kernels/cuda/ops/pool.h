// Pooling on CUDA; see Backend for its meaning. Activations are f32, f16 or bf16 (DTypeError
// otherwise), all of one call alike.
#pragma once

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

/// `indices` may be undefined: then they are not wanted.
void max_pool2d(ExecContext& ctx, const Pool2dShape& shape, ConstView x, View y, View indices);
void max_pool2d_backward(ExecContext& ctx, const Pool2dShape& shape, ConstView dy,
                         ConstView indices, View dx);
void avg_pool2d(ExecContext& ctx, const Pool2dShape& shape, ConstView x, View y);
void avg_pool2d_backward(ExecContext& ctx, const Pool2dShape& shape, ConstView dy, View dx);
void adaptive_avg_pool2d(ExecContext& ctx, ConstView x, View y);
void adaptive_avg_pool2d_backward(ExecContext& ctx, ConstView dy, View dx);

}  // namespace hanok::cuda
