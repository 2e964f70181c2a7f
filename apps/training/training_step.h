// What one training step computes, from a batch to changed weights.
#pragma once

#include <functional>
#include <vector>

#include "hanok/apps/training/batch_cut.h"
#include "hanok/apps/training/loss.h"
#include "hanok/apps/training/samples/batch_source.h"
#include "hanok/engine/transaction.h"
#include "hanok/nn/ema.h"
#include "hanok/nn/grad_scaler.h"
#include "hanok/nn/module.h"
#include "hanok/nn/optim.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// What a step reads: all of it on the model's device.
struct StepInputs {
  Tensor images, targets;       // of a rank's share the images, and all targets
  double denominator = 1;       // of the loss
  Tensor denominator_tensor{};  // f32 [] with the same value, where a step may be recorded
  LossPhase phase = LossPhase::WarmUp;
};

/// How a step is to be computed.
struct StepRequest {
  BatchCut cut{};
  bool with_gradient_norm = false;  // computed for clipping in any case
  /// On the CPU: called with the loss of the parts so far, before their backward pass. What it
  /// throws ends the step. May be empty.
  std::function<void(double)> on_loss{};
};

/// The results of a step: on the model's device.
struct StepResults {
  std::vector<Tensor> losses;     // of the batch's parts: they add up
  std::vector<Tensor> predicted;  // classes of the batch's images, by parts
  Tensor gradient_norm;           // before clipping; undefined if not requested
};

/// Forward and backward, clipping, update and moving average; with loss scaling if there is a
/// scaler. A step is a transaction: parameters, running statistics and counters change at its end
/// or not at all.
class TrainingStep {
 public:
  struct Context {
    nn::Module& model;
    BatchSource& batches;  // its forward() runs the model
    const TrainingLoss& loss;
    nn::Optimizer& optimizer;
    nn::Ema* ema = nullptr;            // null: no moving average
    double clip_norm = 0;              // 0: gradients stay as they are
    nn::GradScaler* scaler = nullptr;  // of the loss; null: none
    const Options* options = nullptr;  // null: batches are not sliced
  };
  explicit TrainingStep(const Context& context) : context_(context) {}

  /// Computes the step without synchronising with a GPU. After an exception of `on_loss` and after
  /// OutOfMemory the training's state is unchanged. Throws ValueError where memory ran out while
  /// the weights were being changed.
  ///
  /// While a Recording records, learning rates are not written and nothing is counted: see
  /// nn::Optimizer.
  StepResults operator()(const StepInputs& inputs, const StepRequest& request) const;

  const Context& context() const { return context_; }

 private:
  /// Adds the gradients of images [begin,end) to the parameters', and their loss to `results`.
  void compute_part(const StepInputs& inputs, std::int64_t begin, std::int64_t end,
                    const StepRequest& request, StepResults& results) const;
  /// The same of a part, by slices, with those of other ranks; `offset` is the place of this rank's
  /// first image of it in inputs.images.
  void compute_slices(const StepInputs& inputs, std::int64_t begin, std::int64_t end,
                      std::int64_t offset, const StepRequest& request, StepResults& results) const;
  /// After a step without synchronised batch norm: running statistics become their mean over ranks.
  void average_statistics() const;
  /// The same of the whole batch, by a virtual batch.
  void compute_virtual_batch(const StepInputs& inputs, const StepRequest& request,
                             StepResults& results) const;
  Tensor forward(const Tensor& images, std::int64_t recomputed) const;
  /// Adds the loss of images [begin,end) to `results` and runs its backward pass.
  void learn(const Tensor& logits, const StepInputs& inputs, std::int64_t begin, std::int64_t end,
             const StepRequest& request, StepResults& results) const;
  /// Unscales and clips the gradients; their norm, undefined if neither clipping nor `with_norm`.
  Tensor finish_gradients(bool with_norm) const;
  /// The optimiser's update, and with it all that was deferred until the step is sure to succeed.
  void update(StepTransaction& transaction) const;

  Context context_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
