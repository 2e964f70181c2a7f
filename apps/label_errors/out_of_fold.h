// Out-of-fold predictions of runs: each image by networks that were not trained on it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/label_errors/confident_learning.h"
#include "hanok/apps/run_report/run_record.h"

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

/// The predictions of finished runs together; an image that some runs lack has those of the others.
/// Throws UsageError if a run is not finished, ValueError naming the runs if they have other
/// classes or other labels.
RunPredictions join_predictions(const std::vector<run_report::RunRecord>& runs);

}  // namespace hanok::label_errors
#pragma GCC visibility pop
