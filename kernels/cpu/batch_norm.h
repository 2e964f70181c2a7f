// Shared by batch norm and the kernels that fuse it with other ops.
#pragma once

#include "hanok/kernels/cpu/isa/batch_norm.h"
#include "hanok/kernels/exec_context.h"
#include "hanok/kernels/primitives/batch_norm.h"

namespace hanok::cpu {

/// Mean, scale = gamma invstd and shift = beta of each channel; writes the latter two to
/// `scale` [2 channels]. Undefined gamma and beta: 1 and 0.
BatchNormChannels scale_and_shift(ConstView mean, ConstView invstd, ConstView gamma, ConstView beta,
                                  float* scale);
/// From the blocks' sums of g and of g (x - mean), `partial` [blocks, 2, channels]: op's dgamma and
/// dbeta if defined, offset = dbeta / rows and slope = invstd dgamma / rows [channels].
void combine_backward_sums(ExecContext& ctx, const BatchNormBackward& op, const double* partial,
                           std::int64_t blocks, std::int64_t rows, float* offset, float* slope);

}  // namespace hanok::cpu
