// All folds of a run, one after the other.
#pragma once

#include "hanok/apps/experiment/report.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Trains the folds that are not done yet, with the algorithms that --autotune and cuDNN have
/// chosen for this run, and reports on all of them. Returns kSuccess or kInterrupted. After a
/// failed write the IoError says how the run can continue.
int train_folds(const Run& run);

}  // namespace hanok::training
#pragma GCC visibility pop
