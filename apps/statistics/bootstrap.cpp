#include "hanok/apps/statistics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <map>

#include "hanok/apps/statistics/quantile.h"
#include "hanok/data/random.h"
#include "hanok/kernels/base/error.h"

namespace hanok::statistics {
namespace {

constexpr std::uint32_t kLane = 1;  // lane 0 of the stream is the training's sampler

void check(const BootstrapOptions& options, std::size_t samples) {
  if (samples == 0) throw ValueError("bootstrap: there are no samples");
  if (options.draws < 1) {
    throw ValueError(fmt::format("bootstrap: {} draws, expected at least 1", options.draws));
  }
  if (!(options.confidence > 0 && options.confidence < 1)) {
    throw ValueError(fmt::format(
        "bootstrap: the confidence is {}, expected a number between 0 and 1", options.confidence));
  }
}

/// The samples of each group; groups in the order in which they first occur.
std::vector<std::vector<std::size_t>> members(const std::vector<std::string>& groups) {
  std::map<std::string, std::size_t> numbers;
  std::vector<std::vector<std::size_t>> samples;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto [entry, is_new] = numbers.emplace(groups[i], samples.size());
    if (is_new) samples.emplace_back();
    samples[entry->second].push_back(i);
  }
  return samples;
}

/// Calls `use` with each draw's group numbers.
template <typename Use>
void for_each_draw(std::size_t groups, const BootstrapOptions& options, Use use) {
  std::vector<std::size_t> drawn(groups);
  for (int draw = 0; draw < options.draws; ++draw) {
    data::RandomDraws random(options.seed, RandomStream::Sampler, draw, 0, kLane);
    for (std::size_t& group : drawn) group = random.below(static_cast<std::uint32_t>(groups));
    use(drawn);
  }
}

}  // namespace

Interval percentile_interval(std::vector<double> values, double confidence) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  std::sort(values.begin(), values.end());
  return {.low = quantile_of_sorted(values, (1 - confidence) / 2),
          .high = quantile_of_sorted(values, (1 + confidence) / 2)};
}

Interval bootstrap_interval(
    const std::vector<std::string>& groups,
    const std::function<double(const std::vector<std::size_t>& drawn)>& statistic,
    const BootstrapOptions& options) {
  check(options, groups.size());
  const std::vector<std::vector<std::size_t>> samples = members(groups);
  std::vector<double> values;
  std::vector<std::size_t> drawn;
  for_each_draw(samples.size(), options, [&](const std::vector<std::size_t>& drawn_groups) {
    drawn.clear();
    for (const std::size_t group : drawn_groups) {
      drawn.insert(drawn.end(), samples[group].begin(), samples[group].end());
    }
    values.push_back(statistic(drawn));
  });
  return percentile_interval(std::move(values), options.confidence);
}

ScoreIntervals score_intervals(const Predictions& predictions, const BootstrapOptions& options) {
  const std::size_t count = predictions.labels.size();
  if (predictions.predicted.size() != count || predictions.groups.size() != count) {
    throw ValueError(fmt::format("bootstrap: {} labels, {} predictions and {} groups", count,
                                 predictions.predicted.size(), predictions.groups.size()));
  }
  check(options, count);
  const std::vector<std::vector<std::size_t>> groups = members(predictions.groups);
  const auto classes = static_cast<std::size_t>(predictions.classes);
  std::vector<double> macro_f1;
  std::vector<double> accuracy;
  std::vector<std::vector<double>> precision(classes);
  std::vector<std::vector<double>> recall(classes);
  std::vector<std::vector<double>> f1(classes);
  for_each_draw(groups.size(), options, [&](const std::vector<std::size_t>& drawn) {
    nn::ConfusionMatrix matrix(predictions.classes);
    for (const std::size_t group : drawn) {
      for (const std::size_t i : groups[group]) {
        matrix.add(predictions.labels[i], predictions.predicted[i]);
      }
    }
    macro_f1.push_back(matrix.macro_f1());
    accuracy.push_back(matrix.accuracy());
    const std::vector<nn::ClassScore> scores = matrix.per_class();
    for (std::size_t c = 0; c < classes; ++c) {
      precision[c].push_back(scores[c].precision);
      recall[c].push_back(scores[c].recall);
      f1[c].push_back(scores[c].f1);
    }
  });
  const auto interval = [&options](std::vector<double>& values) {
    return percentile_interval(std::move(values), options.confidence);
  };
  ScoreIntervals result{.macro_f1 = interval(macro_f1), .accuracy = interval(accuracy)};
  for (std::size_t c = 0; c < classes; ++c) {
    result.classes.push_back({.precision = interval(precision[c]),
                              .recall = interval(recall[c]),
                              .f1 = interval(f1[c])});
  }
  return result;
}

Interval macro_f1_interval(const Predictions& predictions, const BootstrapOptions& options) {
  return score_intervals(predictions, options).macro_f1;
}

}  // namespace hanok::statistics
