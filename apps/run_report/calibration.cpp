#include "hanok/apps/run_report/calibration.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "hanok/kernels/base/error.h"

namespace hanok::run_report {

Calibration calibration(const std::vector<ScoredAnswer>& answers, std::size_t bins) {
  if (answers.empty()) throw ValueError("calibration: there are no answers");
  if (bins == 0) throw ValueError("calibration: needs at least one bin");
  Calibration out;
  const auto count = static_cast<double>(bins);
  std::vector<double> highs;
  for (std::size_t b = 0; b < bins; ++b) {
    highs.push_back(static_cast<double>(b + 1) / count);
    out.bins.push_back({.low = static_cast<double>(b) / count, .high = highs.back()});
  }
  for (const ScoredAnswer& answer : answers) {
    if (!(answer.probability >= 0 && answer.probability <= 1)) {
      throw ValueError(fmt::format("calibration: {} is no probability", answer.probability));
    }
    const auto bin = std::lower_bound(highs.begin(), highs.end() - 1, answer.probability);
    CalibrationBin& into = out.bins[static_cast<std::size_t>(bin - highs.begin())];
    ++into.images;
    into.confidence += answer.probability;
    into.accuracy += answer.right ? 1 : 0;
  }
  const auto all = static_cast<double>(answers.size());
  for (CalibrationBin& bin : out.bins) {
    out.confidence += bin.confidence / all;
    out.accuracy += bin.accuracy / all;
    out.ece += std::abs(bin.accuracy - bin.confidence) / all;
    const auto images = static_cast<double>(bin.images);
    bin.confidence = bin.images > 0 ? bin.confidence / images : std::nan("");
    bin.accuracy = bin.images > 0 ? bin.accuracy / images : std::nan("");
  }
  return out;
}

}  // namespace hanok::run_report
