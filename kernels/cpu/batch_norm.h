// Batch norm; see Backend for its meaning.
#pragma once

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"
#include "hanok/kernels/cpu/isa/batch_norm.h"

namespace hanok::cpu {

void batch_norm_statistics(ExecContext& ctx, Isa isa, ConstView x, std::int64_t rows,
                           std::int64_t channels, View mean_var);
void batch_norm_apply(ExecContext& ctx, Isa isa, const BatchNormApply& op);
void batch_norm_backward(ExecContext& ctx, Isa isa, const BatchNormBackward& op);

// For those who fuse batch norm with more.

/// Mean, scale = gamma invstd and shift = beta of each channel; writes the latter two to
/// `scale` [2 channels]. Undefined gamma and beta: 1 and 0.
BatchNormChannels scale_and_shift(ConstView mean, ConstView invstd, ConstView gamma, ConstView beta,
                                  float* scale);
/// From the blocks' sums of g and of g (x - mean), `partial` [blocks, 2, channels]: op's dgamma and
/// dbeta where wanted, offset = dbeta / rows and slope = invstd dgamma / rows [channels].
void combine_backward_sums(ExecContext& ctx, const BatchNormBackward& op, const double* partial,
                           std::int64_t blocks, std::int64_t rows, float* offset, float* slope);

}  // namespace hanok::cpu
