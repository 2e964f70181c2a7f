// Batch norm on CUDA; Backend documents the functions. x, y, dy, residual, dx and dresidual share
// one storage type (f32, f16 or bf16, else DTypeError); statistics and parameters are f32.
#pragma once

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

void batch_norm_statistics(ExecContext& ctx, ConstView x, std::int64_t rows, std::int64_t channels,
                           View mean_var);
void batch_norm_apply(ExecContext& ctx, const BatchNormApply& op);
void batch_norm_backward(ExecContext& ctx, const BatchNormBackward& op);

}  // namespace hanok::cuda
