// Losses other than those of softmax_loss.cpp, composed of other ops where that loses no precision
// and keeps the gradient right at a kink.
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/ops/common.h"
#include "hanok/kernels/base/error.h"

namespace hanok::ops {

namespace {

void check_same_shape(const char* op, const char* name_a, const Tensor& a, const char* name_b,
                      const Tensor& b) {
  check_f32(op, {{name_a, a}, {name_b, b}});
  if (a.shape() != b.shape()) {
    throw_shape_error(op, "both must have the same shape", {{name_a, a}, {name_b, b}});
  }
}

Tensor reduced(const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::Mean:
      return mean(losses);
    case Reduction::Sum:
      return sum(losses);
    case Reduction::None:
      break;
  }
  return losses;
}

// ---- binary cross-entropy of logits x against t in [0,1] ----
//
//   loss = -t log s - (1-t) log(1-s), s = sigmoid(x)
//        = max(x,0) - x t + log(1 + exp(-|x|))          (no overflow, no log of 0)
//   dx = g (s - t),  dt = -g x
// One node: the composition's derivative at x = 0 would lack the 1/2 that |x| and max(x,0) share.

class BceNode final : public Node {
 public:
  const char* name() const override { return "bce_with_logits"; }
  void save(const Tensor& x, const Tensor& t) {
    x_ = x;
    if (needs(0)) t_ = t;
  }
  std::vector<Tensor> backward(const Tensor& g) override {
    const Tensor x = x_.get(name());
    Tensor dx, dt;
    if (needs(0)) dx = mul(g, sub(sigmoid(x), t_.get(name())));
    if (needs(1)) dt = neg(mul(g, x));
    return {dx, dt};
  }
  void release_saved() override {
    x_.release();
    t_.release();
  }

 private:
  SavedTensor x_, t_;
};

}  // namespace

Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  const Tensor x = widened(input);
  check_same_shape("mse_loss", "input", x, "target", target);
  return reduced(square(sub(x, target)), reduction);
}

Tensor l1_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  const Tensor x = widened(input);
  check_same_shape("l1_loss", "input", x, "target", target);
  return reduced(abs(sub(x, target)), reduction);
}

Tensor bce_with_logits(const Tensor& input, const Tensor& targets, Reduction reduction) {
  const Tensor logits = widened(input);
  check_same_shape("bce_with_logits", "logits", logits, "targets", targets);
  Tensor losses;
  {
    const NoGrad no_grad;
    const Tensor softplus = log(affine(exp(neg(abs(logits))), 1, 1));
    losses = add(sub(relu(logits), mul(logits, targets)), softplus);
  }
  if (any_requires_grad({logits, targets})) {
    auto node = std::make_shared<BceNode>();
    set_inputs(*node, {logits, targets});
    node->save(logits, targets);
    record(losses, std::move(node));
  }
  return reduced(losses, reduction);
}

// sum over classes of q (log q - log p): the first term does not depend on p, and q log q -> 0 for
// q -> 0, which the clamp gives (0 times a finite logarithm).
Tensor kl_div(const Tensor& log_probabilities, const Tensor& targets, Reduction reduction) {
  const char* op = "kl_div";
  check_same_shape(op, "log_probabilities", log_probabilities, "targets", targets);
  if (log_probabilities.rank() != 2) {
    throw_shape_error(op, "expected log-probabilities [N,C]",
                      {{"log_probabilities", log_probabilities}});
  }
  if (any_requires_grad({targets})) {
    throw AutogradError("kl_div: targets get no gradient; detach() them");
  }
  constexpr float kTiny = 1e-37F;
  constexpr float kHuge = 3e38F;
  const Tensor log_targets = log(clamp(targets, kTiny, kHuge));
  const Tensor losses = sum(mul(targets, sub(log_targets, log_probabilities)), {1});
  return reduced(losses, reduction);
}

}  // namespace hanok::ops
