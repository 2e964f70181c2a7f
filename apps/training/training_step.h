// What one training step computes, from a batch to changed weights.
#pragma once

#include <functional>
#include <vector>

#include "hanok/apps/training/batch_source.h"
#include "hanok/apps/training/loss.h"
#include "hanok/nn/ema.h"
#include "hanok/nn/grad_scaler.h"
#include "hanok/nn/module.h"
#include "hanok/nn/optim.h"

namespace hanok::training {

/// What a step reads: all of it on the model's device.
struct StepInputs {
  Tensor images, targets;
  double denominator = 1;     // of the loss
  Tensor denominator_tensor;  // f32 [] with the same value, where a step may be recorded
};

/// What is to be known of a step afterwards: on the model's device.
struct StepResults {
  std::vector<Tensor> losses;     // of the batch's parts: they add up
  std::vector<Tensor> predicted;  // classes of the batch's images, by parts
  Tensor gradient_norm;           // before clipping; undefined where nobody asked
};

/// Forward and backward, clipping, update and moving average; with loss scaling if asked for.
class TrainingStep {
 public:
  struct Means {
    nn::Module& model;
    BatchSource& batches;
    const TrainingLoss& loss;
    nn::Optimizer& optimizer;
    nn::Ema* ema = nullptr;            // may be null
    double clip_norm = 0;              // 0: gradients stay as they are
    nn::GradScaler* scaler = nullptr;  // of the loss; may be null
  };
  explicit TrainingStep(const Means& means) : means_(means) {}

  /// Computes the batch in `parts`, whose losses and gradients add up to the whole's. `on_loss` is
  /// given the loss of the parts so far on the CPU; elsewhere nobody waits for it. What it throws,
  /// and OutOfMemory, leave everything that lasts as it was.
  ///
  /// While a Recording is under way, learning rates are not written and nothing is counted: see
  /// nn::Optimizer.
  StepResults operator()(const StepInputs& inputs, std::int64_t parts, bool with_norm,
                         const std::function<void(double)>& on_loss) const;

  const Means& means() const { return means_; }

 private:
  Means means_;
};

}  // namespace hanok::training
