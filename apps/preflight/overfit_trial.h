// A training on one small batch that must be overfit: the shortest test of whether a recipe can
// learn. Its steps are those of training (StepRunner).
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/apps/training/fold_job.h"
#include "hanok/apps/training/samples/batch_source.h"
#include "hanok/apps/training/samples/fold_samples.h"
#include "hanok/apps/training/step_runner.h"
#include "hanok/apps/training/training_setup.h"
#include "hanok/data/loader.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// `options` without what makes overfitting harder on purpose (augmentation, mixing, label
/// smoothing, averages, ...) and without a schedule, for batches of `images`. A part of a batch is
/// no smaller than with `options`.
Options plain_recipe(Options options, std::int64_t images);

class OverfitTrial {
 public:
  static constexpr std::int64_t kMostSteps = 200;  // in which overfitting must succeed

  /// Builds network, optimiser and loss as training does, with everything unfrozen that is trained
  /// in any epoch, and takes up to 16 training images, from each class in turn. The data and the
  /// reporter of `job` outlive the trial; its options are made plain, and nothing is written.
  explicit OverfitTrial(const FoldJob& job);

  struct Step {
    double loss = 0;  // before the step; NaN if it was not finite, and nothing changed then
    bool all_correct = false;
  };
  /// One training step on the batch, in training mode. Gradients stay for inspection.
  Step step();
  /// Trains until the loss is at most `goal` with all predictions correct: true; false after
  /// kMostSteps steps in all or a loss that is not finite. Throws Error if the user interrupts.
  bool overfit(double goal);
  /// Accuracy on the batch in evaluation mode. Throws Error if the user interrupts.
  double evaluation_accuracy();

  std::int64_t steps() const { return steps_; }
  double last_loss() const { return last_loss_; }
  const Options& options() const { return options_; }
  nn::Module& model() const { return *setup_.model; }
  bool head_is_new() const { return setup_.head_is_new; }
  /// The batch's images: indices into the data set.
  const std::vector<std::int64_t>& images() const { return images_; }

 private:
  Options options_;
  FoldJob job_;
  FoldSamples samples_;
  TrainingSetup setup_;
  data::Loader loader_;
  ImageBatches batches_;
  StepRunner step_;
  std::vector<std::int64_t> images_;
  data::Batch batch_;
  std::int64_t steps_ = 0;
  double last_loss_ = 0;
};

}  // namespace hanok::training
#pragma GCC visibility pop
