// Plain double-precision references that several test files use: loops that follow the formula.
#pragma once

#include "hanok/engine/ops.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {

/// `bias` may be null.
Array reference_conv2d(const Array& x, const Array& weight, const Array* bias,
                       const Window2d& window, std::int64_t groups);

/// Per-channel mean and biased variance of x [N,C,...] over all but dimension 1.
struct Moments {
  std::vector<double> mean, var;
};
Moments reference_moments(const Array& x);

/// (x - mean) / sqrt(var + epsilon) * gamma + beta; gamma and beta may be null.
Array reference_normalise(const Array& x, const Moments& moments, double epsilon,
                          const Array* gamma, const Array* beta);

}  // namespace hanok::testing
