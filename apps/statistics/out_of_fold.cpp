#include "hanok/apps/statistics/out_of_fold.h"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "hanok/apps/statistics/class_totals.h"
#include "hanok/data/random.h"
#include "hanok/data/splits.h"
#include "hanok/kernels/base/error.h"

namespace hanok::statistics {
namespace {

constexpr std::uint32_t kLane = 4;

/// The number of folds that leave members of each class in every fold, where possible.
int possible_folds(const Target& target, int folds) {
  std::map<std::int64_t, std::set<std::string>> groups;
  std::set<std::string> all;
  for (std::size_t i = 0; i < target.labels.size(); ++i) {
    groups[target.labels[i]].insert(target.groups[i]);
    all.insert(target.groups[i]);
  }
  if (all.size() < 2) throw ValueError("out-of-fold predictions: there are no two groups");
  std::size_t least = all.size();
  for (const auto& [label, members] : groups) least = std::min(least, members.size());
  return std::max(2, std::min(folds, static_cast<int>(least)));
}

/// Rows sorted by their group, and groups that may change places: those of one size.
struct Exchange {
  std::vector<std::size_t> rows{};
  struct Alike {
    std::size_t size = 0;                // rows of each group
    std::vector<std::uint32_t> begin{};  // of each group's rows
  };
  std::vector<Alike> sizes{};
};

Exchange exchangeable(const std::vector<std::string>& groups) {
  std::map<std::string, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < groups.size(); ++i) members[groups[i]].push_back(i);
  Exchange exchange;
  std::map<std::size_t, std::vector<std::uint32_t>> alike;
  for (const auto& [name, rows] : members) {
    alike[rows.size()].push_back(static_cast<std::uint32_t>(exchange.rows.size()));
    exchange.rows.insert(exchange.rows.end(), rows.begin(), rows.end());
  }
  for (auto& [size, begin] : alike) {
    exchange.sizes.push_back({.size = size, .begin = std::move(begin)});
  }
  return exchange;
}

/// `labels` and the result are in the order of exchange.rows.
std::vector<std::uint32_t> shuffled_labels(const Exchange& exchange, data::RandomDraws& random,
                                           const std::vector<std::uint32_t>& labels) {
  std::vector<std::uint32_t> shuffled(labels.size());
  std::vector<std::uint32_t> of_group;
  for (const auto& [size, begin] : exchange.sizes) {
    std::vector<std::uint32_t> from = begin;
    random.shuffle(from);
    for (std::size_t i = 0; i < from.size(); ++i) {
      const auto first = labels.begin() + from[i];
      of_group.assign(first, first + static_cast<std::ptrdiff_t>(size));
      random.shuffle(of_group);
      std::copy(of_group.begin(), of_group.end(), shuffled.begin() + begin[i]);
    }
  }
  return shuffled;
}

/// Classes of the rows, in the order of exchange.rows.
std::vector<std::uint32_t> in_order(const Exchange& exchange, const Target& target,
                                    const std::vector<std::int64_t>& of_rows) {
  if (of_rows.size() != target.groups.size()) {
    throw ValueError(fmt::format("p-value of the macro F1: {} labels or answers for {} samples",
                                 of_rows.size(), target.groups.size()));
  }
  std::vector<std::uint32_t> ordered;
  ordered.reserve(of_rows.size());
  for (const std::size_t row : exchange.rows) {
    if (of_rows[row] < 0 || of_rows[row] >= target.classes) {
      throw ValueError(fmt::format("p-value of the macro F1: class {}, expected 0..{}",
                                   of_rows[row], target.classes - 1));
    }
    ordered.push_back(static_cast<std::uint32_t>(of_rows[row]));
  }
  return ordered;
}

/// What shuffled labels leave as it is: `totals` needs its hits counted.
void count_hits(ClassTotals& totals, const std::vector<std::uint32_t>& labels,
                const std::vector<std::uint32_t>& answers) {
  std::fill(totals.hits.begin(), totals.hits.end(), 0);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    totals.hits[answers[i]] += labels[i] == answers[i] ? 1 : 0;
  }
}

}  // namespace

std::vector<FoldRows> grouped_folds(const Target& target, int folds, std::uint64_t seed) {
  const int count = possible_folds(target, folds);
  const data::Folds numbers =
      data::stratified_group_k_fold(target.labels, target.groups, count, seed);
  std::vector<FoldRows> rows(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    for (std::size_t fold = 0; fold < rows.size(); ++fold) {
      const bool held_out = static_cast<std::size_t>(numbers[i]) == fold;
      (held_out ? rows[fold].validation : rows[fold].training).push_back(i);
    }
  }
  return rows;
}

OutOfFold predict_out_of_fold(const Columns& columns, const Target& target,
                              const std::vector<FoldRows>& folds, const ForestOptions& options) {
  constexpr std::size_t kBlock = 1024;  // rows that one task predicts
  OutOfFold out;
  for (const FoldRows& fold : folds) {
    if (fold.validation.empty()) continue;
    const RandomForest forest(columns, target.labels, target.classes, fold.training, options);
    const std::size_t first = out.rows.size();
    out.rows.insert(out.rows.end(), fold.validation.begin(), fold.validation.end());
    out.probabilities.resize(out.rows.size());
    for_each_index((fold.validation.size() + kBlock - 1) / kBlock, [&](std::size_t block) {
      const std::size_t end = std::min(first + (block + 1) * kBlock, out.rows.size());
      for (std::size_t i = first + block * kBlock; i < end; ++i) {
        out.probabilities[i] = forest.predict(columns, out.rows[i]);
      }
    });
  }
  for (const std::vector<double>& probabilities : out.probabilities) {
    const auto best = std::max_element(probabilities.begin(), probabilities.end());
    out.predicted.push_back(best - probabilities.begin());
  }
  return out;
}

double chance_macro_f1(const Predictions& predictions, const std::vector<std::string>& stratum) {
  const auto classes = static_cast<std::size_t>(predictions.classes);
  struct Counts {
    std::vector<double> labels, answers;
    double all = 0;
  };
  std::map<std::string, Counts> strata;
  for (std::size_t i = 0; i < predictions.labels.size(); ++i) {
    Counts& counts = strata[stratum.empty() ? "" : stratum[i]];
    counts.labels.resize(classes, 0);
    counts.answers.resize(classes, 0);
    counts.labels[static_cast<std::size_t>(predictions.labels[i])] += 1;
    counts.answers[static_cast<std::size_t>(predictions.predicted[i])] += 1;
    counts.all += 1;
  }
  double sum = 0;
  double occurring = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    double hits = 0;
    double members = 0;  // labels and answers
    for (const auto& [name, counts] : strata) {
      hits += counts.labels[c] * counts.answers[c] / counts.all;
      members += counts.labels[c] + counts.answers[c];
    }
    if (members == 0) continue;
    sum += 2 * hits / members;
    ++occurring;
  }
  return occurring > 0 ? sum / occurring : 0;
}

std::vector<double> p_values_of_macro_f1(const Target& target,
                                         const std::vector<std::vector<std::int64_t>>& predicted,
                                         int draws, std::uint64_t seed, const OnDone& on_draw) {
  const Exchange exchange = exchangeable(target.groups);
  const std::vector<std::uint32_t> labels = in_order(exchange, target, target.labels);
  struct Answers {
    std::vector<std::uint32_t> of_rows;
    ClassTotals totals;
    double reached;
  };
  std::vector<Answers> all;
  for (const std::vector<std::int64_t>& answers : predicted) {
    ClassTotals totals(static_cast<std::size_t>(target.classes));
    std::vector<std::uint32_t> of_rows = in_order(exchange, target, answers);
    for (std::size_t i = 0; i < labels.size(); ++i) totals.add(labels[i], of_rows[i]);
    const double reached = totals.macro_f1();
    all.push_back({std::move(of_rows), std::move(totals), reached});
  }
  std::vector<std::atomic<int>> as_good(all.size());
  for_each_index(
      static_cast<std::size_t>(draws),
      [&](std::size_t draw) {
        data::RandomDraws random(seed, RandomStream::Shuffle, static_cast<std::int64_t>(draw), 0,
                                 kLane);
        const std::vector<std::uint32_t> shuffled = shuffled_labels(exchange, random, labels);
        for (std::size_t i = 0; i < all.size(); ++i) {
          // Shuffling moves labels, so that only the hits change.
          ClassTotals totals = all[i].totals;
          count_hits(totals, shuffled, all[i].of_rows);
          if (totals.macro_f1() >= all[i].reached - 1e-12) ++as_good[i];
        }
      },
      on_draw);
  std::vector<double> p_values;
  for (const std::atomic<int>& count : as_good) p_values.push_back((1.0 + count) / (1.0 + draws));
  return p_values;
}

double p_value_of_macro_f1(const Predictions& predictions, int draws, std::uint64_t seed) {
  const Target target{
      .labels = predictions.labels, .groups = predictions.groups, .classes = predictions.classes};
  return p_values_of_macro_f1(target, {predictions.predicted}, draws, seed).front();
}

std::vector<double> holm(const std::vector<double>& p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> corrected(p_values.size());
  double largest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double value = p_values[order[i]] * static_cast<double>(order.size() - i);
    largest = std::max(largest, std::min(1.0, value));
    corrected[order[i]] = largest;
  }
  return corrected;
}

}  // namespace hanok::statistics
