// From sums to moments, for convolutions whose kernel sums its own output.
#pragma once

#include <cstdint>

#include "hanok/kernels/base/view.h"
#include "hanok/kernels/exec_context.h"

namespace hanok::cuda {

/// mean_var f32 [2,C] = (sum / rows, sum_of_squares / rows - mean^2) of f32 sums [C]. The
/// difference cancels if a mean is large relative to its deviation: use it for activations stored
/// in 16 bits, whose own rounding error is larger.
void moments_from_sums(ExecContext& ctx, const float* sum, const float* sum_of_squares,
                       std::int64_t rows, std::int64_t channels, View mean_var);

}  // namespace hanok::cuda
