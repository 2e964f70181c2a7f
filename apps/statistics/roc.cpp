#include "hanok/apps/statistics/roc.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <numeric>

#include "hanok/kernels/base/error.h"

namespace hanok::statistics {
namespace {

std::vector<std::size_t> by_score(const Scored& scored) {
  if (scored.positive.size() != scored.scores.size()) {
    throw ValueError(
        fmt::format("ROC AUC: {} scores, {} labels", scored.scores.size(), scored.positive.size()));
  }
  std::vector<std::size_t> order(scored.scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&scored](std::size_t a, std::size_t b) {
    return scored.scores[a] < scored.scores[b];
  });
  return order;
}

/// The samples in order of their scores.
struct Ranked {
  std::vector<double> scores{};
  std::vector<std::uint8_t> positive{};
};

Ranked ranked(const Scored& scored, const std::vector<std::size_t>& order) {
  Ranked all;
  for (const std::size_t i : order) {
    all.scores.push_back(scored.scores[i]);
    all.positive.push_back(scored.positive[i] ? 1 : 0);
  }
  return all;
}

/// The sample of rank i counts counts[i] times.
double weighted_auc(const Ranked& all, const std::vector<double>& counts) {
  double negatives = 0;
  double positives = 0;
  double pairs = 0;  // in which the positive one is higher
  for (std::size_t begin = 0; begin < counts.size();) {
    double tied_positive = 0;
    double tied_negative = 0;
    std::size_t end = begin;
    while (end < counts.size() && all.scores[end] == all.scores[begin]) {
      (all.positive[end] != 0 ? tied_positive : tied_negative) += counts[end];
      ++end;
    }
    pairs += tied_positive * (negatives + 0.5 * tied_negative);
    positives += tied_positive;
    negatives += tied_negative;
    begin = end;
  }
  if (positives == 0 || negatives == 0) return std::numeric_limits<double>::quiet_NaN();
  return pairs / (positives * negatives);
}

}  // namespace

double roc_auc(const Scored& scored) {
  return weighted_auc(ranked(scored, by_score(scored)),
                      std::vector<double>(scored.scores.size(), 1));
}

Interval auc_interval(const Scored& scored, const BootstrapOptions& options) {
  const std::vector<std::size_t> order = by_score(scored);
  if (scored.groups.size() != order.size()) {
    throw ValueError(
        fmt::format("ROC AUC: {} scores, {} groups", order.size(), scored.groups.size()));
  }
  const Ranked all = ranked(scored, order);
  std::vector<std::size_t> rank(order.size());
  for (std::size_t at = 0; at < order.size(); ++at) rank[order[at]] = at;
  return bootstrap_interval(
      scored.groups,
      [&](const std::vector<std::size_t>& drawn) {
        std::vector<double> counts(order.size(), 0);
        for (const std::size_t i : drawn) counts[rank[i]] += 1;
        return weighted_auc(all, counts);
      },
      options);
}

}  // namespace hanok::statistics
