// Whether a network's probabilities are right: reliability diagram and expected calibration error
// (Guo et al. 2017, "On calibration of modern neural networks").
#pragma once

#include <cstdint>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::run_report {

/// The answers whose probability lies in (low, high]; 0 is in the first bin.
struct CalibrationBin {
  double low = 0, high = 0;
  std::int64_t images = 0;
  double confidence = 0, accuracy = 0;  // means; NaN without images
};

struct Calibration {
  std::vector<CalibrationBin> bins{};   // of equal width
  double ece = 0;                       // sum over bins of images/all x |accuracy - confidence|
  double confidence = 0, accuracy = 0;  // means over all images
};

/// One answer: its probability in [0, 1], and whether it is the label.
struct ScoredAnswer {
  double probability = 0;
  bool right = false;
};
/// Throws ValueError without answers, for no bins or a probability outside [0, 1].
Calibration calibration(const std::vector<ScoredAnswer>& answers, std::size_t bins = 15);

}  // namespace hanok::run_report
#pragma GCC visibility pop
