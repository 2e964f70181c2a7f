// Quantiles of a list of numbers.
#pragma once

#include <vector>

#pragma GCC visibility push(default)
namespace hanok::statistics {

/// The value below which `share` (0..1) of the values lie, interpolated linearly as numpy.quantile
/// does; 0.5: the median. NaN for no values.
double quantile(std::vector<double> values, double share);
/// The same of values that are sorted already.
double quantile_of_sorted(const std::vector<double>& values, double share);

}  // namespace hanok::statistics
#pragma GCC visibility pop
