#include "hanok/apps/statistics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "hanok/apps/statistics/class_totals.h"
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

/// The samples sorted by their group; groups in the order in which they first occur.
struct Members {
  std::vector<std::size_t> samples{};
  std::vector<std::size_t> begin{};  // of each group's samples, and the end of the last one's
  std::size_t groups() const { return begin.size() - 1; }
};

Members members_of(const std::vector<std::string>& groups) {
  std::unordered_map<std::string, std::size_t> numbers;
  std::vector<std::size_t> group_of;
  Members members{.begin = {0}};
  for (const std::string& group : groups) {
    const auto [entry, is_new] = numbers.emplace(group, members.groups());
    if (is_new) members.begin.push_back(0);
    group_of.push_back(entry->second);
    ++members.begin[entry->second + 1];
  }
  std::partial_sum(members.begin.begin(), members.begin.end(), members.begin.begin());
  std::vector<std::size_t> next = members.begin;
  members.samples.resize(groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) members.samples[next[group_of[i]]++] = i;
  return members;
}

struct Answer {
  std::uint32_t label = 0, predicted = 0;
};

void check_classes(const Predictions& predictions) {
  for (const auto* list : {&predictions.labels, &predictions.predicted}) {
    for (const std::int64_t c : *list) {
      if (c < 0 || c >= predictions.classes) {
        throw ValueError(
            fmt::format("bootstrap: class {}, expected 0..{}", c, predictions.classes - 1));
      }
    }
  }
}

/// Calls use(draw, random) for each draw, of which random.below(groups) draws each group.
template <typename Use>
void for_each_random(const BootstrapOptions& options, const Use& use) {
  for_each_index(
      static_cast<std::size_t>(options.draws),
      [&](std::size_t draw) {
        data::RandomDraws random(options.seed, RandomStream::Sampler,
                                 static_cast<std::int64_t>(draw), 0, kLane);
        use(draw, random);
      },
      options.on_draw);
}

}  // namespace

Interval percentile_interval(std::vector<double> values, double confidence) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  std::sort(values.begin(), values.end());
  return {.low = quantile_of_sorted(values, (1 - confidence) / 2),
          .high = quantile_of_sorted(values, (1 + confidence) / 2)};
}

void for_each_draw(
    const std::vector<std::string>& groups,
    const std::function<void(std::size_t draw, const std::vector<std::size_t>& drawn)>& use,
    const BootstrapOptions& options) {
  check(options, groups.size());
  const Members members = members_of(groups);
  const auto count = static_cast<std::uint32_t>(members.groups());
  for_each_random(options, [&](std::size_t draw, data::RandomDraws& random) {
    std::vector<std::size_t> drawn;
    drawn.reserve(groups.size());
    for (std::size_t i = 0; i < members.groups(); ++i) {
      const std::size_t group = random.below(count);
      for (std::size_t at = members.begin[group]; at < members.begin[group + 1]; ++at) {
        drawn.push_back(members.samples[at]);
      }
    }
    use(draw, drawn);
  });
}

Interval bootstrap_interval(
    const std::vector<std::string>& groups,
    const std::function<double(const std::vector<std::size_t>& drawn)>& statistic,
    const BootstrapOptions& options) {
  check(options, groups.size());
  std::vector<double> values(static_cast<std::size_t>(options.draws));
  for_each_draw(
      groups,
      [&](std::size_t draw, const std::vector<std::size_t>& drawn) {
        values[draw] = statistic(drawn);
      },
      options);
  return percentile_interval(std::move(values), options.confidence);
}

ScoreIntervals score_intervals(const Predictions& predictions, const BootstrapOptions& options) {
  const std::size_t count = predictions.labels.size();
  if (predictions.predicted.size() != count || predictions.groups.size() != count) {
    throw ValueError(fmt::format("bootstrap: {} labels, {} predictions and {} groups", count,
                                 predictions.predicted.size(), predictions.groups.size()));
  }
  check(options, count);
  check_classes(predictions);
  const Members members = members_of(predictions.groups);
  // In the order of the members, so that a group's lie together in memory.
  std::vector<Answer> answers;
  for (const std::size_t i : members.samples) {
    answers.push_back({static_cast<std::uint32_t>(predictions.labels[i]),
                       static_cast<std::uint32_t>(predictions.predicted[i])});
  }
  const auto classes = static_cast<std::size_t>(predictions.classes);
  const auto draws = static_cast<std::size_t>(options.draws);
  std::vector<double> macro_f1(draws);
  std::vector<double> accuracy(draws);
  const std::vector<std::vector<double>> of_classes(classes, std::vector<double>(draws));
  std::vector<std::vector<double>> precision = of_classes;
  std::vector<std::vector<double>> recall = of_classes;
  std::vector<std::vector<double>> f1 = of_classes;
  const auto groups = static_cast<std::uint32_t>(members.groups());
  for_each_random(options, [&](std::size_t draw, data::RandomDraws& random) {
    ClassTotals totals(classes);
    for (std::size_t i = 0; i < members.groups(); ++i) {
      const std::size_t group = random.below(groups);
      for (std::size_t at = members.begin[group]; at < members.begin[group + 1]; ++at) {
        totals.add(answers[at].label, answers[at].predicted);
      }
    }
    macro_f1[draw] = totals.macro_f1();
    accuracy[draw] = totals.accuracy();
    for (std::size_t c = 0; c < classes; ++c) {
      const nn::ClassScore score = totals.score(c);
      precision[c][draw] = score.precision;
      recall[c][draw] = score.recall;
      f1[c][draw] = score.f1;
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
