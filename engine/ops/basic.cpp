// Elementwise ops: arithmetic with broadcasting, functions of one variable, activations.
#include <algorithm>
#include <fmt/format.h>
#include <vector>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/common.h"

namespace hanok::ops {

namespace {

// ---- functions of two variables ----
//
// y = a op b over the broadcast shape. With g = dy, before summing over broadcast dimensions:
//   add      da = g                     db = g
//   sub      da = g                     db = -g
//   mul      da = g b                   db = g a
//   div      da = g / b                 db = -g y / b
//   maximum  da = g (1 + sign(a-b))/2   db = g (1 - sign(a-b))/2   (a tie is shared equally)
//   minimum  the other way round

class BinaryNode final : public Node {
 public:
  BinaryNode(const char* name, BinaryOp op) : name_(name), op_(op) {}
  const char* name() const override { return name_; }

  void save(const Tensor& a, const Tensor& b, const Tensor& y) {
    shape_a_ = a.shape();
    shape_b_ = b.shape();
    const bool ordered = op_ == BinaryOp::Maximum || op_ == BinaryOp::Minimum;
    if (ordered || (op_ == BinaryOp::Mul && needs(1))) a_ = a;
    if (ordered || op_ == BinaryOp::Div || (op_ == BinaryOp::Mul && needs(0))) b_ = b;
    if (op_ == BinaryOp::Div && needs(1)) y_ = y;
  }

  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor da, db;
    switch (op_) {
      case BinaryOp::Add:
        if (needs(0)) da = dy;
        if (needs(1)) db = dy;
        break;
      case BinaryOp::Sub:
        if (needs(0)) da = dy;
        if (needs(1)) db = neg(dy);
        break;
      case BinaryOp::Mul:
        if (needs(0)) da = mul(dy, b_.get(name_));
        if (needs(1)) db = mul(dy, a_.get(name_));
        break;
      case BinaryOp::Div:
        if (needs(0)) da = div(dy, b_.get(name_));
        if (needs(1)) db = neg(div(mul(dy, y_.get(name_)), b_.get(name_)));
        break;
      case BinaryOp::Maximum:
      case BinaryOp::Minimum: {
        const Tensor difference = sub(a_.get(name_), b_.get(name_));
        Tensor signed_dy = empty_like(dy);  // dy sign(a-b), the backward of |a-b|
        const Target target(dy);
        target.run(UnaryBackward{.kind = UnaryOp::Abs,
                                 .x = difference.view(),
                                 .dy = dy.view(),
                                 .dx = signed_dy.mutable_view()});
        const Tensor larger = affine(add(dy, signed_dy), 0.5F, 0);
        const Tensor smaller = affine(sub(dy, signed_dy), 0.5F, 0);
        const bool maximum = op_ == BinaryOp::Maximum;
        if (needs(0)) da = maximum ? larger : smaller;
        if (needs(1)) db = maximum ? smaller : larger;
        break;
      }
    }
    return {sum_to(da, shape_a_), sum_to(db, shape_b_)};
  }

  void release_saved() override {
    a_.release();
    b_.release();
    y_.release();
  }
  bool runs_again() const override { return op_ == BinaryOp::Add || op_ == BinaryOp::Sub; }

 private:
  const char* name_;
  BinaryOp op_;
  Shape shape_a_, shape_b_;
  SavedTensor a_, b_, y_;
};

Tensor binary(const char* name, BinaryOp op, const Tensor& a, const Tensor& b) {
  check_activations(name, {{"a", a}, {"b", b}});
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  Tensor y = empty_on(a, shape, a.dtype());
  const Target target(a);
  target.run(Binary{.kind = op,
                    .a = broadcast_view(a, shape),
                    .b = broadcast_view(b, shape),
                    .out = y.mutable_view()});
  if (any_requires_grad({a, b})) {
    auto node = std::make_shared<BinaryNode>(name, op);
    set_inputs(*node, {a, b});
    node->save(a, b, y);
    record(y, std::move(node));
  }
  return y;
}

// ---- functions of one variable ----
//
// y = f(x), dx = dy f'(x); derivative_needs says whether f' is computed from x, y or neither, and
// only that is kept.

class UnaryNode final : public Node {
 public:
  UnaryNode(const char* name, UnaryOp op, UnaryParams params)
      : name_(name), op_(op), params_(params) {}
  const char* name() const override { return name_; }

  void save(const Tensor& x, const Tensor& y) {
    const DerivativeNeeds needs = derivative_needs(op_);
    if (needs == DerivativeNeeds::X) x_ = x;
    if (needs == DerivativeNeeds::Y) y_ = y;
  }

  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = empty_like(dy);
    const Target target(dy);
    target.run(UnaryBackward{.kind = op_,
                             .params = params_,
                             .x = x_.defined() ? x_.get(name_).view() : ConstView{},
                             .y = y_.defined() ? y_.get(name_).view() : ConstView{},
                             .dy = dy.view(),
                             .dx = dx.mutable_view()});
    return {dx};
  }

  void release_saved() override {
    x_.release();
    y_.release();
  }
  bool runs_again() const override { return derivative_needs(op_) == DerivativeNeeds::Nothing; }

 private:
  const char* name_;
  UnaryOp op_;
  UnaryParams params_;
  SavedTensor x_, y_;
};

Tensor unary(const char* name, UnaryOp op, const Tensor& x, UnaryParams params = {}) {
  check_activations(name, {{"input", x}});
  Tensor y = empty_like(x);
  const Target target(x);
  target.run(Unary{.kind = op, .params = params, .x = x.view(), .y = y.mutable_view()});
  if (any_requires_grad({x})) {
    auto node = std::make_shared<UnaryNode>(name, op, params);
    set_inputs(*node, {x});
    node->save(x, y);
    record(y, std::move(node));
  }
  return y;
}

// ---- prelu: y = x where x > 0, else s x with the channel's slope s; dx = dy where x > 0, else
// s dy; ds = sum of dy x over the channel's elements that are not above 0 ----

class PreluNode final : public Node {
 public:
  const char* name() const override { return "prelu"; }
  void save(const Tensor& x, const Tensor& slopes) {
    x_ = x;
    slopes_ = slopes;
  }

  std::vector<Tensor> backward(const Tensor& dy) override {
    const Tensor slopes = slopes_.get(name());
    Tensor dx, terms, dslopes;
    PreluBackward call{.x = x_.get(name()).view(), .slopes = slopes.view(), .dy = dy.view()};
    if (needs(0)) call.dx = (dx = empty_like(dy)).mutable_view();
    if (needs(1)) call.slope_terms = (terms = empty_on(dy, dy.shape())).mutable_view();
    const Target target(dy);
    target.run(call);
    if (needs(1)) {
      const std::int64_t channels = slopes.numel();
      dslopes = empty_on(dy, slopes.shape());
      target.run(SumRows{.x = terms.view(),
                         .rows = dy.numel() / channels,
                         .channels = channels,
                         .out = dslopes.mutable_view()});
    }
    return {dx, dslopes};
  }

  void release_saved() override {
    x_.release();
    slopes_.release();
  }

 private:
  SavedTensor x_, slopes_;
};

}  // namespace

Tensor prelu(const Tensor& x, const Tensor& slopes) {
  const Operands operands = {{"input", x}, {"slopes", slopes}};
  check_defined("prelu", operands);
  check_activations("prelu", {{"input", x}});
  check_f32("prelu", {{"slopes", slopes}});
  const std::int64_t channels = x.rank() > 1 ? x.size(1) : 1;
  const bool per_channel = slopes.shape() == Shape{channels};
  if (slopes.shape() != Shape{1} && !per_channel) {
    throw_shape_error("prelu", fmt::format("slopes must be [1] or [{}], one a channel", channels),
                      operands);
  }
  if (per_channel && channels > 1 && x.rank() != 2 && x.rank() != 4) {
    // As images of one column, whose channels are neighbours in memory.
    const std::int64_t pixels = x.numel() / std::max<std::int64_t>(x.size(0) * channels, 1);
    const Tensor image = prelu(reshape(x, {x.size(0), channels, pixels, 1}), slopes);
    std::vector<std::int64_t> sizes;
    for (int d = 0; d < x.rank(); ++d) sizes.push_back(x.size(d));
    return reshape(image, sizes);
  }
  Tensor y = empty_like(x);
  const Target target(x);
  target.run(Prelu{.x = x.view(), .slopes = slopes.view(), .y = y.mutable_view()});
  if (any_requires_grad({x, slopes})) {
    auto node = std::make_shared<PreluNode>();
    set_inputs(*node, {x, slopes});
    node->save(x, slopes);
    record(y, std::move(node));
  }
  return y;
}

Tensor add(const Tensor& a, const Tensor& b) { return binary("add", BinaryOp::Add, a, b); }
Tensor sub(const Tensor& a, const Tensor& b) { return binary("sub", BinaryOp::Sub, a, b); }
Tensor mul(const Tensor& a, const Tensor& b) { return binary("mul", BinaryOp::Mul, a, b); }
Tensor div(const Tensor& a, const Tensor& b) { return binary("div", BinaryOp::Div, a, b); }
Tensor maximum(const Tensor& a, const Tensor& b) {
  return binary("maximum", BinaryOp::Maximum, a, b);
}
Tensor minimum(const Tensor& a, const Tensor& b) {
  return binary("minimum", BinaryOp::Minimum, a, b);
}

Tensor affine(const Tensor& x, float scale, float shift) {
  return unary("affine", UnaryOp::Affine, x, {scale, shift});
}
Tensor neg(const Tensor& x) { return unary("neg", UnaryOp::Neg, x); }
Tensor exp(const Tensor& x) { return unary("exp", UnaryOp::Exp, x); }
Tensor log(const Tensor& x) { return unary("log", UnaryOp::Log, x); }
Tensor sqrt(const Tensor& x) { return unary("sqrt", UnaryOp::Sqrt, x); }
Tensor square(const Tensor& x) { return unary("square", UnaryOp::Square, x); }
Tensor abs(const Tensor& x) { return unary("abs", UnaryOp::Abs, x); }

Tensor reciprocal(const Tensor& x) { return unary("reciprocal", UnaryOp::Reciprocal, x); }
Tensor sin(const Tensor& x) { return unary("sin", UnaryOp::Sin, x); }
Tensor cos(const Tensor& x) { return unary("cos", UnaryOp::Cos, x); }
Tensor erf(const Tensor& x) { return unary("erf", UnaryOp::Erf, x); }
Tensor pow(const Tensor& x, float exponent) { return unary("pow", UnaryOp::Pow, x, {exponent, 0}); }
Tensor clamp(const Tensor& x, float low, float high) {
  if (!(low <= high)) {
    throw_value_error("clamp", fmt::format("low {} is above high {}", low, high), {{"input", x}});
  }
  return unary("clamp", UnaryOp::Clamp, x, {low, high});
}

Tensor relu(const Tensor& x) { return unary("relu", UnaryOp::Relu, x); }
Tensor leaky_relu(const Tensor& x, float slope) {
  return unary("leaky_relu", UnaryOp::LeakyRelu, x, {slope, 0});
}
Tensor sigmoid(const Tensor& x) { return unary("sigmoid", UnaryOp::Sigmoid, x); }
Tensor tanh(const Tensor& x) { return unary("tanh", UnaryOp::Tanh, x); }
Tensor silu(const Tensor& x) { return unary("silu", UnaryOp::Silu, x); }
Tensor gelu(const Tensor& x) { return unary("gelu", UnaryOp::Gelu, x); }
Tensor hardswish(const Tensor& x) { return unary("hardswish", UnaryOp::Hardswish, x); }
Tensor hardsigmoid(const Tensor& x) { return unary("hardsigmoid", UnaryOp::Hardsigmoid, x); }

}  // namespace hanok::ops
