// Softmax, its logarithm, and the losses on top of it: cross-entropy and focal loss.
#include <cmath>
#include <fmt/format.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/ops/common.h"
#include "hanok/kernels/base/error.h"

namespace hanok::ops {

namespace {

// ---- softmax and log_softmax along one dimension, c and d its elements ----
//
//   softmax      y_c = exp(x_c) / sum_d exp(x_d)     dx_c = y_c (dy_c - sum_d y_d dy_d)
//   log_softmax  y_c = x_c - log sum_d exp(x_d)      dx_c = dy_c - exp(y_c) sum_d dy_d

class SoftmaxNode final : public Node {
 public:
  SoftmaxNode(bool log, int dim, const Tensor& y) : log_(log), dim_(dim), y_(y) {}
  const char* name() const override { return log_ ? "log_softmax" : "softmax"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = empty_like(dy);
    const Lanes lanes = lanes_along(dy.shape(), dim_);
    const Target target(dy);
    target.run(SoftmaxBackward{.log = log_,
                               .y = y_.get(name()).view(),
                               .dy = dy.view(),
                               .lanes = lanes,
                               .dx = dx.mutable_view()});
    return {dx};
  }
  void release_saved() override { y_.release(); }

 private:
  bool log_;
  int dim_;
  SavedTensor y_;
};

Tensor softmax(bool log, const Tensor& input, int dim) {
  const char* name = log ? "log_softmax" : "softmax";
  const Tensor x = widened(input);
  check_f32(name, {{"input", x}});
  dim = check_dim(name, x, dim);
  Tensor y = empty_like(x);
  const Lanes lanes = lanes_along(x.shape(), dim);
  const Target target(x);
  target.run(Softmax{.log = log, .x = x.view(), .lanes = lanes, .y = y.mutable_view()});
  if (any_requires_grad({x})) {
    auto node = std::make_shared<SoftmaxNode>(log, dim, y);
    set_inputs(*node, {x});
    record(y, std::move(node));
  }
  return y;
}

// ---- cross-entropy and focal loss: logits z [N,C], p = softmax(z_i), q_i the target distribution
//
//   q_i = (1-s) onehot(t_i) + s/C  (s: label smoothing; soft targets likewise)
//   loss_i = - sum_c w_c q_ic (1-p_ic)^gamma log p_ic  (cross-entropy: gamma = 0)
//   h_ic = w_c q_ic ((1-p_ic)^gamma - gamma (1-p_ic)^(gamma-1) p_ic log p_ic)
//   dz_ic = g_i (p_ic sum_d h_id - h_ic),  g_i = d total / d loss_i
//   total: loss (none), sum_i loss_i (sum), sum_i loss_i / D (mean); D = sum_i w_{t_i} (focal loss:
//   the number) of the targets that are not ignored, N for soft targets, or the denominator given.

/// What cross_entropy() and focal_loss() differ in.
struct LossKind {
  const char* name;
  const char* weights_name;  // of the class weights, in messages
  float gamma;
  bool count_targets;  // the mean divides by their number, not by their weights
};

class LogLossNode final : public Node {
 public:
  LogLossNode(const LossKind& kind, const Tensor& logits, const Tensor& targets,
              const CrossEntropyOptions& options, const Tensor& denominator)
      : kind_(kind),
        smoothing_(options.label_smoothing),
        ignore_index_(options.ignore_index),
        logits_(logits),
        targets_(targets) {
    if (options.class_weights.defined()) class_weights_ = options.class_weights;
    if (denominator.defined()) denominator_ = denominator;
  }
  const char* name() const override { return kind_.name; }

  std::vector<Tensor> backward(const Tensor& dy) override {
    const Tensor logits = logits_.get(name());
    CrossEntropyLoss call;
    call.logits = logits.view();
    call.targets = targets_.get(name()).view();
    if (class_weights_.defined()) call.class_weights = class_weights_.get(name()).view();
    call.label_smoothing = smoothing_;
    call.focal_gamma = kind_.gamma;
    call.ignore_index = ignore_index_;
    const Tensor g = denominator_.defined() ? div(dy, denominator_.get(name())) : dy;
    const Tensor scale = expand(g, {logits.size(0)});
    Tensor dlogits = empty_like(logits);
    const Target target(logits);
    target.run(CrossEntropyBackward{
        .loss = call, .scale = scale.view(), .dlogits = dlogits.mutable_view()});
    return {dlogits};
  }

  void release_saved() override {
    for (SavedTensor* saved : {&logits_, &targets_, &class_weights_, &denominator_}) {
      saved->release();
    }
  }

 private:
  LossKind kind_;
  float smoothing_;
  std::int64_t ignore_index_;
  SavedTensor logits_, targets_, class_weights_, denominator_;
};

/// On a GPU the labels are not read here; its kernel makes the losses of impossible ones NaN.
void check_labels(const char* op, const Tensor& targets, std::int64_t classes,
                  std::int64_t ignore_index, Operands operands) {
  if (!targets.device().is_cpu()) return;
  const auto* label = targets.data<std::int64_t>();
  for (std::int64_t i = 0; i < targets.size(0); ++i) {
    if (label[i] == ignore_index || (label[i] >= 0 && label[i] < classes)) continue;
    throw_value_error(op,
                      fmt::format("target {} of sample {} is not one of the {} classes, counted "
                                  "from 0, and not ignore_index ({})",
                                  label[i], i, classes, ignore_index),
                      operands);
  }
}

void check_log_loss(const LossKind& kind, const Tensor& logits, const Tensor& targets,
                    const CrossEntropyOptions& options) {
  const char* op = kind.name;
  check_f32(op, {{"logits", logits}, {kind.weights_name, options.class_weights, true}});
  check_defined(op, {{"logits", logits}, {"targets", targets}});
  const Operands operands = {
      {"logits", logits}, {"targets", targets}, {kind.weights_name, options.class_weights}};
  if (logits.rank() != 2) throw_shape_error(op, "expected logits [N,C]", operands);
  const std::int64_t samples = logits.size(0);
  const std::int64_t classes = logits.size(1);
  if (targets.dtype() == DType::I64) {
    if (targets.shape() != Shape{samples}) {
      throw_shape_error(op, fmt::format("expected class indices [{}]", samples), operands);
    }
    check_labels(op, targets, classes, options.ignore_index, operands);
  } else if (targets.dtype() == DType::F32) {
    if (targets.shape() != logits.shape()) {
      throw_shape_error(op, "soft targets must have the logits' shape", operands);
    }
  } else {
    throw DTypeError(fmt::format("{}: targets are {}, expected i64 classes or f32 probabilities",
                                 op, name_of(targets.dtype())));
  }
  if (options.class_weights.defined() && options.class_weights.shape() != Shape{classes}) {
    throw_shape_error(op, fmt::format("{} must be [{}]", kind.weights_name, classes), operands);
  }
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1)) {
    throw_value_error(
        op, fmt::format("label_smoothing is {}, expected 0 to 1", options.label_smoothing),
        operands);
  }
  if (!(kind.gamma >= 0 && std::isfinite(kind.gamma))) {
    throw_value_error(op, fmt::format("gamma is {}, expected 0 or above", kind.gamma), operands);
  }
  if (options.denominator && !(*options.denominator > 0)) {
    throw_value_error(op, fmt::format("denominator is {}, expected > 0", *options.denominator),
                      operands);
  }
  if (any_requires_grad({targets, options.class_weights})) {
    throw AutogradError(
        fmt::format("{}: targets and {} get no gradient; detach() them", op, kind.weights_name));
  }
}

Tensor log_loss(const LossKind& kind, const Tensor& input, const Tensor& targets,
                const CrossEntropyOptions& options) {
  const Tensor logits = widened(input);
  check_log_loss(kind, logits, targets, options);

  const std::int64_t samples = logits.size(0);
  Tensor losses = empty_on(logits, {samples});
  Tensor weights = empty_on(logits, {samples});
  CrossEntropyLoss call;
  call.logits = logits.view();
  call.targets = targets.view();
  call.class_weights = view_or_none(options.class_weights);
  call.label_smoothing = options.label_smoothing;
  call.focal_gamma = kind.gamma;
  call.ignore_index = options.ignore_index;
  call.count_targets = kind.count_targets;
  const Target target(logits);
  target.run(CrossEntropy{
      .loss = call, .losses = losses.mutable_view(), .weights = weights.mutable_view()});
  // The denominator stays on the device, which needs no synchronisation.
  Tensor denominator;
  if (options.reduction == Reduction::Mean) {
    denominator = options.denominator
                      ? Tensor::full({}, *options.denominator, {DType::F32, logits.device()})
                      : sum(weights);
  }
  Tensor loss = losses;
  if (options.reduction != Reduction::None) loss = sum(losses);
  if (denominator.defined()) loss = div(loss, denominator);

  if (any_requires_grad({logits})) {
    auto node = std::make_shared<LogLossNode>(kind, logits, targets, options, denominator);
    set_inputs(*node, {logits});
    record(loss, std::move(node));
  }
  return loss;
}

}  // namespace

Tensor softmax(const Tensor& x, int dim) { return softmax(false, x, dim); }
Tensor log_softmax(const Tensor& x, int dim) { return softmax(true, x, dim); }

Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options) {
  const LossKind kind = {
      .name = "cross_entropy", .weights_name = "class_weights", .gamma = 0, .count_targets = false};
  return log_loss(kind, logits, targets, options);
}

Tensor focal_loss(const Tensor& logits, const Tensor& targets, const FocalLossOptions& options) {
  const LossKind kind = {
      .name = "focal_loss", .weights_name = "alpha", .gamma = options.gamma, .count_targets = true};
  return log_loss(kind, logits, targets,
                  {.class_weights = options.alpha,
                   .label_smoothing = options.label_smoothing,
                   .reduction = options.reduction,
                   .ignore_index = options.ignore_index,
                   .denominator = options.denominator});
}

}  // namespace hanok::ops
