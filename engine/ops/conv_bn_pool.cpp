// Convolution, batch norm, ReLU and max pooling as one op: the stem of a network.
#include <algorithm>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/ops/common.h"
#include "hanok/engine/ops/conv2d.h"
#include "hanok/engine/ops/norm.h"
#include "hanok/engine/ops/pool.h"

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
// In Precision::Int16 both z and y are kept in bf16. dz, four times as large as dy, is then made
// for a few images at a time, and so is dw.

/// y, all of whose values are those of a tensor of bf16.
class WidenedRecomputation final : public Recomputation {
 public:
  explicit WidenedRecomputation(const Tensor& kept) : kept_(kept) {}

 protected:
  Tensor make(const char* op) const override { return kept_.get(op).to(DType::F32); }

 private:
  SavedTensor kept_;
};

class ConvBnPoolNode final : public Node {
 public:
  enum Input : std::size_t { kX, kWeight, kBias, kGamma, kBeta };

  ConvBnPoolNode(const Pool2dShape& pool, bool frozen) : pool_(pool), frozen_(frozen) {}
  const char* name() const override { return "conv_bn_relu_max_pool2d"; }

  void save(const Tensor& x, const Tensor& weight, const Conv2dShape& shape, const Tensor& z,
            const Tensor& indices, const NormStatistics& statistics, const Tensor& gamma) {
    conv_.save(*this, x, weight, shape);
    z_ = z;
    indices_ = indices;
    mean_ = statistics.mean;
    invstd_ = statistics.invstd;
    if (needs_conv()) gamma_ = gamma;
  }

  void keep(std::shared_ptr<Recomputation> recomputation) {
    recomputation_ = std::move(recomputation);
  }

  std::vector<Tensor> backward(const Tensor& dy) override {
    recomputation_.reset();  // y's readers have run; one that has not holds the recomputation, too
    Tensor z = z_.take(name());
    const Tensor indices = indices_.take(name());
    const Tensor gamma = gamma_.get(name());
    const Shape channels{pool_.c};
    Tensor dz, dgamma, dbeta;
    BatchNormBackward call;
    call.x = z.view();
    call.dy = dy.view();
    call.mean = mean_.get(name()).view();
    call.invstd = invstd_.get(name()).view();
    call.gamma = view_or_none(gamma);
    call.activation = Activation::Relu;
    call.frozen_statistics = frozen_;
    const bool in_parts = makes_parts(z);
    if (needs_conv() && !in_parts) {
      dz = z.dtype() == dy.dtype() ? empty_over({&z}) : empty_on(z, z.shape(), dy.dtype());
      call.dx = dz.mutable_view();
    }
    if (needs(kGamma) || in_parts) call.dgamma = (dgamma = empty_on(dy, channels)).mutable_view();
    if (needs(kBeta) || in_parts) call.dbeta = (dbeta = empty_on(dy, channels)).mutable_view();
    const Target target(dy);
    target.run(BatchNormMaxPoolBackward{.norm = call, .pool = pool_, .indices = indices.view()});

    std::vector<Tensor> gradients(3);
    if (in_parts) {
      call.dgamma = call.dbeta = View();
      gradients[1] = weight_gradient_in_parts(
          {.norm = call,
           .pool = pool_,
           .indices = indices.view(),
           .batch = {.images = pool_.n, .dgamma = dgamma.view(), .dbeta = dbeta.view()}},
          z);
      if (!needs(kGamma)) dgamma = Tensor();
      if (!needs(kBeta)) dbeta = Tensor();
    } else if (needs_conv()) {
      z = Tensor();  // makes room for the convolution's gradients
      gradients = conv_.run(*this, dz);
    }
    gradients.insert(gradients.end(), {dgamma, dbeta});
    return gradients;
  }

  void release_saved() override {
    for (SavedTensor* saved : {&z_, &indices_, &mean_, &invstd_, &gamma_}) saved->release();
    recomputation_.reset();
    conv_.release();
  }

 private:
  static constexpr std::int64_t kParts = 4;

  bool makes_parts(const Tensor& z) const {
    return z.dtype() == DType::BF16 && needs(kWeight) && !needs(kX) && !needs(kBias) && !frozen_ &&
           pool_.n >= 2 * kParts;
  }

  /// dw, from a dz of a quarter of the images at a time.
  Tensor weight_gradient_in_parts(const BatchNormMaxPoolBackward& whole, const Tensor& z) const {
    const std::int64_t images = (pool_.n + kParts - 1) / kParts;
    const Target target(z);
    Tensor sum;
    for (std::int64_t first = 0; first < pool_.n; first += images) {
      BatchNormMaxPoolBackward part = whole;
      part.pool.n = std::min(images, pool_.n - first);
      part.norm.x = images_of(whole.norm.x, first, part.pool.n);
      part.norm.dy = images_of(whole.norm.dy, first, part.pool.n);
      part.indices = images_of(whole.indices, first, part.pool.n);
      Tensor dz = empty_on(z, part.norm.x.shape);
      part.norm.dx = dz.mutable_view();
      target.run(part);
      const Tensor dw = conv_.weight_gradient(*this, dz, first);
      if (sum.defined()) {
        target.run(AddScaled{.alpha = 1, .x = dw.view(), .y = sum.mutable_view()});
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
  SavedTensor z_, indices_, mean_, invstd_, gamma_;
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
  // A folded batch norm is part of the convolution, so fusing the pooling would save no tensor.
  if (folded || !target.backend.fuses_batch_norm_max_pool()) {
    return max_pool2d(conv_bn_act(x, conv, bn), kernel_h, kernel_w, window);
  }

  const Tensor weight = weight_in_compute_type(conv.weight);
  Tensor mean_var = from_batch ? empty_on(x, {2, shape.k}) : Tensor();
  Epilogue epilogue;
  epilogue.shift = view_or_none(conv.bias);
  if (from_batch) epilogue.bn_mean_var = mean_var.mutable_view();
  const bool trained = any_requires_grad({conv.weight});
  const bool in_bf16 = recorded && from_batch && keeps_bf16(x);
  const Tensor z = in_bf16 ? conv2d_in_bf16(x, weight, trained, shape, epilogue)
                           : conv2d_with_epilogue(x, weight, trained, shape, epilogue);
  const NormStatistics statistics =
      from_batch ? batch_statistics(mean_var, rows, bn) : running_statistics(bn);
  Tensor y = empty_on(x, pool.output_shape(), x.dtype());
  Tensor indices = recorded ? empty_on(x, y.shape(), DType::U8) : Tensor();
  BatchNormApply apply = batch_norm_of(z, statistics, bn);
  apply.activation = Activation::Relu;
  apply.y = y.mutable_view();
  Tensor kept = in_bf16 ? empty_on(x, y.shape(), DType::BF16) : Tensor();
  target.run(BatchNormMaxPool{.norm = apply,
                              .pool = pool,
                              .indices = recorded ? indices.mutable_view() : View{},
                              .kept = in_bf16 ? kept.mutable_view() : View{}});
  if (recorded) {
    auto node = std::make_shared<ConvBnPoolNode>(pool, !from_batch);
    set_inputs(*node, inputs);
    node->save(x, weight, shape, z, indices, statistics, bn.weight);
    record(y, node);
    if (in_bf16) {
      auto recomputation = std::make_shared<WidenedRecomputation>(kept);
      Recomputation::attach(y, recomputation);
      node->keep(std::move(recomputation));
    }
  }
  return y;
}

}  // namespace hanok::ops
