#include "hanok/apps/training/loss.h"

#include <algorithm>
#include <utility>

#include "hanok/data/mix.h"
#include "hanok/engine/ops.h"

namespace hanok::training {

TrainingLoss::TrainingLoss(const Options& options, std::int64_t classes, Tensor class_weights)
    : options_(options), classes_(classes), class_weights_(std::move(class_weights)) {
  if (class_weights_.defined()) host_weights_ = class_weights_.to_vector();
}

Tensor TrainingLoss::targets(data::Batch& batch, std::int64_t epoch, std::int64_t step) const {
  if (options_.mixup > 0) {
    return data::mixup(batch, classes_, options_.mixup, options_.seed, epoch, step);
  }
  if (options_.cutmix > 0) {
    return data::cutmix(batch, classes_, options_.cutmix, options_.seed, epoch, step);
  }
  return batch.labels;
}

double TrainingLoss::denominator(const Tensor& targets) const {
  const auto count = static_cast<double>(targets.size(0));
  if (targets.dtype() != DType::I64) return count;  // soft targets count one each
  if (options_.loss == LossKind::Focal || !class_weights_.defined()) return count;
  double sum = 0;
  for (const std::int64_t label : targets.to_int_vector()) {
    sum += static_cast<double>(host_weights_[static_cast<std::size_t>(label)]);
  }
  return std::max(sum, 1e-12);  // all of weight 0: the loss is 0
}

Tensor TrainingLoss::operator()(const Tensor& logits, const Tensor& targets, double denominator,
                                const Tensor& denominator_tensor) const {
  if (options_.loss == LossKind::Focal) {
    return ops::focal_loss(logits, targets,
                           {.gamma = static_cast<float>(options_.focal_gamma),
                            .alpha = class_weights_,
                            .label_smoothing = static_cast<float>(options_.label_smoothing),
                            .denominator = denominator});
  }
  ops::CrossEntropyOptions cross_entropy;
  cross_entropy.class_weights = class_weights_;
  cross_entropy.label_smoothing = static_cast<float>(options_.label_smoothing);
  if (denominator_tensor.defined()) {  // the same bits
    cross_entropy.reduction = ops::Reduction::Sum;
    return ops::div(ops::cross_entropy(logits, targets, cross_entropy), denominator_tensor);
  }
  cross_entropy.denominator = denominator;
  return ops::cross_entropy(logits, targets, cross_entropy);
}

}  // namespace hanok::training
