// Reductions: sum, mean, max, argmax.
#include <fmt/format.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/ops/common.h"
#include "hanok/kernels/base/error.h"

namespace hanok::ops {

namespace {

// ---- sum and mean ----
//
// y[kept] = s * sum over reduced of x[kept, reduced], s = 1 or 1/count.   dx[i] = s dy[kept(i)]

class ReduceNode final : public Node {
 public:
  ReduceNode(const char* name, const Shape& input, float scale)
      : name_(name), input_(input), scale_(scale) {}
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    return {expand(scale_ == 1.0F ? dy : affine(dy, scale_, 0), input_)};
  }
  void release_saved() override {}
  bool runs_again() const override { return true; }

 private:
  const char* name_;
  Shape input_;
  float scale_;
};

/// The dimensions as bits; all of them if none is named.
std::uint32_t dimension_bits(const char* op, const Tensor& x, const std::vector<int>& dims) {
  if (dims.empty()) return (1U << x.rank()) - 1U;
  std::uint32_t bits = 0;
  for (const int dim : dims) {
    const std::uint32_t bit = 1U << check_dim(op, x, dim);
    if ((bits & bit) != 0) {
      throw_value_error(op, fmt::format("dimension {} is named twice", dim), {{"input", x}});
    }
    bits |= bit;
  }
  return bits;
}

Tensor reduce(const char* name, ReduceOp op, const Tensor& x, const std::vector<int>& dims,
              bool keep_dims) {
  check_activations(name, {{"input", x}});
  const std::uint32_t bits = dimension_bits(name, x, dims);
  Tensor y = reduce_keeping_dims(op, x, bits);
  if (any_requires_grad({x})) {
    const double count = static_cast<double>(x.numel()) / static_cast<double>(y.numel());
    const float scale = op == ReduceOp::Mean ? static_cast<float>(1.0 / count) : 1.0F;
    auto node = std::make_shared<ReduceNode>(name, x.shape(), scale);
    set_inputs(*node, {x});
    record(y, std::move(node));
  }
  if (keep_dims) return y;
  std::vector<std::int64_t> kept;
  for (int d = 0; d < x.rank(); ++d) {
    if ((bits >> d & 1U) == 0) kept.push_back(x.shape()[d]);
  }
  return reshape(y, kept);
}

// ---- the root of a variance: y = sqrt(v), dv = dy / (2 y), but 0 where y is 0 ----
//
// There all elements are equal and y has a kink, as |x| at 0, whose derivative there is 0, too.

class DeviationNode final : public Node {
 public:
  explicit DeviationNode(const Tensor& y) : y_(y) {}
  const char* name() const override { return "std"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const Tensor y = y_.get(name());
    Tensor quotient = empty_like(dy), dv = empty_like(dy);
    const Target target(dy);
    target.run(UnaryBackward{
        .kind = UnaryOp::Sqrt, .y = y.view(), .dy = dy.view(), .dx = quotient.mutable_view()});
    target.run(UnaryBackward{.kind = UnaryOp::Relu,  // passes where y > 0
                             .y = y.view(),
                             .dy = quotient.view(),
                             .dx = dv.mutable_view()});
    return {dv};
  }
  void release_saved() override { y_.release(); }

 private:
  SavedTensor y_;
};

/// The gradient of values taken from one place along a dimension goes back to that place.
class ChosenAlongNode : public Node {
 public:
  ChosenAlongNode(const Shape& input, int dim, const Tensor& indices)
      : input_(input), dim_(dim), indices_(indices) {}
  void release_saved() override { indices_.release(); }

 protected:
  Shape input_;
  int dim_;
  SavedTensor indices_;
};

// ---- the k largest along one dimension: as max, for each of k rows; dx by the indices ----

class TopkNode final : public ChosenAlongNode {
 public:
  using ChosenAlongNode::ChosenAlongNode;
  const char* name() const override { return "topk"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = empty_on(dy, input_);
    const Lanes lanes = lanes_along(input_, dim_);
    const Target target(dy);
    target.run(
        GatherBackward{.shape = {lanes.outer, lanes.length, dy.shape()[dim_], lanes.inner, false},
                       .dy = dy.view(),
                       .indices = indices_.get(name()).view(),
                       .dx = dx.mutable_view()});
    return {dx};
  }
};

// ---- maximum along one dimension ----
//
// y[o,i] = x[o, k(o,i), i] with k the first index of the maximum.   dx[o,k,i] = dy[o,i], else 0

class MaxNode final : public ChosenAlongNode {
 public:
  using ChosenAlongNode::ChosenAlongNode;
  const char* name() const override { return "max"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = empty_on(dy, input_, dy.dtype());
    const Lanes lanes = lanes_along(input_, dim_);
    const Target target(dy);
    target.run(ScatterAlong{.dy = dy.view(),
                            .indices = indices_.get(name()).view(),
                            .lanes = lanes,
                            .dx = dx.mutable_view()});
    return {dx};
  }
};

/// Values and indices with size 1 in `dim`; outside the graph.
std::pair<Tensor, Tensor> max_keeping_dim(const char* op, const Tensor& x, int dim) {
  if (x.shape()[dim] == 0) {
    throw_shape_error(op, fmt::format("dimension {} has no elements", dim), {{"input", x}});
  }
  Shape out = x.shape();
  out[dim] = 1;
  Tensor values = empty_on(x, out, x.dtype());
  Tensor indices = empty_on(x, out, DType::I64);
  const Lanes lanes = lanes_along(x.shape(), dim);
  const Target target(x);
  target.run(MaxAlong{.x = x.view(),
                      .lanes = lanes,
                      .values = values.mutable_view(),
                      .indices = indices.mutable_view()});
  return {values, indices};
}

}  // namespace

Tensor sum(const Tensor& x, const std::vector<int>& dims, bool keep_dims) {
  return reduce("sum", ReduceOp::Sum, x, dims, keep_dims);
}

Tensor mean(const Tensor& x, const std::vector<int>& dims, bool keep_dims) {
  return reduce("mean", ReduceOp::Mean, x, dims, keep_dims);
}

// Composed, so its gradient 2 (x - mean) / (count - correction) comes from its parts. The mean of
// the squares first: their sum may leave f32 where the variance does not.
Tensor var(const Tensor& input, const std::vector<int>& dims, bool keep_dims, double correction) {
  const Tensor x = widened(input);
  check_f32("var", {{"input", x}});
  const Tensor centred = sub(x, reduce("var", ReduceOp::Mean, x, dims, true));
  const Tensor biased = reduce("var", ReduceOp::Mean, square(centred), dims, keep_dims);
  const double count = static_cast<double>(x.numel()) / static_cast<double>(biased.numel());
  if (!(count > correction)) {
    throw_shape_error(
        "var", fmt::format("{} elements are too few for a correction of {}", count, correction),
        {{"input", x}});
  }
  return affine(biased, static_cast<float>(count / (count - correction)), 0);
}

Tensor std(const Tensor& x, const std::vector<int>& dims, bool keep_dims, double correction) {
  const Tensor variance = var(x, dims, keep_dims, correction);
  Tensor y = sqrt(variance.detach());
  if (any_requires_grad({variance})) {
    auto node = std::make_shared<DeviationNode>(y);
    set_inputs(*node, {variance});
    record(y, std::move(node));
  }
  return y;
}

std::pair<Tensor, Tensor> topk(const Tensor& input, std::int64_t k, int dim) {
  const Tensor x = widened(input);
  check_f32("topk", {{"input", x}});
  dim = check_dim("topk", x, dim);
  if (k < 1 || k > x.shape()[dim]) {
    throw_value_error("topk",
                      fmt::format("k is {}, dimension {} has {} elements", k, dim, x.shape()[dim]),
                      {{"input", x}});
  }
  Shape out = x.shape();
  out[dim] = k;
  Tensor values = empty_on(x, out);
  Tensor indices = empty_on(x, out, DType::I64);
  const Lanes lanes = lanes_along(x.shape(), dim);
  const Target target(x);
  target.run(TopK{.x = x.view(),
                  .lanes = lanes,
                  .k = k,
                  .values = values.mutable_view(),
                  .indices = indices.mutable_view()});
  if (any_requires_grad({x})) {
    auto node = std::make_shared<TopkNode>(x.shape(), dim, indices);
    set_inputs(*node, {x});
    record(values, std::move(node));
  }
  return {values, indices};
}

std::pair<Tensor, Tensor> max(const Tensor& x, int dim, bool keep_dim) {
  check_activations("max", {{"input", x}});
  dim = check_dim("max", x, dim);
  auto [values, indices] = max_keeping_dim("max", x, dim);
  if (any_requires_grad({x})) {
    auto node = std::make_shared<MaxNode>(x.shape(), dim, indices);
    set_inputs(*node, {x});
    record(values, std::move(node));
  }
  if (keep_dim) return {values, indices};
  return {squeeze(values, dim), squeeze(indices, dim)};
}

Tensor argmax(const Tensor& x, int dim) {
  check_activations("argmax", {{"input", x}});
  dim = check_dim("argmax", x, dim);
  return squeeze(max_keeping_dim("argmax", x, dim).second, dim);
}

}  // namespace hanok::ops
