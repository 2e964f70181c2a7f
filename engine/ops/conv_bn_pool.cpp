// Convolution, batch norm, ReLU and max pooling as one op: the stem of a network.
#include <algorithm>

#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/ops/common.h"
#include "hanok/engine/ops/conv2d.h"
#include "hanok/engine/ops/norm.h"
#include "hanok/engine/ops/norm_recomputation.h"
#include "hanok/engine/ops/pool.h"
#include "hanok/engine/virtual_batch.h"

namespace hanok::ops {

namespace {

// z = conv2d(x, weight) + bias
// y = max over each window of relu(gamma (z - mean) invstd + beta)
//
// Backward, with g = sum of dy over the windows whose maximum a pixel is and passed ReLU:
//   dbeta, dgamma and dz from g as batch_norm's (norm.cpp); dx, dweight, dbias from dz as conv2d's.
// Kept of z's size is z alone, and dz is written over it if it has z's type. Of the windows one
// byte is kept: the number of the tap that is the maximum, or that there is none.
//
// In Precision::Int16 z is rounded to bf16, and of it only each window's maximum is kept, a quarter
// of z: y, dbeta and dgamma follow from those. For dz, which reads all of z, the convolution runs
// again, for a few images at a time: so neither z nor dz is ever whole in the backward pass.

class ConvBnPoolNode final : public Node {
 public:
  enum Input : std::size_t { kX, kWeight, kBias, kGamma, kBeta };

  ConvBnPoolNode(const Pool2dShape& pool, bool frozen) : pool_(pool), frozen_(frozen) {}
  const char* name() const override { return "conv_bn_relu_max_pool2d"; }

  void save(const Tensor& x, const Tensor& weight, const Conv2dShape& shape, const Tensor& indices,
            const NormStatistics& statistics, const BatchNormState& bn) {
    conv_.save(*this, x, weight, shape);
    indices_ = indices;
    mean_ = statistics.mean;
    invstd_ = statistics.invstd;
    gamma_ = bn.weight;
    beta_ = bn.bias;
  }

  void keep(const Tensor& z) { z_ = z; }

  /// z of the windows' maxima, from which `y` recomputes the op's output; what the convolution
  /// reads, to compute the rest of z again.
  void keep_maxima(const Tensor& maxima, std::shared_ptr<Recomputation> y, const Tensor& x,
                   const Conv2dArguments& conv) {
    maxima_ = maxima;
    recomputation_ = std::move(y);
    if (!needs_conv()) return;
    x_ = x;
    weight_ = conv.weight;
    bias_ = conv.bias;
  }

  std::vector<Tensor> backward(const Tensor& dy) override {
    recomputation_.reset();  // y's readers have run; one that has not holds the recomputation, too
    return maxima_.defined() ? backward_from_maxima(dy) : backward_from_z(dy);
  }

  void release_saved() override {
    for (SavedTensor* saved :
         {&z_, &maxima_, &x_, &weight_, &bias_, &indices_, &mean_, &invstd_, &gamma_, &beta_}) {
      saved->release();
    }
    recomputation_.reset();
    conv_.release();
  }

 private:
  static constexpr std::int64_t kParts = 4;

  std::vector<Tensor> backward_from_z(const Tensor& dy) {
    Tensor z = z_.take(name());
    const Tensor indices = indices_.get(name());
    Tensor dz, dgamma, dbeta;
    BatchNormBackward call = norm_of(dy);
    call.x = z.view();
    if (needs_conv()) call.dx = (dz = empty_over({&z})).mutable_view();
    if (needs(kGamma)) call.dgamma = (dgamma = empty_on(dy, {pool_.c})).mutable_view();
    if (needs(kBeta)) call.dbeta = (dbeta = empty_on(dy, {pool_.c})).mutable_view();
    const Target target(dy);
    target.run(BatchNormMaxPoolBackward{.norm = call, .pool = pool_, .indices = indices.view()});
    z = Tensor();  // makes room for the convolution's gradients
    std::vector<Tensor> gradients(3);
    if (needs_conv()) gradients = conv_.run(*this, dz);
    gradients.insert(gradients.end(), {dgamma, dbeta});
    return gradients;
  }

  std::vector<Tensor> backward_from_maxima(const Tensor& dy) {
    Tensor maxima = maxima_.take(name());
    const Tensor beta = beta_.get(name());
    Tensor dgamma = empty_on(dy, {pool_.c});
    Tensor dbeta = empty_on(dy, {pool_.c});
    BatchNormBackward sums = norm_of(dy);
    sums.x = maxima.view();
    sums.beta = view_or_none(beta);
    sums.dgamma = dgamma.mutable_view();
    sums.dbeta = dbeta.mutable_view();
    const Target target(dy);
    target.run(sums);
    maxima = Tensor();

    std::vector<Tensor> gradients(3);
    if (needs_conv()) {
      const auto dz_of = [&](std::int64_t first, std::int64_t count) {
        return dz_of_images(dy, {pool_.n, dgamma.view(), dbeta.view()}, first, count);
      };
      if (makes_parts()) {
        gradients[kWeight] = weight_gradient_in_parts(dz_of);
      } else {
        gradients = conv_.run(*this, dz_of(0, pool_.n));
      }
    }
    if (!needs(kGamma)) dgamma = Tensor();
    if (!needs(kBeta)) dbeta = Tensor();
    gradients.insert(gradients.end(), {dgamma, dbeta});
    return gradients;
  }

  /// What the two ways have in common; the tensors are held by the node.
  BatchNormBackward norm_of(const Tensor& dy) const {
    BatchNormBackward call;
    call.dy = dy.view();
    call.mean = mean_.get(name()).view();
    call.invstd = invstd_.get(name()).view();
    call.gamma = view_or_none(gamma_.get(name()));
    call.activation = Activation::Relu;
    call.frozen_statistics = frozen_;
    return call;
  }

  /// dz of `count` images, of which z is computed again as in the forward pass.
  Tensor dz_of_images(const Tensor& dy, const BatchNormMaxPoolBackward::Batch& batch,
                      std::int64_t first, std::int64_t count) const {
    const Tensor weight = weight_.get(name());
    const Tensor bias = bias_.get(name());
    const Tensor indices = indices_.get(name());
    Epilogue epilogue;
    epilogue.shift = view_or_none(bias);
    const Tensor z = conv2d_in_bf16(x_.get(name()), weight, needs(kWeight), conv_.shape(), epilogue,
                                    {.first = first, .count = count});
    Tensor dz = empty_on(dy, z.shape());
    BatchNormMaxPoolBackward part{
        .norm = norm_of(dy), .pool = pool_, .indices = {}, .batch = batch};
    part.pool.n = count;
    part.norm.x = z.view();
    part.norm.dy = images_of(part.norm.dy, first, count);
    part.norm.dx = dz.mutable_view();
    part.indices = images_of(indices.view(), first, count);
    const Target target(dy);
    target.run(part);
    return dz;
  }

  bool makes_parts() const {
    return needs(kWeight) && !needs(kX) && !needs(kBias) && pool_.n >= 2 * kParts;
  }

  /// dw, from a dz of a quarter of the images at a time.
  template <typename DzOf>
  Tensor weight_gradient_in_parts(const DzOf& dz_of) const {
    const std::int64_t images = (pool_.n + kParts - 1) / kParts;
    Tensor sum;
    for (std::int64_t first = 0; first < pool_.n; first += images) {
      const Tensor dz = dz_of(first, std::min(images, pool_.n - first));
      const Tensor dw = conv_.weight_gradient(*this, dz, first);
      if (sum.defined()) {
        run_on(sum.device(), AddScaled{.alpha = 1, .x = dw.view(), .y = sum.mutable_view()});
      } else {
        sum = dw;
      }
    }
    return sum;
  }

  bool needs_conv() const { return needs(kX) || needs(kWeight) || needs(kBias); }

  Pool2dShape pool_;
  bool frozen_;
  Conv2dBackward conv_;
  SavedTensor z_;  // or, in Precision::Int16:
  SavedTensor maxima_, x_, weight_, bias_;
  SavedTensor indices_, mean_, invstd_, gamma_, beta_;
  std::shared_ptr<Recomputation> recomputation_;  // of y
};

}  // namespace

Tensor conv_bn_relu_max_pool2d(const Tensor& input, const Conv2dArguments& conv,
                               const BatchNormState& bn, std::int64_t kernel_h,
                               std::int64_t kernel_w, const Window2d& window) {
  const char* op = "conv_bn_relu_max_pool2d";
  const Tensor x = in_compute_type(op, input);
  const Conv2dShape shape = check_conv2d(op, x, conv);
  const std::int64_t rows = shape.n * shape.p() * shape.q();
  check_batch_norm(op, x, shape.k, rows, bn);
  const Operands operands = {{"input", x}, {"weight", conv.weight}};
  const Pool2dShape pool = check_pool_window(op, shape.output_shape(), kernel_h, kernel_w, window,
                                             PoolSize::Floor, operands);
  check_max_pool_taps(op, kernel_h, kernel_w, operands);

  const std::vector<Tensor> inputs = {x, conv.weight, conv.bias, bn.weight, bn.bias};
  const bool recorded = any_requires_grad(inputs);
  const bool from_batch = uses_batch_statistics(bn);
  const bool folded = !from_batch && !any_requires_grad({bn.weight});
  const Target target(x);
  const bool in_bf16 = recorded && from_batch && keeps_bf16(x);
  // A dilated window may lie in the padding, so that no z is its maximum.
  const bool dilated = window.dilation_h > 1 || window.dilation_w > 1;
  // A folded batch norm is part of the convolution, so fusing the pooling would save no tensor. And
  // the parts of a virtual batch are combined within a batch norm.
  if (folded || is_part_of_batch() || !target.backend.fuses_batch_norm_max_pool() ||
      (in_bf16 && dilated)) {
    return max_pool2d(conv_bn_act(x, conv, bn), kernel_h, kernel_w, window);
  }

  const Tensor weight = weight_in_compute_type(conv.weight);
  Tensor mean_var = from_batch ? empty_on(x, {2, shape.k}) : Tensor();
  Epilogue epilogue;
  epilogue.shift = view_or_none(conv.bias);
  if (from_batch) epilogue.bn_mean_var = mean_var.mutable_view();
  const bool trained = any_requires_grad({conv.weight});
  Tensor maxima = in_bf16 ? empty_on(x, pool.output_shape(), DType::BF16) : Tensor();
  Tensor indices = recorded ? empty_on(x, pool.output_shape(), DType::U8) : Tensor();
  const ShortLived passing(in_bf16);  // z and y
  Tensor z = in_bf16 ? conv2d_in_bf16(x, weight, trained, shape, epilogue)
                     : conv2d_with_epilogue(x, weight, trained, shape, epilogue);
  const NormStatistics statistics =
      from_batch ? batch_statistics(mean_var, rows, bn) : running_statistics(bn);
  Tensor y = empty_on(x, pool.output_shape(), x.dtype());
  BatchNormApply apply = batch_norm_of(z, statistics, bn);
  apply.activation = Activation::Relu;
  apply.y = y.mutable_view();
  target.run(BatchNormMaxPool{.norm = apply,
                              .pool = pool,
                              .indices = recorded ? indices.mutable_view() : View{},
                              .chosen = in_bf16 ? maxima.mutable_view() : View{}});
  if (recorded) {
    auto node = std::make_shared<ConvBnPoolNode>(pool, !from_batch);
    set_inputs(*node, inputs);
    node->save(x, weight, shape, indices, statistics, bn);
    record(y, node);
    if (in_bf16) {
      auto recomputation = std::make_shared<NormRecomputation>(maxima, statistics, bn, Tensor(),
                                                               y.dtype(), Activation::Relu);
      Recomputation::attach(y, recomputation);
      node->keep_maxima(maxima, std::move(recomputation), x, conv);
    } else {
      node->keep(z);
    }
  }
  return y;
}

}  // namespace hanok::ops
