// A fold's checkpoints: the best weights, and the full state that an exact resume needs.
//
// Order matters when the process may die between two writes: best.safetensors, then the epoch's
// metrics, then last/state.safetensors. A resume starts from last/ and repeats what came after it,
// bit by bit, so that files which were ahead are overwritten with what they already held.
#pragma once

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/training/fold_job.h"
#include "hanok/apps/training/samples/fold_samples.h"
#include "hanok/apps/training/training_progress.h"
#include "hanok/apps/training/training_setup.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Without a run folder nothing is written and nothing is found.
class FoldCheckpoints {
 public:
  /// All outlive the checkpoints.
  FoldCheckpoints(const FoldJob& job, const FoldSamples& samples, TrainingSetup& setup);

  /// The fold's progress: that of its last checkpoint, which is loaded into the setup, or the
  /// start. Throws FormatError, ValueError or IoError for a checkpoint that cannot be read.
  FoldState load();
  /// True if load() found a checkpoint.
  bool resumed() const { return resumed_; }

  /// Saves the model's present weights as those of the best epoch.
  void save_best(const FoldState& state) const;
  void save_last(const FoldState& state);
  /// True unless saving again would take more than its share of the time.
  bool last_is_due() const;

 private:
  ModelCard card() const;
  /// Throws FormatError where --mode gradual would go on with other stages than `state` was trained
  /// with.
  void check_freezing(const std::string& path, const nn::State& state) const;

  const FoldJob& job_;
  const FoldSamples& samples_;
  TrainingSetup& setup_;
  bool resumed_ = false;
  bool saved_ = false;  // last/ exists
  Clock::time_point last_saved_;
  double save_seconds_ = 0;  // what the last save took
};

}  // namespace hanok::training
#pragma GCC visibility pop
