// A few steps of a training, to estimate what all of it takes.
#pragma once

#include <cstdint>

#include "hanok/apps/preflight/scaling.h"
#include "hanok/apps/training/fold_job.h"
#include "hanok/engine/allocator.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// What a few steps and a part of validation measured.
struct Rehearsal {
  std::int64_t trainable = 0;    // parameters that are trained
  double images_per_second = 0;  // of steps
  bool whole = false;            // batches fitted as they are: none was recomputed or divided
  double epoch_seconds = 0;      // of a whole epoch, validation included
  double first_epoch_extra = 0;  // seconds for what later epochs need not do again
  MemoryStatistics memory;       // with the peak of tensors
  std::int64_t resident = 0;     // the process's peak memory in bytes
};

/// Measures what training as in `epoch` takes. Builds what the job's training would build and runs
/// its steps, validation and a checkpoint's copies in the order and with the memory of an epoch.
/// Writes nothing.
Rehearsal rehearse(const FoldJob& job, std::int64_t epoch);

/// The work of a step as in `epoch`, layer by layer: measured at the batch size and at a quarter of
/// it, to tell what does not grow with the images. On the CPU; throws UsageError for a GPU, whose
/// kernels run after the call. Writes nothing.
StepWork rehearse_step_work(const FoldJob& job, std::int64_t epoch);

}  // namespace hanok::training
#pragma GCC visibility pop
