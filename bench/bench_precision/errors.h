// Errors as they are reported: over the rms of what is right.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace hanok::bench {

/// Of all elements and of the worst one, over the root mean square of the right result. 0 where
/// nothing differs, NaN where a result is not finite or anything differs from zeros alone.
struct RelativeError {
  double rms = NAN, worst = NAN;

  bool at_most(const RelativeError& other) const {
    return rms <= other.rms && worst <= other.worst;
  }
};

template <typename T>
RelativeError error_of(const std::vector<T>& got, const std::vector<double>& right) {
  double squares = 0, errors = 0, worst = 0;
  for (std::size_t i = 0; i < right.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - right[i]);
    squares += right[i] * right[i];
    errors += error * error;
    worst = std::max(worst, error);
  }
  if (errors == 0) return {.rms = 0, .worst = 0};
  const double rms = std::sqrt(squares / static_cast<double>(right.size()));
  if (!std::isfinite(errors) || !(rms > 0)) return {};
  return {.rms = std::sqrt(errors / squares), .worst = worst / rms};
}

}  // namespace hanok::bench
