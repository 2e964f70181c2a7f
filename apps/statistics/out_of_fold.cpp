#include "hanok/apps/statistics/out_of_fold.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "hanok/data/random.h"
#include "hanok/data/splits.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/metrics.h"

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

/// Rows that may change places: those of each group, and groups of one size.
struct Exchange {
  std::vector<std::vector<std::size_t>> groups{};  // rows
  std::vector<std::vector<std::size_t>> alike{};   // numbers of groups
};

Exchange exchangeable(const std::vector<std::string>& groups) {
  std::map<std::string, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < groups.size(); ++i) members[groups[i]].push_back(i);
  Exchange exchange;
  std::map<std::size_t, std::vector<std::size_t>> alike;
  for (const auto& [name, rows] : members) {
    alike[rows.size()].push_back(exchange.groups.size());
    exchange.groups.push_back(rows);
  }
  for (const auto& [size, numbers] : alike) exchange.alike.push_back(numbers);
  return exchange;
}

void shuffle_labels(const Exchange& exchange, data::RandomDraws& random,
                    const std::vector<std::int64_t>& labels, std::vector<std::int64_t>& shuffled) {
  for (const std::vector<std::size_t>& alike : exchange.alike) {
    std::vector<std::size_t> from = alike;
    random.shuffle(from);
    for (std::size_t i = 0; i < alike.size(); ++i) {
      const std::vector<std::size_t>& to = exchange.groups[alike[i]];
      std::vector<std::size_t> rows = exchange.groups[from[i]];
      random.shuffle(rows);
      for (std::size_t k = 0; k < to.size(); ++k) shuffled[to[k]] = labels[rows[k]];
    }
  }
}

double macro_f1(const std::vector<std::int64_t>& labels, const Predictions& predictions) {
  nn::ConfusionMatrix matrix(predictions.classes);
  for (std::size_t i = 0; i < labels.size(); ++i) matrix.add(labels[i], predictions.predicted[i]);
  return matrix.macro_f1();
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
  OutOfFold out;
  for (const FoldRows& fold : folds) {
    if (fold.validation.empty()) continue;
    const RandomForest forest(columns, target.labels, target.classes, fold.training, options);
    for (const std::size_t row : fold.validation) {
      std::vector<double> probabilities = forest.predict(columns, row);
      const auto best = std::max_element(probabilities.begin(), probabilities.end());
      out.rows.push_back(row);
      out.predicted.push_back(best - probabilities.begin());
      out.probabilities.push_back(std::move(probabilities));
    }
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

double p_value_of_macro_f1(const Predictions& predictions, int draws, std::uint64_t seed) {
  const Exchange exchange = exchangeable(predictions.groups);
  const double reached = macro_f1(predictions.labels, predictions);
  std::vector<std::int64_t> shuffled = predictions.labels;
  int as_good = 0;
  for (int draw = 0; draw < draws; ++draw) {
    data::RandomDraws random(seed, RandomStream::Shuffle, draw, 0, kLane);
    shuffle_labels(exchange, random, predictions.labels, shuffled);
    if (macro_f1(shuffled, predictions) >= reached - 1e-12) ++as_good;
  }
  return (1.0 + as_good) / (1.0 + draws);
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
