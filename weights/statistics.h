// Statistics of a tensor's values, for `convert --inspect` and `inspect weights`.
#pragma once

#include <cstdint>

#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok::weights {

struct Statistics {
  double min = 0, max = 0, mean = 0;  // of the finite values; 0 if there is none
  double deviation = 0;         // standard deviation over all of them (divided by their number)
  std::int64_t finite = 0;      // number of finite values
  std::int64_t not_finite = 0;  // NaN or infinite
};

/// Of a CPU tensor of any type; sums in double.
Statistics statistics_of(const Tensor& tensor);

}  // namespace hanok::weights
#pragma GCC visibility pop
