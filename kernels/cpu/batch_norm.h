// Shared by batch norm and the kernels that fuse it with other ops.
#pragma once

#include <cstdint>

#include "hanok/kernels/cpu/isa/batch_norm.h"
#include "hanok/kernels/exec_context.h"
#include "hanok/kernels/primitives/batch_norm.h"

namespace hanok::cpu {

/// Calls `run` with the element type of x: float, or uint16_t for bf16. An undefined x counts as
/// f32.
template <typename Run>
void with_norm_type(const ConstView& x, const Run& run) {
  if (x.dtype == DType::BF16) return run.template operator()<std::uint16_t>();
  run.template operator()<float>();
}

/// Mean, scale = gamma invstd and shift = beta of each channel; writes the latter two to
/// `scale` [2 channels]. Undefined gamma and beta: 1 and 0.
BatchNormChannels scale_and_shift(ConstView mean, ConstView invstd, ConstView gamma, ConstView beta,
                                  float* scale);
/// From the blocks' sums of g and of g (x - mean), `partial` [blocks, 2, channels]: op's dgamma and
/// dbeta if defined, offset = dbeta / rows and slope = invstd dgamma / rows [channels].
void combine_backward_sums(ExecContext& ctx, const BatchNormBackward& op, const double* partial,
                           std::int64_t blocks, std::int64_t rows, float* offset, float* slope);

}  // namespace hanok::cpu
