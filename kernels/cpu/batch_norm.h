// Batch norm; see Backend for its meaning.
#pragma once

#include "kernels/backend.h"
#include "kernels/cpu/cpu_backend.h"

namespace hanok::cpu {

void batch_norm_statistics(ExecContext& ctx, Isa isa, ConstView x, std::int64_t rows,
                           std::int64_t channels, View mean_var);
void batch_norm_apply(ExecContext& ctx, Isa isa, const BatchNormApply& op);
void batch_norm_backward(ExecContext& ctx, Isa isa, const BatchNormBackward& op);

}  // namespace hanok::cpu
