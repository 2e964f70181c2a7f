// Pooling; see Backend for its meaning.
#pragma once

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

void max_pool2d(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView x, View y,
                View indices);
void max_pool2d_backward(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView dy,
                         ConstView indices, View dx);
void avg_pool2d(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView x, View y);
void avg_pool2d_backward(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView dy,
                         View dx);
void adaptive_avg_pool2d(ExecContext& ctx, Isa isa, ConstView x, View y);
void adaptive_avg_pool2d_backward(ExecContext& ctx, Isa isa, ConstView dy, View dx);

}  // namespace hanok::cpu
