// Out-of-fold predictions of runs: each image by networks that were not trained on it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/label_errors/confident_learning.h"

#pragma GCC visibility push(default)
namespace hanok::label_errors {

struct RunPredictions {
  std::vector<std::string> class_names{};
  std::vector<std::string> paths{};  // relative to the data, in byte order
  /// Mean over all runs and repeats; the labels are those that the runs were given.
  OutOfFold mean{};
  /// For each run and repeat, the most probable class of each image; -1 where it has none.
  std::vector<std::vector<std::int64_t>> votes{};
  std::int64_t index_of(const std::string& path) const;  // -1: no such image
};

/// Reads predictions.csv of finished runs. Throws UsageError if one is not finished, and
/// FormatError naming the file if it is damaged, or if runs have other classes or labels; images
/// that some runs lack are those of the others.
RunPredictions read_predictions(const std::vector<std::string>& runs);

}  // namespace hanok::label_errors
#pragma GCC visibility pop
