// Confidence intervals by the bootstrap (Efron & Tibshirani, "An Introduction to the Bootstrap",
// 1993, chapter 13): the statistic of samples drawn with replacement, and percentiles of it.
//
// Photographs of one person are alike, so an interval that draws single photographs is too narrow:
// whole groups are drawn.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hanok/apps/statistics/parallel.h"
#include "hanok/nn/metrics.h"

#pragma GCC visibility push(default)
namespace hanok::statistics {

struct Interval {
  double low = 0, high = 0;
};

struct BootstrapOptions {
  int draws = 1000;  // at least 1
  std::uint64_t seed = 0;
  double confidence = 0.95;  // above 0, below 1
  OnDone on_draw{};          // after each draw
};

/// Calls use(draw, drawn) once for each draw (0..draws-1), from several threads at once, with the
/// numbers of the samples drawn (0..groups.size()-1; the same number several times). Samples of one
/// group are drawn together; each draw holds as many groups as there are. `groups` names each
/// sample's group. The same samples for the same options, whatever the number of threads. Throws
/// ValueError for no samples or options out of range.
void for_each_draw(
    const std::vector<std::string>& groups,
    const std::function<void(std::size_t draw, const std::vector<std::size_t>& drawn)>& use,
    const BootstrapOptions& options = {});

/// The percentile interval of any statistic, which is called from several threads at once with the
/// samples of a draw (see for_each_draw). A NaN is left out.
Interval bootstrap_interval(
    const std::vector<std::string>& groups,
    const std::function<double(const std::vector<std::size_t>& drawn)>& statistic,
    const BootstrapOptions& options = {});

/// Classes 0..classes-1 of each sample, and its group (a person).
struct Predictions {
  std::vector<std::int64_t> labels{}, predicted{};
  std::vector<std::string> groups{};
  std::int64_t classes = 0;
};

/// Intervals of the scores of nn::ConfusionMatrix.
struct ScoreIntervals {
  Interval macro_f1{}, accuracy{};
  struct OfClass {
    Interval precision{}, recall{}, f1{};
  };
  std::vector<OfClass> classes{};
};

/// All scores in one pass over the draws. Throws ValueError for lists of different lengths, classes
/// out of range or no samples.
ScoreIntervals score_intervals(const Predictions& predictions,
                               const BootstrapOptions& options = {});
Interval macro_f1_interval(const Predictions& predictions, const BootstrapOptions& options = {});

/// The interval of a statistic whose values in the draws are given (NaN: left out): percentiles,
/// interpolated linearly as numpy.quantile does. Both ends are NaN if no value is left.
Interval percentile_interval(std::vector<double> values, double confidence);

}  // namespace hanok::statistics
#pragma GCC visibility pop
