// Convolution, batch norm, residual and activation as one op.
#include "engine/autograd.h"
#include "engine/ops.h"
#include "engine/ops/common.h"
#include "engine/ops/conv2d.h"
#include "engine/ops/norm.h"

namespace hanok::ops {

namespace {

// z = conv2d(x, weight) + bias
// y = activation(gamma (z - mean) invstd + beta + residual)
//
// Backward, with g = dy where y > 0 (relu), else 0 (no activation: g = dy):
//   dresidual = g;  dbeta, dgamma and dz from g as batch_norm's (norm.cpp);
//   dx, dweight, dbias from dz as conv2d's (conv2d.h).
//
// Three ways forward, by what the backward pass will read:
//   batch statistics: the convolution's epilogue gives mean and variance of z, a second pass
//     writes y - over z itself if nothing is recorded. dz needs z, and y too if there is a
//     residual: without one y > 0 is computed again from z, and y need not be kept.
//   running statistics, gamma trained: the same two passes; dgamma needs z.
//   running statistics otherwise: batch norm is a scale and a shift of the convolution's epilogue,
//     z never exists. dz = scale g needs only y.

class ConvBnActNode final : public Node {
 public:
  enum Input : std::size_t { kX, kWeight, kBias, kGamma, kBeta, kResidual };

  ConvBnActNode(Activation activation, bool frozen) : activation_(activation), frozen_(frozen) {}
  const char* name() const override { return "conv_bn_act"; }

  bool needs_conv() const { return needs(kX) || needs(kWeight) || needs(kBias); }

  /// z is undefined where batch norm was folded.
  void save(const Tensor& x, const Tensor& weight, const Conv2dShape& shape, const Tensor& z,
            const Tensor& y, const NormStatistics& statistics, const BatchNormState& bn,
            bool with_residual) {
    conv_.save(*this, x, weight, shape);
    if (z.defined()) z_ = z;
    if (z.defined()) mean_ = statistics.mean;
    const bool gated = activation_ == Activation::Relu;
    const bool gate_from_z = gated && z.defined() && !with_residual;
    if (gated && !gate_from_z) y_ = y;
    if (gate_from_z) beta_ = bn.bias;
    invstd_ = statistics.invstd;
    if (needs_conv() || gate_from_z) gamma_ = bn.weight;
  }

  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto saved = [&](const SavedTensor& tensor) {
      return tensor.defined() ? tensor.get(name()).view() : ConstView{};
    };
    const Shape channels{conv_.shape().k};
    Tensor dz, dgamma, dbeta, dresidual;
    BatchNormBackward call;
    call.x = saved(z_);
    call.y = saved(y_);
    call.dy = dy.view();
    call.mean = saved(mean_);
    call.invstd = saved(invstd_);
    call.gamma = saved(gamma_);
    call.beta = saved(beta_);
    call.activation = activation_;
    call.frozen_statistics = frozen_;
    if (needs_conv()) {
      // Nobody else reads dy, or a buffer of its own.
      dz = is_owned_alone(dy) ? dy : empty_like(dy);
      call.dx = dz.mutable_view();
    }
    if (needs(kGamma)) call.dgamma = (dgamma = empty_on(dy, channels)).mutable_view();
    if (needs(kBeta)) call.dbeta = (dbeta = empty_on(dy, channels)).mutable_view();
    if (needs(kResidual)) call.dresidual = (dresidual = empty_like(dy)).mutable_view();
    const Target target(dy);
    target.backend.batch_norm_backward(target.context, call);
    release_norm();  // makes room for the convolution's gradients

    std::vector<Tensor> gradients(3);
    if (needs_conv()) gradients = conv_.run(*this, dz);
    gradients.insert(gradients.end(), {dgamma, dbeta, dresidual});
    return gradients;
  }

  void release_saved() override {
    release_norm();
    conv_.release();
  }

 private:
  void release_norm() {
    for (SavedTensor* saved : {&z_, &y_, &mean_, &invstd_, &gamma_, &beta_}) saved->release();
  }

  Activation activation_;
  bool frozen_;
  Conv2dBackward conv_;
  SavedTensor z_, y_, mean_, invstd_, gamma_, beta_;
};

/// gamma invstd and beta + (bias - mean) gamma invstd: batch norm as a scale and a shift.
struct FoldedNorm {
  Tensor scale, shift;
};
FoldedNorm fold(const NormStatistics& statistics, const BatchNormState& bn, const Tensor& bias) {
  const NoGrad no_grad;
  const Tensor scale = bn.weight.defined() ? mul(statistics.invstd, bn.weight) : statistics.invstd;
  const Tensor centre = bias.defined() ? sub(bias, statistics.mean) : neg(statistics.mean);
  const Tensor shift = mul(centre, scale);
  return {scale, bn.bias.defined() ? add(shift, bn.bias) : shift};
}

}  // namespace

Tensor conv_bn_act(const Tensor& x, const Conv2dArguments& conv, const BatchNormState& bn,
                   const Tensor& residual, Activation activation) {
  const char* op = "conv_bn_act";
  const Conv2dShape shape = check_conv2d(op, x, conv);
  const std::int64_t rows = shape.n * shape.p() * shape.q();
  check_batch_norm(op, x, shape.k, rows, bn);
  check_f32(op, {{"input", x}, {"residual", residual, true}});
  if (residual.defined() && residual.shape() != shape.output_shape()) {
    throw_shape_error(
        op, "residual must have the convolution's shape " + shape.output_shape().to_string(),
        {{"input", x}, {"weight", conv.weight}, {"residual", residual}});
  }

  const std::vector<Tensor> inputs = {x, conv.weight, conv.bias, bn.weight, bn.bias, residual};
  const bool recorded = any_requires_grad(inputs);
  const bool from_batch = uses_batch_statistics(bn);
  const bool folded = !from_batch && !any_requires_grad({bn.weight});
  const Target target(x);
  // In an epilogue, or a clamp afterwards.
  if (activation == Activation::Relu6 && (recorded || !folded || !target.backend.fuses_relu6())) {
    return clamp(conv_bn_act(x, conv, bn, residual, Activation::None), 0, 6);
  }

  NormStatistics statistics;
  Tensor z, y;
  Epilogue epilogue;
  if (folded) {
    statistics = running_statistics(bn);
    const FoldedNorm norm = fold(statistics, bn, conv.bias);
    epilogue.scale = norm.scale.view();
    epilogue.shift = norm.shift.view();
    epilogue.residual = view_or_none(residual);
    epilogue.activation = activation;
    y = conv2d_with_epilogue(x, conv.weight, shape, epilogue);
  } else {
    Tensor mean_var = from_batch ? empty_on(x, {2, shape.k}) : Tensor();
    epilogue.shift = view_or_none(conv.bias);
    if (from_batch) epilogue.bn_mean_var = mean_var.mutable_view();
    z = conv2d_with_epilogue(x, conv.weight, shape, epilogue);
    statistics = from_batch ? batch_statistics(mean_var, rows, bn) : running_statistics(bn);
    y = recorded ? empty_like(z) : z;
    BatchNormApply apply;
    apply.x = z.view();
    apply.mean = statistics.mean.view();
    apply.invstd = statistics.invstd.view();
    apply.gamma = view_or_none(bn.weight);
    apply.beta = view_or_none(bn.bias);
    apply.residual = view_or_none(residual);
    apply.activation = activation;
    apply.y = y.mutable_view();
    target.backend.batch_norm_apply(target.context, apply);
  }

  if (recorded) {
    auto node = std::make_shared<ConvBnActNode>(activation, !from_batch);
    set_inputs(*node, inputs);
    node->save(x, conv.weight, shape, z, y, statistics, bn, residual.defined());
    record(y, std::move(node));
  }
  return y;
}

}  // namespace hanok::ops
