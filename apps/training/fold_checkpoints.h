// A fold's checkpoints: the best weights, and the full state that an exact resume needs.
//
// Order matters when the process may die between two writes: best.safetensors, then the epoch's
// metrics, then last/state.safetensors. A resume starts from last/ and repeats what came after it,
// bit by bit, so that files which were ahead are overwritten with what they already held. So it may
// as well start from the state before the last one, which is kept until the fold is done: a disk
// that damages the newest file costs some minutes, no training.
#pragma once

#include <optional>
#include <string>

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
  /// start. Of a damaged one a warning names the file and the damage, and the one before is loaded.
  /// Throws FormatError, ValueError or IoError where none can be read.
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
  /// The newest state that can be read, or none. Sets last_is_whole_.
  std::optional<nn::State> read_newest();
  void load_into_setup(nn::State state, FoldState& fold);
  /// Throws FormatError where --mode gradual would go on with other stages than `state` was trained
  /// with.
  void check_freezing(const std::string& path, const nn::State& state) const;

  const FoldJob& job_;
  const FoldSamples& samples_;
  TrainingSetup& setup_;
  bool resumed_ = false;
  bool saved_ = false;          // last/ exists
  bool last_is_whole_ = false;  // its newest file is no damaged one
  Clock::time_point last_saved_;
  double save_seconds_ = 0;  // what the last save took
};

}  // namespace hanok::training
#pragma GCC visibility pop
