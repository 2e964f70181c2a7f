// What a training step minimises: --loss, --noise-robust, --label-smoothing, --class-weights,
// --mixup, --cutmix.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/apps/options/options.h"
#include "hanok/data/loader.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// --noise-robust trim leaves nothing out in the first epoch: at its start every loss is large.
enum class LossPhase { WarmUp, Main };

/// How the loss of a batch or of a part of it is computed.
struct LossCall {
  double denominator = 1;       // of the whole batch
  Tensor denominator_tensor{};  // the same value, read instead if it is defined
  LossPhase phase = LossPhase::Main;
};

class TrainingLoss {
 public:
  /// `class_weights` [C] may be undefined; focal loss takes them as its alpha.
  TrainingLoss(const Options& options, std::int64_t classes, Tensor class_weights);

  /// The targets of one batch: its labels, or with --mixup and --cutmix soft targets f32 [N,C],
  /// for which the images are mixed in place; those of a rank's share (training_positions()) lose
  /// the one before them.
  Tensor targets(data::Batch& batch, std::int64_t epoch, std::int64_t step) const;
  /// What the batch's mean divides by. Parts of a batch, each divided by the whole's, add up to the
  /// whole's loss and gradients.
  double denominator(const Tensor& targets) const;
  /// Only where steps of the phases differ it is not WarmUp.
  LossPhase phase(std::int64_t epoch) const;
  /// Sum over `logits` [N,C] and their targets, divided by the call's denominator: a scalar. Where
  /// that changes from step to step though their shapes are the same, give it as a tensor.
  ///
  /// What --noise-robust trim leaves out counts in the denominator as if its loss were 0. A batch
  /// that is computed in parts is trimmed in each part: the largest losses of the whole are known
  /// only when it is too late for the first part's backward pass.
  Tensor operator()(const Tensor& logits, const Tensor& targets, const LossCall& call) const;

 private:
  ops::CrossEntropyOptions cross_entropy_options() const;
  /// The losses of --noise-robust, [N]; `trim` of those that are kept alone.
  Tensor robust_losses(const Tensor& logits, const Tensor& targets, LossPhase phase) const;
  Tensor generalised(const Tensor& logits, const Tensor& targets) const;
  Tensor bootstrapped(const Tensor& logits, const Tensor& targets) const;
  Tensor trimmed(const Tensor& logits, const Tensor& targets) const;

  const Options& options_;
  std::int64_t classes_;
  Tensor class_weights_;
  std::vector<float> host_weights_;  // a copy, read without synchronising with the device
};

}  // namespace hanok::training
#pragma GCC visibility pop
