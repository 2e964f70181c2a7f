// Transposed and one-dimensional convolution, both by way of the two-dimensional kernels.
#include <algorithm>
#include <fmt/format.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/ops/common.h"

namespace hanok::ops {

namespace {

// Let conv be the convolution y -> x whose output has x's shape, with this weight. It is linear,
// and the transposed convolution is its adjoint: y = conv_backward_data(x, weight). Hence
//   dx = conv_forward(dy, weight)
//   dweight = conv_backward_weights(input dy, output gradient x)

class ConvTranspose2dNode final : public Node {
 public:
  explicit ConvTranspose2dNode(const Conv2dShape& conv) : conv_(conv) {}
  const char* name() const override { return "conv_transpose2d"; }
  void save(const Tensor& x, const Tensor& weight) {
    if (needs(1)) x_ = x;
    if (needs(0)) weight_ = weight;
  }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx, dw;
    const Target target(dy);
    if (needs(0)) {
      dx = empty_on(dy, conv_.output_shape(), dy.dtype());
      target.run(Conv2dForward{
          .shape = conv_, .x = dy.view(), .w = weight_.get(name()).view(), .y = dx.mutable_view()});
    }
    if (needs(1)) {
      dw = empty_on(dy, conv_.weight_shape());
      target.run(Conv2dBackwardWeights{
          .shape = conv_, .x = dy.view(), .dy = x_.get(name()).view(), .dw = dw.mutable_view()});
    }
    return {dx, dw};
  }
  void release_saved() override {
    x_.release();
    weight_.release();
  }

 private:
  Conv2dShape conv_;
  SavedTensor x_, weight_;
};

Conv2dShape check(const Tensor& x, const Tensor& weight, const Tensor& bias, const Window2d& window,
                  std::int64_t groups, std::int64_t output_pad_h, std::int64_t output_pad_w) {
  const char* op = "conv_transpose2d";
  check_product(op, x, {{"input", x}, {"weight", weight}, {"bias", bias, true}});
  const auto fail = [&](const std::string& what) {
    throw_shape_error(op, what, {{"input", x}, {"weight", weight}, {"bias", bias}});
  };
  if (x.rank() != 4 || weight.rank() != 4) {
    fail("expected input [N,C,H,W] and weight [C,K/groups,R,S]");
  }
  if (window.stride_h < 1 || window.stride_w < 1 || window.dilation_h < 1 ||
      window.dilation_w < 1 || window.pad_h < 0 || window.pad_w < 0 || groups < 1) {
    throw_value_error(op, "stride, dilation and groups must be at least 1, padding at least 0",
                      {{"input", x}, {"weight", weight}});
  }
  if (output_pad_h < 0 || output_pad_w < 0 ||
      output_pad_h >= std::max(window.stride_h, window.dilation_h) ||
      output_pad_w >= std::max(window.stride_w, window.dilation_w)) {
    throw_value_error(op,
                      fmt::format("output padding {}x{} must be below stride or dilation",
                                  output_pad_h, output_pad_w),
                      {{"input", x}, {"weight", weight}});
  }
  if (x.size(1) != weight.size(0)) {
    fail(fmt::format("input has {} channels, weight expects {}", x.size(1), weight.size(0)));
  }
  if (weight.size(0) % groups != 0) {
    fail(fmt::format("{} input channels do not divide into {} groups", weight.size(0), groups));
  }
  Conv2dShape conv;
  conv.n = x.size(0);
  conv.k = x.size(1);
  conv.c = weight.size(1) * groups;
  conv.r = weight.size(2);
  conv.s = weight.size(3);
  conv.groups = groups;
  conv.window = window;
  conv.nominal_n = nominal_batch();
  conv.h = (x.size(2) - 1) * window.stride_h - 2 * window.pad_h + window.dilation_h * (conv.r - 1) +
           output_pad_h + 1;
  conv.w = (x.size(3) - 1) * window.stride_w - 2 * window.pad_w + window.dilation_w * (conv.s - 1) +
           output_pad_w + 1;
  if (std::min({conv.c, conv.k, conv.r, conv.s, x.size(2), x.size(3)}) < 1) {
    fail("every size but N must be positive");
  }
  if (conv.h < 1 || conv.w < 1) fail(fmt::format("the output would be {}x{}", conv.h, conv.w));
  if (bias.defined() && bias.shape() != Shape{conv.c}) {
    fail(fmt::format("bias must have the {} output channels", conv.c));
  }
  return conv;
}

}  // namespace

Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        const Window2d& window, std::int64_t groups, std::int64_t output_pad_h,
                        std::int64_t output_pad_w) {
  const Tensor x = in_compute_type("conv_transpose2d", input);
  const Conv2dShape conv = check(x, weight, bias, window, groups, output_pad_h,
                                 output_pad_w == -1 ? output_pad_h : output_pad_w);
  const Tensor w = weight_in_compute_type(weight);
  Tensor y = empty_on(x, conv.input_shape(), x.dtype());
  const Target target(x);
  target.run(
      Conv2dBackwardData{.shape = conv, .dy = x.view(), .w = w.view(), .dx = y.mutable_view()});
  if (any_requires_grad({x, weight})) {
    auto node = std::make_shared<ConvTranspose2dNode>(conv);
    set_inputs(*node, {x, weight});
    node->save(x, w);
    record(y, std::move(node));
  }
  return bias.defined() ? add(y, cast(reshape(bias, {conv.c, 1, 1}), y.dtype())) : y;
}

// A convolution of images one pixel high.
Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias, const Window1d& window,
              std::int64_t groups) {
  const Tensor x = in_compute_type("conv1d", input);
  check_product("conv1d", x, {{"input", x}, {"weight", weight}, {"bias", bias, true}});
  const auto fail = [&](const std::string& what) {
    throw_shape_error("conv1d", what, {{"input", x}, {"weight", weight}, {"bias", bias}});
  };
  if (x.rank() != 3 || weight.rank() != 3) {
    fail("expected input [N,C,L] and weight [K,C/groups,S]");
  }
  if (x.size(1) != weight.size(1) * groups) {
    fail(fmt::format("input has {} channels, weight expects {}", x.size(1),
                     weight.size(1) * groups));
  }
  const Window2d flat{1, window.stride, 0, window.padding, 1, window.dilation};
  const Tensor y = conv2d(unsqueeze(x, 2), unsqueeze(weight, 2), bias, flat, groups);
  return squeeze(y, 2);
}

}  // namespace hanok::ops
