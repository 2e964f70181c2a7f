#include "hanok/apps/label_errors/confident_learning.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "hanok/kernels/base/error.h"

namespace hanok::label_errors {
namespace {

/// As cleanlab: a probability this little below a threshold reaches it, and no threshold is lower
/// than twice this.
constexpr double kTolerance = 1e-6;

Joint zeros(std::int64_t classes) {
  const auto size = static_cast<std::size_t>(classes);
  return Joint(size, std::vector<double>(size, 0.0));
}

std::int64_t predicted_class(const OutOfFold& data, std::int64_t i) {
  std::int64_t best = 0;
  for (std::int64_t k = 1; k < data.classes; ++k) {
    if (data.probability(i, k) > data.probability(i, best)) best = k;
  }
  return best;
}

/// The class under which image `i` is counted; -1 if it reaches no threshold.
std::int64_t counted_class(const OutOfFold& data, std::int64_t i,
                           const std::vector<double>& thresholds) {
  std::int64_t first = -1, reached = 0;
  for (std::int64_t k = 0; k < data.classes; ++k) {
    if (data.probability(i, k) < thresholds[static_cast<std::size_t>(k)] - kTolerance) continue;
    if (reached++ == 0) first = k;
  }
  return reached > 1 ? predicted_class(data, i) : first;
}

}  // namespace

void check(const OutOfFold& data) {
  if (data.classes < 2) {
    throw ValueError(
        fmt::format("label errors: {} classes; two are needed at least", data.classes));
  }
  if (data.probabilities.size() != data.labels.size() * static_cast<std::size_t>(data.classes)) {
    throw ValueError(fmt::format("label errors: {} probabilities for {} labels of {} classes",
                                 data.probabilities.size(), data.labels.size(), data.classes));
  }
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::int64_t label = data.labels[static_cast<std::size_t>(i)];
    if (label < 0 || label >= data.classes) {
      throw ValueError(fmt::format("label errors: image {} has label {}, expected 0..{}", i, label,
                                   data.classes - 1));
    }
    for (std::int64_t k = 0; k < data.classes; ++k) {
      const float p = data.probability(i, k);
      if (p >= 0 && p <= 1) continue;
      throw ValueError(fmt::format(
          "label errors: image {} has probability {} for class {}, expected 0..1", i, p, k));
    }
  }
}

std::vector<double> class_thresholds(const OutOfFold& data) {
  std::vector<double> sums(static_cast<std::size_t>(data.classes), 0.0), counts = sums;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const auto label = static_cast<std::size_t>(data.labels[static_cast<std::size_t>(i)]);
    sums[label] += data.probability(i, static_cast<std::int64_t>(label));
    counts[label] += 1;
  }
  for (std::size_t k = 0; k < sums.size(); ++k) {
    sums[k] = counts[k] == 0 ? 1.0 : std::max(sums[k] / counts[k], 2 * kTolerance);
  }
  return sums;
}

ConfidentJoint confident_joint(const OutOfFold& data) {
  check(data);
  const std::vector<double> thresholds = class_thresholds(data);
  ConfidentJoint joint{.counts = zeros(data.classes), .calibrated = {}};
  std::vector<double> members(static_cast<std::size_t>(data.classes), 0.0);
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::int64_t label = data.labels[static_cast<std::size_t>(i)];
    const std::int64_t counted = counted_class(data, i, thresholds);
    members[static_cast<std::size_t>(label)] += 1;
    joint.suggestion.push_back(counted);
    if (counted < 0) continue;
    joint.counts[static_cast<std::size_t>(label)][static_cast<std::size_t>(counted)] += 1;
    // As cleanlab: a label that the network finds the likeliest is no error.
    if (counted != label && predicted_class(data, i) != label) joint.off_diagonal.push_back(i);
  }
  for (std::size_t k = 0; k < members.size(); ++k) {
    joint.counts[k][k] = std::max(joint.counts[k][k], 1.0);
  }
  joint.calibrated = joint.counts;
  for (std::size_t k = 0; k < members.size(); ++k) {
    std::vector<double>& row = joint.calibrated[k];
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (double& value : row) value *= members[k] / sum;
  }
  return joint;
}

std::int64_t estimated_errors(const ConfidentJoint& joint) {
  return static_cast<std::int64_t>(joint.off_diagonal.size());
}

std::vector<double> self_confidence(const OutOfFold& data) {
  std::vector<double> scores;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    scores.push_back(data.probability(i, data.labels[static_cast<std::size_t>(i)]));
  }
  return scores;
}

std::vector<double> normalised_margin(const OutOfFold& data) {
  std::vector<double> scores;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::int64_t label = data.labels[static_cast<std::size_t>(i)];
    float other = 0;
    for (std::int64_t k = 0; k < data.classes; ++k) {
      if (k != label) other = std::max(other, data.probability(i, k));
    }
    scores.push_back((double{data.probability(i, label)} - other + 1) / 2);
  }
  return scores;
}

std::vector<std::int64_t> ranked(const std::vector<double>& scores) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return scores[static_cast<std::size_t>(a)] < scores[static_cast<std::size_t>(b)];
  });
  return order;
}

}  // namespace hanok::label_errors
