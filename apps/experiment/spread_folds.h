// --spread folds: each rank trains folds of its own, as a process alone would.
#pragma once

#include "hanok/apps/experiment/report.h"
#include "hanok/apps/run/run_folder.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Trains the folds that are not done yet, each on the rank that is free first; every rank calls
/// it. A rank writes what belongs to its folds, the first one what belongs to the run. True if all
/// folds are done, false if a rank was interrupted: on all ranks alike.
bool train_spread_folds(const Run& run);

/// Ranks of a killed job may live some seconds longer, and write what belongs to their folds: waits
/// for their end. The caller holds the run's lock. Throws UsageError that names a process which
/// stays.
void wait_for_lost_ranks(const RunFolder& folder, Reporter& reporter);

}  // namespace hanok::training
#pragma GCC visibility pop
