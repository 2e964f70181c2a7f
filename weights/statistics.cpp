#include "hanok/weights/statistics.h"

#include <algorithm>
#include <cmath>

#include "hanok/weights/element_values.h"

namespace hanok::weights {

Statistics statistics_of(const Tensor& tensor) {
  Statistics result;
  double sum = 0;
  for_each_element(tensor, [&](auto element) {
    const auto value = static_cast<double>(element);
    if (!std::isfinite(value)) {
      ++result.not_finite;
      return;
    }
    result.min = result.finite == 0 ? value : std::min(result.min, value);
    result.max = result.finite == 0 ? value : std::max(result.max, value);
    sum += value;
    ++result.finite;
  });
  if (result.finite == 0) return result;
  result.mean = sum / static_cast<double>(result.finite);
  // A second pass: summing squared differences from the mean avoids cancellation.
  double squares = 0;
  for_each_element(tensor, [&](auto element) {
    const double difference = static_cast<double>(element) - result.mean;
    if (std::isfinite(difference)) squares += difference * difference;
  });
  result.deviation = std::sqrt(squares / static_cast<double>(result.finite));
  return result;
}

}  // namespace hanok::weights
