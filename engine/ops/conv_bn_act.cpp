// Convolution, batch norm, residual and activation as one op.
#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/ops/common.h"
#include "hanok/engine/ops/conv2d.h"
#include "hanok/engine/ops/norm.h"
#include "hanok/engine/ops/norm_recomputation.h"
#include "hanok/engine/storage.h"

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
//     residual: without one y > 0 is recomputed from z, and so is y for the next op's gradients, so
//     that y is not kept. Where z is kept in bf16 (norm.h), a y with a residual is recomputed, too.
//   running statistics, gamma trained: the same two passes; dgamma needs z.
//   running statistics otherwise: batch norm is a scale and a shift of the convolution's epilogue,
//     z is never stored. dz = scale g needs only y.

class ConvBnActNode final : public Node {
 public:
  enum Input : std::size_t { kX, kWeight, kBias, kGamma, kBeta, kResidual };

  ConvBnActNode(Activation activation, bool frozen) : activation_(activation), frozen_(frozen) {}
  const char* name() const override { return "conv_bn_act"; }
  std::size_t adds_gradient_of() const override { return kX; }

  bool needs_conv() const { return needs(kX) || needs(kWeight) || needs(kBias); }

  /// z is undefined where batch norm was folded.
  void save(const Tensor& x, const Tensor& weight, const Conv2dShape& shape, const Tensor& z,
            const Tensor& y, const NormStatistics& statistics, const BatchNormState& bn,
            bool with_residual) {
    conv_.save(*this, x, weight, shape);
    whole_ = statistics.whole;
    if (z.defined()) z_ = z;
    if (z.defined()) mean_ = statistics.mean;
    const bool gated = activation_ == Activation::Relu;
    const bool gate_from_z = gated && z.defined() && !with_residual;
    if (gated && !gate_from_z) y_ = y;
    if (gate_from_z) beta_ = bn.bias;
    invstd_ = statistics.invstd;
    if (needs_conv() || gate_from_z) gamma_ = bn.weight;
  }

  void keep(std::shared_ptr<Recomputation> recomputation) {
    recomputation_ = std::move(recomputation);
  }

  std::vector<Tensor> backward(const Tensor& dy) override {
    recomputation_.reset();  // y's readers have run; one that has not holds the recomputation, too
    Tensor z = z_.take(name());
    Tensor y = y_.take(name());
    const auto saved = [&](const SavedTensor& tensor) {
      return tensor.defined() ? tensor.get(name()).view() : ConstView{};
    };
    const Shape channels{conv_.shape().k};
    Tensor dz, dgamma, dbeta, dresidual;
    BatchNormBackward call;
    call.x = view_or_none(z);
    call.y = view_or_none(y);
    call.dy = dy.view();
    call.mean = saved(mean_);
    call.invstd = saved(invstd_);
    call.gamma = saved(gamma_);
    call.beta = saved(beta_);
    call.activation = activation_;
    call.frozen_statistics = frozen_;
    if (needs(kResidual)) call.dresidual = (dresidual = empty_over({&dy})).mutable_view();
    if (needs_conv()) call.dx = (dz = empty_over({&dy, &z, &y})).mutable_view();
    if (needs(kGamma)) call.dgamma = (dgamma = empty_on(dy, channels)).mutable_view();
    if (needs(kBeta)) call.dbeta = (dbeta = empty_on(dy, channels)).mutable_view();
    run_backward(Target(dy), call, whole_);
    z = y = Tensor();  // makes room for the convolution's gradients

    std::vector<Tensor> gradients(3);
    if (needs_conv()) gradients = conv_.run(*this, dz);
    gradients.insert(gradients.end(), {dgamma, dbeta, dresidual});
    return gradients;
  }

  void release_saved() override {
    for (SavedTensor* saved : {&z_, &y_, &mean_, &invstd_, &gamma_, &beta_}) saved->release();
    recomputation_.reset();
    whole_.reset();
    conv_.release();
  }

 private:
  Activation activation_;
  bool frozen_;
  std::shared_ptr<WholeBatchNorm> whole_;
  Conv2dBackward conv_;
  SavedTensor z_, y_, mean_, invstd_, gamma_, beta_;
  std::shared_ptr<Recomputation> recomputation_;  // of y
};

}  // namespace

Tensor conv_bn_act(const Tensor& input, const Conv2dArguments& conv, const BatchNormState& bn,
                   const Tensor& shortcut, Activation activation) {
  const char* op = "conv_bn_act";
  const Tensor x = in_compute_type(op, input);
  const Tensor residual = in_compute_type(op, shortcut);
  const Conv2dShape shape = check_conv2d(op, x, conv);
  const std::int64_t rows = shape.n * shape.p() * shape.q();
  check_batch_norm(op, x, shape.k, rows, bn);
  check_activations(op, {{"input", x}, {"residual", residual, true}});
  if (residual.defined() && residual.shape() != shape.output_shape()) {
    throw_shape_error(
        op, "residual must have the convolution's shape " + shape.output_shape().to_string(),
        {{"input", x}, {"weight", conv.weight}, {"residual", residual}});
  }

  const Tensor weight = weight_in_compute_type(conv.weight);
  const bool trained = any_requires_grad({conv.weight});
  const std::vector<Tensor> inputs = {x, conv.weight, conv.bias, bn.weight, bn.bias, residual};
  const bool recorded = any_requires_grad(inputs);
  const bool from_batch = uses_batch_statistics(bn);
  const bool folded = !from_batch && !any_requires_grad({bn.weight});
  const Target target(x);
  // In an epilogue, or a clamp afterwards.
  if (activation == Activation::Relu6 && (recorded || !folded || !target.backend.fuses_relu6())) {
    return clamp(conv_bn_act(x, conv, bn, residual, Activation::None), 0, 6);
  }

  Epilogue epilogue;
  Tensor mean_var = from_batch ? empty_on(x, {2, shape.k}) : Tensor();
  const FoldedNorm norm = folded ? folded_norm(bn, conv.bias) : FoldedNorm{};
  if (folded) {
    epilogue.scale = norm.scale.view();
    epilogue.shift = norm.shift.view();
    epilogue.residual = view_or_none(residual);
    epilogue.activation = activation;
  } else {
    epilogue.shift = view_or_none(conv.bias);
    if (from_batch) epilogue.bn_mean_var = mean_var.mutable_view();
  }
  const bool in_bf16 = recorded && from_batch && keeps_bf16(x);
  const Tensor convolved = in_bf16 ? conv2d_in_bf16(x, weight, trained, shape, epilogue)
                                   : conv2d_with_epilogue(x, weight, trained, shape, epilogue);

  NormStatistics statistics;
  Tensor z, y;
  // With a residual y costs a pass to recompute, so that it is kept where memory is not short.
  const bool recomputed =
      recorded && !folded &&
      (!residual.defined() ||
       (in_bf16 && NormRecomputation::chain_length(residual) <= NormRecomputation::kLongest));
  if (folded) {
    if (recorded) statistics = running_statistics(bn);
    y = convolved;
  } else {
    z = convolved;
    statistics = from_batch ? batch_statistics(mean_var, rows, bn) : running_statistics(bn);
    const ShortLived passing(recomputed);
    y = recorded ? empty_on(x, z.shape(), x.dtype()) : z;
    apply_batch_norm(z, statistics, bn, residual, activation, y);
  }

  if (recorded) {
    auto node = std::make_shared<ConvBnActNode>(activation, !from_batch);
    set_inputs(*node, inputs);
    record(y, node);
    if (recomputed) {
      auto recomputation =
          std::make_shared<NormRecomputation>(z, statistics, bn, residual, y.dtype(), activation);
      Recomputation::attach(y, recomputation);
      node->keep(std::move(recomputation));
    }
    node->save(x, weight, shape, z, y, statistics, bn, residual.defined());
  }
  return y;
}

}  // namespace hanok::ops
