// The area under the ROC curve.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/statistics/bootstrap.h"

#pragma GCC visibility push(default)
namespace hanok::statistics {

/// Scores of samples and which of them are positive.
struct Scored {
  std::vector<double> scores{};
  std::vector<bool> positive{};
  std::vector<std::string> groups{};  // needed by auc_interval alone
};

/// The probability that a positive sample has a higher score than a negative one, ties counting
/// half (scikit-learn's roc_auc_score). NaN unless there are both. Throws ValueError for lists of
/// different lengths.
double roc_auc(const Scored& scored);
/// Its bootstrap interval; groups are drawn whole.
Interval auc_interval(const Scored& scored, const BootstrapOptions& options = {});

}  // namespace hanok::statistics
#pragma GCC visibility pop
