// Batch norm, ReLU and max pooling in one sweep; see Backend for its meaning.
#pragma once

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

void batch_norm_max_pool(ExecContext& ctx, Isa isa, const BatchNormApply& op,
                         const Pool2dShape& shape, View indices);
void batch_norm_max_pool_backward(ExecContext& ctx, Isa isa, const BatchNormBackward& op,
                                  const Pool2dShape& shape, ConstView indices);

}  // namespace hanok::cpu
