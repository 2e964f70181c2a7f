// Norms whose statistics belong to one sample: layer norm and group norm.
#include <fmt/format.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/ops/common.h"

namespace hanok::ops {

namespace {

// xhat = (x - mean) invstd, invstd = 1 / sqrt(var + epsilon), with mean and (biased) var over some
// dimensions. With g the gradient of xhat and means over the same dimensions:
//   dx = invstd (g - mean(g) - xhat mean(g xhat))
// Scale and shift are plain mul and add afterwards.

class StandardizeNode final : public Node {
 public:
  StandardizeNode(const char* name, std::uint32_t dims, const Tensor& xhat, const Tensor& invstd)
      : name_(name), dims_(dims), xhat_(xhat), invstd_(invstd) {}
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(const Tensor& g) override {
    const Tensor xhat = xhat_.get(name_);
    const Tensor mean_g = reduce_keeping_dims(ReduceOp::Mean, g, dims_);
    const Tensor mean_g_xhat = reduce_keeping_dims(ReduceOp::Mean, mul(g, xhat), dims_);
    const Tensor inner = sub(sub(g, mean_g), mul(xhat, mean_g_xhat));
    return {mul(inner, invstd_.get(name_))};
  }
  void release_saved() override {
    xhat_.release();
    invstd_.release();
  }

 private:
  const char* name_;
  std::uint32_t dims_;
  SavedTensor xhat_, invstd_;
};

/// xhat with statistics over the logical dimensions whose bit is set.
Tensor standardize(const char* name, const Tensor& x, std::uint32_t dims, double epsilon) {
  Tensor xhat, invstd;
  {
    const NoGrad no_grad;
    const Tensor centred = sub(x, reduce_keeping_dims(ReduceOp::Mean, x, dims));
    const Tensor var = reduce_keeping_dims(ReduceOp::Mean, square(centred), dims);
    invstd = reciprocal(sqrt(affine(var, 1, static_cast<float>(epsilon))));
    xhat = mul(centred, invstd);
  }
  if (any_requires_grad({x})) {
    auto node = std::make_shared<StandardizeNode>(name, dims, xhat, invstd);
    set_inputs(*node, {x});
    record(xhat, std::move(node));
  }
  return xhat;
}

/// xhat * weight + bias, both of them optional and broadcast.
Tensor scale_and_shift(Tensor y, const Tensor& weight, const Tensor& bias) {
  if (weight.defined()) y = mul(y, weight);
  if (bias.defined()) y = add(y, bias);
  return y;
}

void check_scale(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 const Shape& expected, double epsilon) {
  const Operands operands = {{"input", x}, {"weight", weight, true}, {"bias", bias, true}};
  check_f32(op, operands);
  for (const Operand& operand : operands) {
    if (&operand.tensor == &x || !operand.tensor.defined()) continue;
    if (operand.tensor.shape() != expected) {
      throw_shape_error(op, fmt::format("{} must be {}", operand.name, expected.to_string()),
                        operands);
    }
  }
  if (!(epsilon >= 0)) {
    throw_value_error(op, fmt::format("epsilon is {}, expected >= 0", epsilon), operands);
  }
  if (x.numel() == 0) throw_shape_error(op, "the input has no elements", operands);
}

// ---- the same memory under another shape: dx = dy, seen as x's shape ----

class RelabelNode final : public Node {
 public:
  explicit RelabelNode(const Shape& input) : input_(input) {}
  const char* name() const override { return "relabel"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    return {Tensor::wrap(dy.storage(), dy.storage_offset(), input_, dy.dtype())};
  }
  void release_saved() override {}
  bool runs_again() const override { return true; }

 private:
  Shape input_;
};

Tensor relabel(const Tensor& x, const Shape& shape) {
  Tensor y = Tensor::wrap(x.storage(), x.storage_offset(), shape, x.dtype());
  if (any_requires_grad({x})) {
    auto node = std::make_shared<RelabelNode>(x.shape());
    set_inputs(*node, {x});
    record(y, std::move(node));
  }
  return y;
}

}  // namespace

Tensor layer_norm(const Tensor& x, int dims, const Tensor& weight, const Tensor& bias,
                  double epsilon) {
  if (is_half(x)) {
    return through_f32(x,
                       [&](const Tensor& f) { return layer_norm(f, dims, weight, bias, epsilon); });
  }
  check_f32("layer_norm", {{"input", x}});
  if (dims < 1 || dims > x.rank()) {
    throw_value_error("layer_norm", fmt::format("cannot normalise the last {} dimensions", dims),
                      {{"input", x}});
  }
  Shape normalized;
  std::uint32_t bits = 0;
  for (int d = x.rank() - dims; d < x.rank(); ++d) {
    normalized.push_back(x.shape()[d]);
    bits |= 1U << d;
  }
  check_scale("layer_norm", x, weight, bias, normalized, epsilon);
  return scale_and_shift(standardize("layer_norm", x, bits, epsilon), weight, bias);
}

Tensor layer_norm_channels(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           double epsilon) {
  if (is_half(x)) {
    return through_f32(
        x, [&](const Tensor& f) { return layer_norm_channels(f, weight, bias, epsilon); });
  }
  check_f32("layer_norm_channels", {{"input", x}});
  if (x.rank() != 4) {
    throw_shape_error("layer_norm_channels", "expected an input [N,C,H,W]", {{"input", x}});
  }
  const std::int64_t channels = x.size(1);
  check_scale("layer_norm_channels", x, weight, bias, {channels}, epsilon);
  const auto per_channel = [&](const Tensor& t) {
    return t.defined() ? reshape(t, {channels, 1, 1}) : t;
  };
  return scale_and_shift(standardize("layer_norm_channels", x, 1U << 1, epsilon),
                         per_channel(weight), per_channel(bias));
}

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias,
                  double epsilon) {
  if (is_half(x)) {
    return through_f32(
        x, [&](const Tensor& f) { return group_norm(f, groups, weight, bias, epsilon); });
  }
  check_f32("group_norm", {{"input", x}});
  if (x.rank() < 2 || x.rank() > 4) {
    throw_shape_error("group_norm", "expected an input [N,C], [N,C,L] or [N,C,H,W]",
                      {{"input", x}});
  }
  const std::int64_t channels = x.size(1);
  if (groups < 1 || channels % groups != 0) {
    throw_shape_error("group_norm",
                      fmt::format("{} channels do not divide into {} groups", channels, groups),
                      {{"input", x}});
  }
  check_scale("group_norm", x, weight, bias, {channels}, epsilon);
  const std::int64_t each = channels / groups;
  const std::int64_t pixels = x.numel() / (x.size(0) * channels);
  // As rank 5, which is row-major, x's memory splits into groups without a copy: channels are
  // innermost where x has rank 4, and come before the pixels elsewhere.
  const bool channels_last = x.rank() == 4;
  const Shape split = channels_last ? Shape{x.size(0), pixels, groups, each, 1}
                                    : Shape{x.size(0), groups, each, pixels, 1};
  const std::uint32_t bits = channels_last ? 0b11010U : 0b11100U;
  const auto per_channel = [&](const Tensor& t) {
    if (!t.defined()) return t;
    return channels_last ? reshape(t, {groups, each, 1}) : reshape(t, {1, groups, each, 1, 1});
  };
  const Tensor xhat = standardize("group_norm", relabel(x, split), bits, epsilon);
  return relabel(scale_and_shift(xhat, per_channel(weight), per_channel(bias)), x.shape());
}

}  // namespace hanok::ops
