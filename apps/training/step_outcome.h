// One training step as the loop counts it: its position, its samples, its results.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/training/training_step.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// A step's position in its training; everything counts from 0.
struct StepPosition {
  int fold = 0;
  std::int64_t epoch = 0, step_in_epoch = 0;
  std::int64_t step = 0;  // of the whole fold
};
/// "fold 0, epoch 1, step 1": epochs and steps as users count them.
std::string describe(const StepPosition& position);

struct StepOutcome {
  StepPosition position;
  std::vector<std::int64_t> samples;  // of the batch: indices into the data set
  std::vector<std::int64_t> labels;   // of the batch
  double learning_rate = 0;
  StepResults results{};

  /// Mean loss over the batch. Copies from the device, as correct() does.
  double loss() const;
  /// Images whose class was predicted.
  std::int64_t correct() const;
};

}  // namespace hanok::training
#pragma GCC visibility pop
