// Choices by condition and by index.
#include <fmt/format.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/common.h"
#include "hanok/kernels/base/error.h"

namespace hanok::ops {

namespace {

// ---- where: y = c ? a : b; da = c ? g : 0, db = c ? 0 : g ----

/// Not recorded.
Tensor select(const Tensor& condition, const Tensor& a, const Tensor& b, const Shape& shape) {
  Tensor y = empty_on(a, shape);
  const Target target(a);
  target.run(Select{.condition = broadcast_view(condition, shape),
                    .a = broadcast_view(a, shape),
                    .b = broadcast_view(b, shape),
                    .out = y.mutable_view()});
  return y;
}

class WhereNode final : public Node {
 public:
  WhereNode(const Tensor& condition, const Shape& a, const Shape& b)
      : condition_(condition), shape_a_(a), shape_b_(b) {}
  const char* name() const override { return "where"; }
  std::vector<Tensor> backward(const Tensor& g) override {
    const Tensor condition = condition_.get(name());
    const Tensor zero = Tensor::zeros({}, {DType::F32, g.device()});
    Tensor da, db;
    if (needs(0)) da = sum_to(select(condition, g, zero, g.shape()), shape_a_);
    if (needs(1)) db = sum_to(select(condition, zero, g, g.shape()), shape_b_);
    return {da, db};
  }
  void release_saved() override { condition_.release(); }

 private:
  SavedTensor condition_;
  Shape shape_a_, shape_b_;
};

// ---- gather: y[o,j,i] = x[o, k, i], k = index[j] or index[o,j,i]; dx[o,k,i] sums dy[o,j,i] ----
// An embedding's padding row gets no gradient: its row of dx is zero.

class GatherNode final : public Node {
 public:
  GatherNode(const char* name, const Shape& input, const GatherShape& shape, const Tensor& indices,
             std::int64_t padding_row)
      : name_(name), input_(input), shape_(shape), indices_(indices), padding_row_(padding_row) {}
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = empty_on(dy, input_);
    const Target target(dy);
    target.run(GatherBackward{.shape = shape_,
                              .dy = dy.view(),
                              .indices = indices_.get(name_).view(),
                              .dx = dx.mutable_view()});
    if (padding_row_ >= 0) {
      View row = dx.mutable_view();
      row.data = row.f32() + padding_row_ * shape_.inner;
      row.shape = Shape{shape_.inner};
      target.run(Fill{row, 0});
    }
    return {dx};
  }
  void release_saved() override { indices_.release(); }

 private:
  const char* name_;
  Shape input_;
  GatherShape shape_;
  SavedTensor indices_;
  std::int64_t padding_row_;  // -1: none
};

void check_indices(const char* op, const Tensor& x, const Tensor& indices, std::int64_t length) {
  const Operands operands = {{"input", x}, {"indices", indices}};
  check_defined(op, operands);
  if (indices.dtype() != DType::I64) {
    throw DTypeError(fmt::format("{}: indices are {}, expected i64", op, name_of(indices.dtype())));
  }
  if (!indices.device().is_cpu()) return;
  const auto* index = indices.data<std::int64_t>();
  for (std::int64_t i = 0; i < indices.numel(); ++i) {
    if (index[i] < 0 || index[i] >= length) {
      throw_value_error(op, fmt::format("index {} is outside [0,{})", index[i], length), operands);
    }
  }
}

Tensor gather_along(const char* name, const Tensor& x, int dim, const Tensor& indices,
                    std::int64_t count, bool shared, std::int64_t padding_row = -1) {
  Shape out = x.shape();
  out[dim] = count;
  const Lanes lanes = lanes_along(x.shape(), dim);
  const GatherShape shape{lanes.outer, lanes.length, count, lanes.inner, shared};
  Tensor y = empty_on(x, out, x.dtype());
  const Target target(x);
  target.run(
      Gather{.shape = shape, .x = x.view(), .indices = indices.view(), .y = y.mutable_view()});
  if (any_requires_grad({x})) {
    auto node = std::make_shared<GatherNode>(name, x.shape(), shape, indices, padding_row);
    set_inputs(*node, {x});
    record(y, std::move(node));
  }
  return y;
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_activations("where", {{"a", a}, {"b", b}});
  check_defined("where", {{"condition", condition}, {"a", a}});
  if (condition.dtype() != DType::U8) {
    throw DTypeError(
        fmt::format("where: condition is {}, expected u8", name_of(condition.dtype())));
  }
  const Shape both = broadcast_shapes("where", a.shape(), b.shape());
  const Shape shape = broadcast_shapes("where", condition.shape(), both);
  Tensor y = select(condition, a, b, shape);
  if (any_requires_grad({a, b})) {
    auto node = std::make_shared<WhereNode>(condition, a.shape(), b.shape());
    set_inputs(*node, {a, b});
    record(y, std::move(node));
  }
  return y;
}

Tensor index_select(const Tensor& x, int dim, const Tensor& indices) {
  check_defined("index_select", {{"input", x}, {"indices", indices}});
  dim = check_dim("index_select", x, dim);
  if (indices.rank() != 1) {
    throw_shape_error("index_select", "expected indices [J]", {{"input", x}, {"indices", indices}});
  }
  check_indices("index_select", x, indices, x.shape()[dim]);
  return gather_along("index_select", x, dim, indices, indices.size(0), true);
}

Tensor gather(const Tensor& x, int dim, const Tensor& indices) {
  check_defined("gather", {{"input", x}, {"indices", indices}});
  dim = check_dim("gather", x, dim);
  bool fits = indices.rank() == x.rank();
  for (int d = 0; fits && d < x.rank(); ++d) fits = d == dim || indices.shape()[d] == x.shape()[d];
  if (!fits) {
    throw_shape_error("gather",
                      fmt::format("indices must have the input's sizes outside dimension {}", dim),
                      {{"input", x}, {"indices", indices}});
  }
  check_indices("gather", x, indices, x.shape()[dim]);
  return gather_along("gather", x, dim, indices, indices.shape()[dim], false);
}

Tensor embedding(const Tensor& indices, const Tensor& table, std::int64_t padding_index) {
  check_f32("embedding", {{"table", table}});
  check_defined("embedding", {{"indices", indices}, {"table", table}});
  if (table.rank() != 2) {
    throw_shape_error("embedding", "expected a table [V,D]",
                      {{"indices", indices}, {"table", table}});
  }
  if (padding_index < -1 || padding_index >= table.size(0)) {
    throw_value_error("embedding", fmt::format("padding index {} is not a row", padding_index),
                      {{"table", table}});
  }
  check_indices("embedding", table, indices, table.size(0));
  std::vector<std::int64_t> sizes(indices.shape().begin(), indices.shape().end());
  sizes.push_back(table.size(1));
  const Tensor rows = gather_along("embedding", table, 0, reshape(indices, {-1}), indices.numel(),
                                   true, padding_index);
  return reshape(rows, sizes);
}

}  // namespace hanok::ops
