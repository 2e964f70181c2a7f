// --batch-size auto: the batch that this machine computes fastest of those that fit its memory.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/training/samples/experiment_data.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Rehearses the training with 8, 16, 32, ... images a batch, as long as whole batches fit and an
/// epoch has kLeastSteps steps, and prints what each took. Returns the size of the most images/s,
/// of those within kLevel of it the largest. Times differ from run to run, and so may the choice.
/// Throws OutOfMemory where not even the smallest fits.
std::int64_t choose_batch_size(Options options, const ExperimentData& data,
                               const std::string& start_weights, Reporter& reporter);

}  // namespace hanok::training
#pragma GCC visibility pop
