// One fold of a run, from its network to its result, in this process or together with other ranks.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "hanok/apps/experiment/report.h"
#include "hanok/apps/profiling/profile.h"
#include "hanok/apps/run_report/tensorboard.h"
#include "hanok/apps/training/fold_job.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// What is written after each epoch of a fold.
struct FoldOutput {
  MetricsLog& log;
  std::function<void()> after_epoch{};                // may be empty
  run_report::TensorBoardLog* tensorboard = nullptr;  // null without --tensorboard
};

/// What only the first fold of a process does: it describes the network, and --profile records its
/// steps, which are enough.
struct FirstFold {
  std::unique_ptr<StepProfile> profile;  // null without --profile
};
FirstFold first_fold(const Run& run);

/// Trains one fold and its baseline and writes its result; empty if interrupted. `first` is null
/// but for the first fold that this process trains.
std::optional<FoldResult> train_fold(const Run& run, const FoldOutput& output, int fold,
                                     const FirstFold* first);

/// Macro F1 after training on shuffled labels, which shows what is chance; empty if interrupted.
std::optional<double> shuffled_labels_macro_f1(FoldJob job);

}  // namespace hanok::training
#pragma GCC visibility pop
