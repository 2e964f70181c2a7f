// How far scores would move with other photographs of the same kind: the bootstrap over groups, as
// photographs of one person are not independent of each other.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/apps/run_report/run_record.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

struct Interval {
  double low = 0, high = 0;
};

/// Scores of resampled predictions: whole groups drawn with replacement, as many as there are.
struct Resamples {
  std::vector<double> macro_f1{};          // one a resample
  std::vector<std::vector<double>> f1{};   // [classes][resamples]
  std::int64_t groups = 0;
};

struct BootstrapOptions {
  std::int64_t resamples = 1000;
  std::uint64_t seed = 0;
};

/// Macro F1 and the classes' F1 as nn::ConfusionMatrix computes them. The draws depend on the seed
/// and the sorted names of the groups alone: two runs over the same images are resampled alike.
Resamples resample_scores(const std::vector<Prediction>& predictions, std::int64_t classes,
                          const BootstrapOptions& options = {});

/// The middle 95% of the values, between order statistics interpolated as numpy.quantile does; NaN
/// without values.
Interval middle_interval(std::vector<double> values);

}  // namespace hanok::run_report
#pragma GCC visibility pop
