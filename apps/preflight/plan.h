// What a training will take, measured on a few of its own steps: finetune --plan.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/training/samples/experiment_data.h"
#include "hanok/engine/allocator.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Rehearses the configured training and every freezing mode. Returns tables of seconds an epoch
/// and of peak memory by tag. Writes no file. `reporter` gets what the steps report.
std::string plan_text(const Options& options, const ExperimentData& data,
                      const std::string& start_weights, Reporter& reporter);

/// What the configured training's step would take on up to `ranks` ranks over typical links,
/// computed from the work of one: see scaling.h. Writes no file. Throws UsageError for a GPU.
std::string ranks_text(const Options& options, const ExperimentData& data,
                       const std::string& start_weights, Reporter& reporter, std::int64_t ranks);

/// "tensors took 692.2 MiB at most: 281.8 activations, 140.6 packed weights, ..."
std::string describe_peak(const MemoryStatistics& memory);

}  // namespace hanok::training
#pragma GCC visibility pop
