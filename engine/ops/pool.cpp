// Pooling of x [N,C,H,W] over windows of R x S taps: y [N,C,P,Q].
#include "hanok/engine/ops/pool.h"

#include <fmt/format.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"

namespace hanok::ops {

Pool2dShape check_pool_window(const char* op, const Shape& x, std::int64_t kernel_h,
                              std::int64_t kernel_w, const Window2d& window, PoolSize rounding,
                              Operands operands) {
  if (kernel_h < 1 || kernel_w < 1 || window.stride_h < 1 || window.stride_w < 1 ||
      window.dilation_h < 1 || window.dilation_w < 1) {
    throw_value_error(op, "kernel, stride and dilation must be at least 1", operands);
  }
  // A wider border would hold windows that see no pixel at all.
  if (window.pad_h < 0 || window.pad_w < 0 || window.pad_h > kernel_h / 2 ||
      window.pad_w > kernel_w / 2) {
    throw_value_error(op,
                      fmt::format("padding {}x{} must be between 0 and half the kernel {}x{}",
                                  window.pad_h, window.pad_w, kernel_h, kernel_w),
                      operands);
  }
  Pool2dShape shape;
  shape.n = x[0];
  shape.c = x[1];
  shape.h = x[2];
  shape.w = x[3];
  shape.r = kernel_h;
  shape.s = kernel_w;
  shape.window = window;
  shape.rounding = rounding;
  const bool fits = window.dilation_h * (kernel_h - 1) + 1 <= shape.h + 2 * window.pad_h &&
                    window.dilation_w * (kernel_w - 1) + 1 <= shape.w + 2 * window.pad_w;
  // Rounded up, a window that reaches beyond the padding counts.
  if (rounding == PoolSize::Floor ? !fits : shape.p() < 1 || shape.q() < 1) {
    throw_shape_error(
        op, fmt::format("a kernel of {}x{} does not fit into the padded input", kernel_h, kernel_w),
        operands);
  }
  return shape;
}

void check_max_pool_taps(const char* op, std::int64_t kernel_h, std::int64_t kernel_w,
                         Operands operands) {
  if (kernel_h * kernel_w <= 255) return;
  throw_value_error(op, fmt::format("a kernel of {}x{} has more than 255 taps", kernel_h, kernel_w),
                    operands);
}

namespace {

Pool2dShape check_pool(const char* op, const Tensor& x, std::int64_t kernel_h,
                       std::int64_t kernel_w, const Window2d& window, PoolSize rounding) {
  check_activations(op, {{"input", x}});
  if (x.rank() != 4) throw_shape_error(op, "expected an input [N,C,H,W]", {{"input", x}});
  return check_pool_window(op, x.shape(), kernel_h, kernel_w, window, rounding, {{"input", x}});
}

// ---- max: y = max over the window; dx sums dy over the windows whose (first) maximum it is ----

class MaxPoolNode final : public Node {
 public:
  MaxPoolNode(const Pool2dShape& shape, const Tensor& indices) : shape_(shape), indices_(indices) {}
  const char* name() const override { return "max_pool2d"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = empty_on(dy, shape_.input_shape(), dy.dtype());
    const Target target(dy);
    target.run(MaxPool2dBackward{.shape = shape_,
                                 .dy = dy.view(),
                                 .indices = indices_.get(name()).view(),
                                 .dx = dx.mutable_view()});
    return {dx};
  }
  void release_saved() override { indices_.release(); }

 private:
  Pool2dShape shape_;
  SavedTensor indices_;
};

// ---- average: y = sum over the window / d, d = R S or the taps inside; dx = sum of dy / d ----

class AvgPoolNode final : public Node {
 public:
  explicit AvgPoolNode(const Pool2dShape& shape) : shape_(shape) {}
  const char* name() const override { return "avg_pool2d"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = empty_on(dy, shape_.input_shape(), dy.dtype());
    const Target target(dy);
    target.run(AvgPool2dBackward{.shape = shape_, .dy = dy.view(), .dx = dx.mutable_view()});
    return {dx};
  }
  void release_saved() override {}
  bool runs_again() const override { return true; }

 private:
  Pool2dShape shape_;
};

// ---- adaptive average: output i is the mean of inputs [floor(i H/P), ceil((i+1) H/P)) ----

class AdaptiveAvgPoolNode final : public Node {
 public:
  explicit AdaptiveAvgPoolNode(const Shape& input) : input_(input) {}
  const char* name() const override { return "adaptive_avg_pool2d"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = empty_on(dy, input_, dy.dtype());
    const Target target(dy);
    target.run(AdaptiveAvgPool2dBackward{dy.view(), dx.mutable_view()});
    return {dx};
  }
  void release_saved() override {}
  bool runs_again() const override { return true; }

 private:
  Shape input_;
};

}  // namespace

Tensor max_pool2d(const Tensor& x, std::int64_t kernel_h, std::int64_t kernel_w,
                  const Window2d& window, PoolSize rounding) {
  const Pool2dShape shape = check_pool("max_pool2d", x, kernel_h, kernel_w, window, rounding);
  check_max_pool_taps("max_pool2d", kernel_h, kernel_w, {{"input", x}});
  const bool recorded = any_requires_grad({x});
  Tensor y = empty_on(x, shape.output_shape(), x.dtype());
  Tensor indices = recorded ? empty_on(x, y.shape(), DType::U8) : Tensor();
  const Target target(x);
  target.run(MaxPool2d{.shape = shape,
                       .x = x.view(),
                       .y = y.mutable_view(),
                       .indices = recorded ? indices.mutable_view() : View{}});
  if (recorded) {
    auto node = std::make_shared<MaxPoolNode>(shape, indices);
    set_inputs(*node, {x});
    record(y, std::move(node));
  }
  return y;
}

Tensor avg_pool2d(const Tensor& x, std::int64_t kernel_h, std::int64_t kernel_w,
                  const Window2d& window, bool count_include_pad, PoolSize rounding) {
  Pool2dShape shape = check_pool("avg_pool2d", x, kernel_h, kernel_w, window, rounding);
  if (window.dilation_h != 1 || window.dilation_w != 1) {
    throw_value_error("avg_pool2d", "dilation must be 1", {{"input", x}});
  }
  shape.count_include_pad = count_include_pad;
  Tensor y = empty_on(x, shape.output_shape(), x.dtype());
  const Target target(x);
  target.run(AvgPool2d{.shape = shape, .x = x.view(), .y = y.mutable_view()});
  if (any_requires_grad({x})) {
    auto node = std::make_shared<AvgPoolNode>(shape);
    set_inputs(*node, {x});
    record(y, std::move(node));
  }
  return y;
}

Tensor adaptive_avg_pool2d(const Tensor& x, std::int64_t out_h, std::int64_t out_w) {
  check_activations("adaptive_avg_pool2d", {{"input", x}});
  if (x.rank() != 4) {
    throw_shape_error("adaptive_avg_pool2d", "expected an input [N,C,H,W]", {{"input", x}});
  }
  if (out_h < 1 || out_w < 1 || x.size(2) < 1 || x.size(3) < 1) {
    throw_value_error("adaptive_avg_pool2d",
                      fmt::format("cannot pool to {}x{} pixels", out_h, out_w), {{"input", x}});
  }
  Tensor y = empty_on(x, {x.size(0), x.size(1), out_h, out_w}, x.dtype());
  const Target target(x);
  target.run(AdaptiveAvgPool2d{x.view(), y.mutable_view()});
  if (any_requires_grad({x})) {
    auto node = std::make_shared<AdaptiveAvgPoolNode>(x.shape());
    set_inputs(*node, {x});
    record(y, std::move(node));
  }
  return y;
}

}  // namespace hanok::ops
