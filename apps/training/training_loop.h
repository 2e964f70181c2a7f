// The training loop of one fold: epochs of steps, each followed by validation, early stopping and
// checkpoints.
#pragma once

#include <cstdint>
#include <optional>

#include "hanok/apps/run/step_log.h"
#include "hanok/apps/run/weights_chain.h"
#include "hanok/apps/training/device/late_results.h"
#include "hanok/apps/training/evaluation.h"
#include "hanok/apps/training/fold_checkpoints.h"
#include "hanok/apps/training/fold_job.h"
#include "hanok/apps/training/samples/fold_batches.h"
#include "hanok/apps/training/samples/fold_samples.h"
#include "hanok/apps/training/step_runner.h"
#include "hanok/apps/training/training_progress.h"
#include "hanok/apps/training/training_setup.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class TrainingLoop {
 public:
  /// What the loop works on; all of it outlives the loop.
  struct Context {
    const FoldJob& job;
    const FoldSamples& samples;
    TrainingSetup& setup;
    FoldBatches& batches;
    StepRunner& step;
    FoldCheckpoints& checkpoints;
    FoldState& state;  // where to start; kept up to date
  };
  explicit TrainingLoop(const Context& context);

  /// Trains to the end: all epochs, --max-steps, or no improvement for --patience epochs. False if
  /// the user interrupted; everything is saved then. Throws NonFiniteLoss and OutOfMemory.
  bool run();
  /// The model's predictions for the validation images; empty if the user interrupted. Leaves the
  /// model in evaluation mode.
  std::optional<Evaluation> validate();

 private:
  bool finished() const;
  void take_lasting_memory();
  /// The steps of one epoch from progress.step_in_epoch on; false if interrupted.
  bool train_epoch();
  bool next_batch(data::Batch& batch);
  /// Of the next step.
  StepPosition position() const;
  void train_on(const data::Batch& batch);
  /// Adds the results of a step, which are on the CPU, to the epoch's.
  void count(const StepOutcome& outcome);
  /// Validation, the epoch's line, early stopping; false if interrupted.
  bool finish_epoch();
  void check_weights_of_ranks();
  std::string next_link();
  EpochMetrics metrics_of(const Evaluation& evaluation) const;
  void warn_of_useless_validation(const EpochMetrics& metrics, const Evaluation& evaluation);
  void save_last();

  Context context_;
  TrainingProgress& progress_;  // of the state
  LateResults results_;
  StepLog step_log_;
  WeightsChain chain_;
  bool warned_ = false;  // of a validation that cannot be used
};

}  // namespace hanok::training
#pragma GCC visibility pop
