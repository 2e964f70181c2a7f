// Trains one fold from beginning to end: builds what the loop needs, runs it, and scores the best
// weights.
#pragma once

#include <optional>
#include <string>

#include "hanok/apps/run/fold_result.h"
#include "hanok/apps/training/fold_checkpoints.h"
#include "hanok/apps/training/fold_job.h"
#include "hanok/apps/training/samples/fold_batches.h"
#include "hanok/apps/training/samples/fold_samples.h"
#include "hanok/apps/training/step_runner.h"
#include "hanok/apps/training/training_loop.h"
#include "hanok/apps/training/training_progress.h"
#include "hanok/apps/training/training_setup.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class Trainer {
 public:
  /// Builds the network, and loads the fold's last checkpoint if there is one.
  explicit Trainer(const FoldJob& job);

  /// Trains to the end and evaluates the best weights, which the model then has. Empty if the user
  /// interrupted; everything is saved then. Throws NonFiniteLoss.
  std::optional<FoldResult> run();

  /// The first part of run(): trains, and evaluates nothing afterwards. False if interrupted.
  bool train() { return loop_.run(); }

  nn::Module& model() const { return *setup_.model; }
  const FreezingPlan& freezing() const { return *setup_.freezing; }
  /// Where training starts: weights and cached features, or the checkpoint. For the user.
  std::string start_note() const;

 private:
  /// The best epoch's weights, or the last ones if no epoch had a finite validation loss.
  void take_best_weights();
  FoldResult make_result(const Evaluation& evaluation) const;

  FoldJob job_;
  FoldSamples samples_;
  TrainingSetup setup_;
  FoldBatches batches_;
  FoldCheckpoints checkpoints_;
  FoldState state_;
  StepRunner step_;
  TrainingLoop loop_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
