// What is to be trained: one fold of the data with the run's options.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/run/ranks.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/training/samples/experiment_data.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class StepProfile;

enum class TrainingLabels {
  AsGiven,
  Shuffled,  // among the training images: a baseline that learns from meaningless labels
};

struct FoldJob {
  const Options& options;
  const ExperimentData& data;
  Reporter& reporter;
  int fold = 0;
  /// Null: nothing is written and nothing resumed. Of several ranks, the first alone writes.
  const RunFolder* folder = nullptr;
  MetricsLog* log = nullptr;  // of the folder; null without one
  /// Called when the log has got a line more; may be empty.
  std::function<void(const MetricsLog&)> after_epoch{};
  std::string start_weights{};  // file to start from; empty: random weights
  TrainingLabels labels = TrainingLabels::AsGiven;
  StepProfile* profile = nullptr;  // of the first steps; null: none
  std::int64_t last_epoch = 0;     // ends the training after it (1 is the first); 0: options' end

  bool writes() const { return folder != nullptr && is_first_rank(); }
};

}  // namespace hanok::training
#pragma GCC visibility pop
