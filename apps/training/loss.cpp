#include "hanok/apps/training/loss.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "hanok/apps/run/ranks.h"
#include "hanok/data/mix.h"
#include "hanok/engine/ops.h"

namespace hanok::training {
namespace {

/// sum_c t_c values_c: [N,C] -> [N], for labels the value of each.
Tensor at_targets(const Tensor& values, const Tensor& targets) {
  if (targets.dtype() != DType::I64) return ops::sum(ops::mul(values, targets), {1});
  return ops::squeeze(ops::gather(values, 1, ops::unsqueeze(targets, 1)), 1);
}

}  // namespace

TrainingLoss::TrainingLoss(const Options& options, std::int64_t classes, Tensor class_weights)
    : options_(options), classes_(classes), class_weights_(std::move(class_weights)) {
  if (class_weights_.defined()) host_weights_ = class_weights_.to_vector();
}

Tensor TrainingLoss::targets(data::Batch& batch, std::int64_t epoch, std::int64_t step) const {
  if (options_.mixup == 0 && options_.cutmix == 0) return batch.labels;
  Tensor targets = options_.mixup > 0
                       ? data::mixup(batch, classes_, options_.mixup, options_.seed, epoch, step)
                       : data::cutmix(batch, classes_, options_.cutmix, options_.seed, epoch, step);
  const std::int64_t images = batch.images.size(0);
  if (has_other_ranks() && images > 0) batch.images = ops::slice(batch.images, 0, 1, images);
  return targets;
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

LossPhase TrainingLoss::phase(std::int64_t epoch) const {
  const bool trims = options_.noise_robust == NoiseRobust::Trim;
  return trims && epoch > 0 ? LossPhase::Main : LossPhase::WarmUp;
}

ops::CrossEntropyOptions TrainingLoss::cross_entropy_options() const {
  return {.class_weights = class_weights_,
          .label_smoothing = static_cast<float>(options_.label_smoothing)};
}

Tensor TrainingLoss::operator()(const Tensor& logits, const Tensor& targets,
                                const LossCall& call) const {
  if (options_.loss == LossKind::Focal) {
    return ops::focal_loss(logits, targets,
                           {.gamma = static_cast<float>(options_.focal_gamma),
                            .alpha = class_weights_,
                            .label_smoothing = static_cast<float>(options_.label_smoothing),
                            .denominator = call.denominator});
  }
  if (options_.noise_robust != NoiseRobust::None) {
    const Tensor total = ops::sum(robust_losses(logits, targets, call.phase));
    const Tensor denominator =
        call.denominator_tensor.defined()
            ? call.denominator_tensor
            : Tensor::full({}, call.denominator, {DType::F32, logits.device()});
    return ops::div(total, denominator);
  }
  ops::CrossEntropyOptions cross_entropy = cross_entropy_options();
  if (call.denominator_tensor.defined()) {  // the same bits
    cross_entropy.reduction = ops::Reduction::Sum;
    return ops::div(ops::cross_entropy(logits, targets, cross_entropy), call.denominator_tensor);
  }
  cross_entropy.denominator = call.denominator;
  return ops::cross_entropy(logits, targets, cross_entropy);
}

// ---- --noise-robust: p = softmax(logits), t the targets, w the class weights ----

Tensor TrainingLoss::robust_losses(const Tensor& logits, const Tensor& targets,
                                   LossPhase phase) const {
  if (options_.noise_robust == NoiseRobust::Gce) return generalised(logits, targets);
  if (options_.noise_robust == NoiseRobust::Bootstrap) return bootstrapped(logits, targets);
  if (phase == LossPhase::Main) return trimmed(logits, targets);
  ops::CrossEntropyOptions plain = cross_entropy_options();
  plain.reduction = ops::Reduction::None;
  return ops::cross_entropy(logits, targets, plain);
}

/// sum_c w_c t_c (1 - p_c^q) / q (Zhang & Sabuncu, "Generalized cross entropy loss for training
/// deep neural networks with noisy labels", 2018, equation 6), whose gradient weighs an image by
/// p^q of its label: what the network finds impossible hardly moves it. As q falls to 0 it becomes
/// cross-entropy. With label smoothing s: t_c (1 - s) + s / C for t_c.
Tensor TrainingLoss::generalised(const Tensor& logits, const Tensor& targets) const {
  const auto q = static_cast<float>(options_.gce_q);
  const auto smoothing = static_cast<float>(options_.label_smoothing);
  const Tensor powers = ops::exp(ops::affine(ops::log_softmax(logits, 1), q, 0));  // p^q
  Tensor terms = ops::affine(powers, -1 / q, 1 / q);                               // [N,C]
  if (class_weights_.defined()) terms = ops::mul(terms, class_weights_);
  const Tensor losses = at_targets(terms, targets);
  if (smoothing == 0) return losses;
  return ops::add(ops::affine(losses, 1 - smoothing, 0),
                  ops::affine(ops::mean(terms, {1}), smoothing, 0));
}

/// -sum_c (beta t_c + (1 - beta) p_c) log p_c (Reed et al., "Training deep neural networks on noisy
/// labels with bootstrapping", 2014, equation 6, soft): beta times the cross-entropy, and 1 - beta
/// times the entropy of the answers. An image's class weight is that of its target.
Tensor TrainingLoss::bootstrapped(const Tensor& logits, const Tensor& targets) const {
  const auto beta = static_cast<float>(options_.bootstrap_beta);
  ops::CrossEntropyOptions plain = cross_entropy_options();
  plain.reduction = ops::Reduction::None;
  const Tensor log_p = ops::log_softmax(logits, 1);
  Tensor entropy = ops::neg(ops::sum(ops::mul(ops::exp(log_p), log_p), {1}));
  if (class_weights_.defined()) {
    const Tensor weights =
        ops::mul(Tensor::full(logits.shape(), 1, {DType::F32, logits.device()}), class_weights_);
    entropy = ops::mul(entropy, at_targets(weights, targets));
  }
  return ops::add(ops::affine(ops::cross_entropy(logits, targets, plain), beta, 0),
                  ops::affine(entropy, 1 - beta, 0));
}

/// The cross-entropies of all images but the round(share N) with the largest ones (as in trimmed
/// losses, Shen & Sanghavi, "Learning with bad training data via iterative trimmed loss
/// minimization", 2019). Class weights do not decide which: rare classes would be left out first.
Tensor TrainingLoss::trimmed(const Tensor& logits, const Tensor& targets) const {
  ops::CrossEntropyOptions plain = cross_entropy_options();
  plain.reduction = ops::Reduction::None;
  const Tensor losses = ops::cross_entropy(logits, targets, plain);
  const std::int64_t images = logits.size(0);
  const auto dropped = std::lround(options_.trim_share * static_cast<double>(images));
  if (dropped == 0) return losses;
  Tensor unweighted = losses.detach();
  if (class_weights_.defined()) {
    plain.class_weights = {};
    unweighted = ops::cross_entropy(logits.detach(), targets, plain);
  }
  const Tensor kept = ops::topk(ops::neg(unweighted), images - dropped, 0).second;
  return ops::index_select(losses, 0, kept);
}

}  // namespace hanok::training
