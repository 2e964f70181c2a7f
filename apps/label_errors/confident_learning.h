// Confident learning: which labels are probably wrong, from out-of-fold probabilities (Northcutt,
// Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, 2021). The
// results equal those of the authors' package cleanlab.
#pragma once

#include <cstdint>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::label_errors {

/// Labels as given, and what networks that were not trained on an image say of it.
struct OutOfFold {
  std::int64_t classes = 0;
  std::vector<std::int64_t> labels{};  // [n], in [0, classes)
  std::vector<float> probabilities{};  // [n, classes], rows add up to 1
  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
  float probability(std::int64_t i, std::int64_t k) const {
    return probabilities[static_cast<std::size_t>(i * classes + k)];
  }
};
/// Throws ValueError for labels out of range, probabilities that are not numbers in [0, 1], or
/// lists that do not fit.
void check(const OutOfFold& data);

/// t_k: the mean probability of class k over the images that are labelled k. A class without images
/// has 1.
std::vector<double> class_thresholds(const OutOfFold& data);

/// [classes, classes]: given label down, suggested label across.
using Joint = std::vector<std::vector<double>>;

struct ConfidentJoint {
  /// Counts of images whose probability of the class across reaches its threshold (of several such
  /// classes the most probable); the diagonal is 1 at least.
  Joint counts{};
  /// The counts scaled so that each row adds up to the number of images with that label.
  Joint calibrated{};
  /// Images counted off the diagonal whose label is not the most probable class, either: those
  /// whose labels are probably wrong, by number.
  std::vector<std::int64_t> off_diagonal{};
  /// For each image the class it is counted under; -1 if it reaches no threshold.
  std::vector<std::int64_t> suggestion{};
};
ConfidentJoint confident_joint(const OutOfFold& data);

/// Estimated number of wrong labels: the images off the diagonal.
std::int64_t estimated_errors(const ConfidentJoint& joint);

/// p(label): low where the label is suspect.
std::vector<double> self_confidence(const OutOfFold& data);
/// (p(label) - the largest p of another class + 1) / 2, in [0, 1].
std::vector<double> normalised_margin(const OutOfFold& data);

/// Numbers of all images, the most suspect (lowest score) first; on ties the lower number.
std::vector<std::int64_t> ranked(const std::vector<double>& scores);

}  // namespace hanok::label_errors
#pragma GCC visibility pop
