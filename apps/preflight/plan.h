// What a training will take, measured on a few of its own steps: finetune --plan.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/training/experiment_data.h"
#include "hanok/engine/allocator.h"

namespace hanok::training {

/// What a few steps and a bit of validation measured.
struct Rehearsal {
  std::int64_t trainable = 0;    // parameters that learn
  double epoch_seconds = 0;      // of a whole epoch, validation included
  double first_epoch_extra = 0;  // seconds for what later epochs need not do again
  MemoryStatistics memory;       // with the peak of tensors
};

/// Rehearses the configured training and every freezing mode. Returns tables of seconds an epoch
/// and of peak memory by tag. Writes no file. `reporter` hears
/// what the trainers say.
std::string plan_text(const Options& options, const ExperimentData& data,
                      const std::string& start_weights, Reporter& reporter);

/// "tensors took 692.2 MiB at most: 281.8 activations, 140.6 packed weights, ..."
std::string describe_peak(const MemoryStatistics& memory);

}  // namespace hanok::training
