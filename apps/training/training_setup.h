// What a fold's training computes with: network, optimiser, schedule, loss and what belongs to
// them, built from the options. Training, --check and --plan all build it here.
#pragma once

#include <memory>
#include <string>

#include "hanok/apps/training/fold_job.h"
#include "hanok/apps/training/freezing.h"
#include "hanok/apps/training/loss.h"
#include "hanok/apps/training/samples/fold_samples.h"
#include "hanok/nn/ema.h"
#include "hanok/nn/grad_scaler.h"
#include "hanok/nn/module.h"
#include "hanok/nn/optim.h"
#include "hanok/nn/schedule.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct TrainingSetup {
  /// Builds everything on --device. The initial weights depend on the seed and on
  /// `job.start_weights` alone. The job's options outlive the setup. Throws as start_from() and
  /// FreezingPlan do.
  TrainingSetup(const FoldJob& job, const FoldSamples& samples);

  Device device;
  std::unique_ptr<nn::Module> model;       // frozen as in the first epoch
  bool head_is_new = true;                 // its weights are random
  std::vector<std::string> start_notes{};  // what start_from() renamed or left out
  std::unique_ptr<FreezingPlan> freezing;
  std::unique_ptr<nn::Optimizer> optimizer;
  std::unique_ptr<nn::Schedule> schedule;
  Tensor class_weights;  // [classes] on the device; undefined without --class-weights
  std::unique_ptr<TrainingLoss> loss;
  std::unique_ptr<nn::Ema> ema;            // null without --ema
  std::unique_ptr<nn::GradScaler> scaler;  // of the loss; null but with --precision f16
};

}  // namespace hanok::training
#pragma GCC visibility pop
