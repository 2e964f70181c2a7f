// What a training step minimises: --loss, --label-smoothing, --class-weights, --mixup, --cutmix.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/apps/options/options.h"
#include "hanok/data/loader.h"
#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class TrainingLoss {
 public:
  /// `class_weights` [C] may be undefined; focal loss takes them as its alpha.
  TrainingLoss(const Options& options, std::int64_t classes, Tensor class_weights);

  /// The targets of one batch: its labels, or with --mixup and --cutmix soft targets f32 [N,C],
  /// for which the images are mixed in place.
  Tensor targets(data::Batch& batch, std::int64_t epoch, std::int64_t step) const;
  /// What the batch's mean divides by. Parts of a batch, each divided by the whole's, add up to the
  /// whole's loss and gradients.
  double denominator(const Tensor& targets) const;
  /// Sum over `logits` [N,C] and their targets, divided by `denominator`: a scalar. Where that
  /// changes from step to step though their shapes are the same, it is read from
  /// `denominator_tensor`, if there is one.
  Tensor operator()(const Tensor& logits, const Tensor& targets, double denominator,
                    const Tensor& denominator_tensor = {}) const;

 private:
  const Options& options_;
  std::int64_t classes_;
  Tensor class_weights_;
  std::vector<float> host_weights_;  // a copy, read without synchronising with the device
};

}  // namespace hanok::training
#pragma GCC visibility pop
