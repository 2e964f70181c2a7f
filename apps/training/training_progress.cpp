#include "hanok/apps/training/training_progress.h"

namespace hanok::training {

void TrainingProgress::finish_epoch() {
  training_seconds += epoch_seconds;
  epoch_seconds = 0;
  counts = EpochCounts();
  ++epoch;
  step_in_epoch = 0;
  epoch_trained = false;
}

void TrainingProgress::save(nn::State& state) const {
  state.integers["epoch"] = epoch;
  state.integers["step_in_epoch"] = step_in_epoch;
  state.integers["step"] = step;
  state.integers["parts"] = parts;
  state.integers["recomputed_blocks"] = recomputed;
  state.integers["epoch_trained"] = epoch_trained ? 1 : 0;
  state.integers["correct"] = counts.correct;
  state.integers["seen"] = counts.seen;
  state.integers["images_trained"] = images_trained;
  state.numbers["loss_sum"] = counts.loss_sum;
  state.numbers["epoch_seconds"] = epoch_seconds;
  state.numbers["training_seconds"] = training_seconds;
  state.numbers["seconds"] = seconds;
}

void TrainingProgress::load(const nn::State& state) {
  epoch = state.integer("epoch");
  step_in_epoch = state.integer("step_in_epoch");
  step = state.integer("step");
  if (state.integers.count("parts") != 0) parts = state.integer("parts");
  if (state.integers.count("recomputed_blocks") != 0) {
    recomputed = state.integer("recomputed_blocks");
  }
  epoch_trained = state.integer("epoch_trained") != 0;
  counts.correct = state.integer("correct");
  counts.seen = state.integer("seen");
  images_trained = state.integer("images_trained");
  counts.loss_sum = state.number("loss_sum");
  epoch_seconds = state.number("epoch_seconds");
  training_seconds = state.number("training_seconds");
  seconds = state.number("seconds");
}

}  // namespace hanok::training
