// The progress of a fold's training, between any two steps.
#pragma once

#include <cstdint>

#include "hanok/apps/training/early_stopping.h"
#include "hanok/apps/training/epoch_counts.h"
#include "hanok/nn/state.h"
#include "hanok/nn/state_dict.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct TrainingProgress {
  std::int64_t epoch = 0;  // 0 is the first
  std::int64_t step_in_epoch = 0;
  std::int64_t step = 0;        // of the whole fold
  std::int64_t parts = 1;       // of a full batch: --accumulate, or more where memory was short
  std::int64_t recomputed = 0;  // blocks of the network, where memory was short
  bool epoch_trained = false;   // the epoch's steps are done, its validation is not
  EpochCounts counts{};         // of this epoch
  double epoch_seconds = 0;     // of this epoch's training steps
  double training_seconds = 0;  // of the training steps of finished epochs
  double seconds = 0;           // of everything
  std::int64_t images_trained = 0;

  /// Moves to the first step of the next epoch.
  void finish_epoch();
  /// Adds a key for each field to `state`.
  void save(nn::State& state) const;
  /// What save() added. Throws ValueError naming a key that is missing; `parts` and
  /// `recomputed` alone may be, and then keep their values.
  void load(const nn::State& state);
};

/// What training changes beside network and optimiser.
struct FoldState {
  TrainingProgress progress;
  EarlyStopping early_stopping;
  nn::StateDict best_weights{};  // of the best epoch; before one, of the start
};

}  // namespace hanok::training
#pragma GCC visibility pop
