#include "hanok/apps/statistics/class_totals.h"

#include <numeric>

namespace hanok::statistics {
namespace {

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::int64_t sum(const std::vector<std::int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

}  // namespace

double ClassTotals::accuracy() const { return ratio(sum(hits), sum(labels)); }

nn::ClassScore ClassTotals::score(std::size_t c) const {
  return {.precision = ratio(hits[c], answers[c]),
          .recall = ratio(hits[c], labels[c]),
          .f1 = ratio(2 * hits[c], labels[c] + answers[c]),
          .support = labels[c]};
}

double ClassTotals::macro_f1() const {
  double total = 0;
  std::int64_t occurring = 0;
  for (std::size_t c = 0; c < hits.size(); ++c) {
    if (labels[c] + answers[c] == 0) continue;
    total += score(c).f1;
    ++occurring;
  }
  return occurring == 0 ? 0 : total / static_cast<double>(occurring);
}

}  // namespace hanok::statistics
