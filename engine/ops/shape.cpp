// Ops that move elements but compute nothing. They take every element type. All have logical (NCHW)
// meaning; since rank 4 lies in memory as N,H,W,C, some must copy where row-major storage need not.
// Storage is shared only where the result is dense in its own layout.
#include <algorithm>
#include <fmt/format.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/common.h"
#include "hanok/kernels/base/error.h"

namespace hanok::ops {

namespace {

/// Elements of `x`'s storage, from `offset` elements after x's first one, with one stride for each
/// logical dimension of `shape`: shared if that is the dense layout of `shape`, else copied.
Tensor view_or_copy(const Tensor& x, std::int64_t offset, const Shape& shape,
                    const Strides& strides) {
  const Strides dense = dense_strides(shape);
  bool shared = true;
  for (int d = 0; d < shape.rank(); ++d) {
    shared = shared && (shape[d] == 1 || strides[d] == dense[d]);
  }
  if (shared || shape.numel() == 0) {
    return Tensor::wrap(x.storage(), x.storage_offset() + offset, shape, x.dtype());
  }
  Tensor y = empty_on(x, shape, x.dtype());
  const char* first = x.view().as<char>() + offset * static_cast<std::int64_t>(size_of(x.dtype()));
  const Target target(x);
  target.run(StridedCopy{{y.mutable_view().data, y.dtype(), shape, dense},
                         {first, x.dtype(), shape, strides}});
  return y;
}

/// Copies `x` into the elements of `y` that start `offset` elements after its first one.
void copy_into(Tensor& y, std::int64_t offset, const Tensor& x) {
  char* first =
      y.mutable_view().as<char>() + offset * static_cast<std::int64_t>(size_of(y.dtype()));
  const Target target(x);
  target.run(StridedCopy{{first, y.dtype(), x.shape(), dense_strides(y.shape())},
                         {x.view().data, x.dtype(), x.shape(), dense_strides(x.shape())}});
}

template <typename NodeType, typename... Arguments>
void record_one(Tensor& y, const Tensor& x, Arguments&&... arguments) {
  if (!any_requires_grad({x})) return;
  auto node = std::make_shared<NodeType>(std::forward<Arguments>(arguments)...);
  set_inputs(*node, {x});
  record(y, std::move(node));
}

// ---- reshape: y has x's elements in logical order; dx = reshape(dy) ----

class ReshapeNode final : public Node {
 public:
  explicit ReshapeNode(const Shape& input) : input_(input) {}
  const char* name() const override { return "reshape"; }
  std::vector<Tensor> backward(const Tensor& dy) override { return {with_shape(dy, input_)}; }
  void release_saved() override {}
  bool runs_again() const override { return true; }

 private:
  Shape input_;
};

Tensor reshape_to(const Tensor& x, const Shape& shape) {
  Tensor y = with_shape(x, shape);
  record_one<ReshapeNode>(y, x, x.shape());
  return y;
}

// ---- permute: y[i_0,i_1,...] = x[j] with j[order[d]] = i_d; dx = permute(dy, inverse order) ----

std::vector<int> inverse(const std::vector<int>& order) {
  std::vector<int> result(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    result[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  }
  return result;
}

class PermuteNode final : public Node {
 public:
  explicit PermuteNode(std::vector<int> order) : order_(std::move(order)) {}
  const char* name() const override { return "permute"; }
  std::vector<Tensor> backward(const Tensor& dy) override { return {permute(dy, inverse(order_))}; }
  void release_saved() override {}
  bool runs_again() const override { return true; }

 private:
  std::vector<int> order_;
};

// ---- slice: y = x[..., begin:end, ...]; dx = dy there, 0 elsewhere ----

class SliceNode final : public Node {
 public:
  SliceNode(const Shape& input, std::int64_t offset) : input_(input), offset_(offset) {}
  const char* name() const override { return "slice"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = Tensor::zeros(input_, {dy.dtype(), dy.device()});
    copy_into(dx, offset_, dy);
    return {dx};
  }
  void release_saved() override {}
  bool runs_again() const override { return true; }

 private:
  Shape input_;
  std::int64_t offset_;
};

// ---- concat: y = [x_0; x_1; ...] along dim; dx_i = the slice of dy where x_i went ----

class ConcatNode final : public Node {
 public:
  ConcatNode(int dim, std::vector<std::int64_t> sizes) : dim_(dim), sizes_(std::move(sizes)) {}
  const char* name() const override { return "concat"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    std::vector<Tensor> gradients(sizes_.size());
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      if (needs(i)) gradients[i] = slice(dy, dim_, begin, begin + sizes_[i]);
      begin += sizes_[i];
    }
    return gradients;
  }
  void release_saved() override {}
  bool runs_again() const override { return true; }

 private:
  int dim_;
  std::vector<std::int64_t> sizes_;
};

}  // namespace

Tensor with_shape(const Tensor& x, const Shape& shape) {
  // Via logical row-major order. At most one of the two steps copies unless both shapes have rank
  // 4.
  if (x.shape() == shape) return view_or_copy(x, 0, shape, dense_strides(shape));
  const Tensor flat = [&] {
    Shape sizes{x.numel()};
    if (x.rank() != 4) return Tensor::wrap(x.storage(), x.storage_offset(), sizes, x.dtype());
    // Rank 5 with a leading 1 is row-major, so copying into it gives the logical order.
    Shape five{1};
    Strides strides{0};
    const Strides own = dense_strides(x.shape());
    for (int d = 0; d < 4; ++d) {
      five.push_back(x.shape()[d]);
      strides.push_back(own[d]);
    }
    return view_or_copy(x, 0, five, strides);
  }();
  return view_or_copy(flat, 0, shape, row_major_strides(shape));
}

Tensor reshape(const Tensor& x, const std::vector<std::int64_t>& sizes) {
  check_defined("reshape", {{"input", x}});
  std::vector<std::int64_t> wanted = sizes;
  std::int64_t known = 1;
  bool overflow = false;
  auto unknown = wanted.end();
  for (auto size = wanted.begin(); size != wanted.end(); ++size) {
    if (*size == -1 && unknown == wanted.end()) {
      unknown = size;
    } else if (*size < 0) {
      throw_value_error("reshape",
                        fmt::format("sizes [{}] may hold one -1 and no other negative size",
                                    fmt::join(sizes, ",")),
                        {{"input", x}});
    } else {
      overflow = __builtin_mul_overflow(known, *size, &known) || overflow;
    }
  }
  if (unknown != wanted.end() && known > 0) *unknown = x.numel() / known;
  const bool fits =
      unknown == wanted.end() ? known == x.numel() : known > 0 && x.numel() % known == 0;
  if (overflow || !fits) {
    throw_shape_error("reshape",
                      fmt::format("{} elements do not fit [{}]", x.numel(), fmt::join(sizes, ",")),
                      {{"input", x}});
  }
  return reshape_to(x, Shape::from(wanted.data(), static_cast<int>(wanted.size())));
}

Tensor flatten(const Tensor& x, int start_dim, int end_dim) {
  check_defined("flatten", {{"input", x}});
  if (x.rank() == 0) return reshape(x, {1});
  start_dim = check_dim("flatten", x, start_dim);
  end_dim = check_dim("flatten", x, end_dim);
  if (start_dim > end_dim) {
    throw_value_error("flatten",
                      fmt::format("start_dim {} lies after end_dim {}", start_dim, end_dim),
                      {{"input", x}});
  }
  Shape shape;
  for (int d = 0; d < x.rank(); ++d) {
    if (d > start_dim && d <= end_dim) {
      shape[shape.rank() - 1] *= x.shape()[d];
    } else {
      shape.push_back(x.shape()[d]);
    }
  }
  return reshape_to(x, shape);
}

Tensor permute(const Tensor& x, const std::vector<int>& order) {
  check_defined("permute", {{"input", x}});
  std::vector<int> positive;
  std::uint32_t seen = 0;
  for (const int dim : order) {
    positive.push_back(check_dim("permute", x, dim));
    seen |= 1U << positive.back();
  }
  if (static_cast<int>(order.size()) != x.rank() || seen != (1U << x.rank()) - 1U) {
    throw_value_error("permute",
                      fmt::format("order [{}] must name each of {} dimensions once",
                                  fmt::join(order, ","), x.rank()),
                      {{"input", x}});
  }
  const Strides own = dense_strides(x.shape());
  Shape shape;
  Strides strides;
  for (const int dim : positive) {
    shape.push_back(x.shape()[dim]);
    strides.push_back(own[dim]);
  }
  Tensor y = view_or_copy(x, 0, shape, strides);
  record_one<PermuteNode>(y, x, positive);
  return y;
}

Tensor transpose(const Tensor& x, int dim_a, int dim_b) {
  check_defined("transpose", {{"input", x}});
  std::vector<int> order;
  for (int d = 0; d < x.rank(); ++d) order.push_back(d);
  std::swap(order[static_cast<std::size_t>(check_dim("transpose", x, dim_a))],
            order[static_cast<std::size_t>(check_dim("transpose", x, dim_b))]);
  return permute(x, order);
}

Tensor slice(const Tensor& x, int dim, std::int64_t begin, std::int64_t end) {
  check_defined("slice", {{"input", x}});
  dim = check_dim("slice", x, dim);
  if (begin < 0 || end < begin || end > x.shape()[dim]) {
    throw_value_error(
        "slice",
        fmt::format("[{},{}) is outside dimension {} of size {}", begin, end, dim, x.shape()[dim]),
        {{"input", x}});
  }
  const Strides strides = dense_strides(x.shape());
  const std::int64_t offset = begin * strides[dim];
  Shape shape = x.shape();
  shape[dim] = end - begin;
  Tensor y = view_or_copy(x, offset, shape, strides);
  record_one<SliceNode>(y, x, x.shape(), offset);
  return y;
}

Tensor concat(const std::vector<Tensor>& xs, int dim) {
  if (xs.empty()) throw ValueError("concat: no inputs");
  check_defined("concat", {{"input 0", xs[0]}});
  dim = check_dim("concat", xs[0], dim);
  Shape shape = xs[0].shape();
  std::vector<std::int64_t> sizes{shape[dim]};
  for (std::size_t i = 1; i < xs.size(); ++i) {
    const std::string name = fmt::format("input {}", i);
    check_defined("concat", {{"input 0", xs[0]}, {name.c_str(), xs[i]}});
    if (xs[i].dtype() != xs[0].dtype()) {
      throw DTypeError(fmt::format("concat: input 0 is {}, {} is {}", name_of(xs[0].dtype()), name,
                                   name_of(xs[i].dtype())));
    }
    bool fits = xs[i].rank() == shape.rank();
    for (int d = 0; fits && d < shape.rank(); ++d) {
      fits = d == dim || xs[i].shape()[d] == shape[d];
    }
    if (!fits) {
      throw_shape_error("concat", fmt::format("sizes differ outside dimension {}", dim),
                        {{"input 0", xs[0]}, {name.c_str(), xs[i]}});
    }
    sizes.push_back(xs[i].shape()[dim]);
    shape[dim] += sizes.back();
  }
  Tensor y = empty_on(xs[0], shape, xs[0].dtype());
  const std::int64_t stride = dense_strides(shape)[dim];
  std::int64_t begin = 0;
  for (const Tensor& x : xs) {
    copy_into(y, begin * stride, x);
    begin += x.shape()[dim];
  }
  if (any_requires_grad(xs)) {
    auto node = std::make_shared<ConcatNode>(dim, std::move(sizes));
    set_inputs(*node, xs);
    record(y, std::move(node));
  }
  return y;
}

Tensor unsqueeze(const Tensor& x, int dim) {
  check_defined("unsqueeze", {{"input", x}});
  const int rank = x.rank() + 1;
  if (dim < -rank || dim >= rank) {
    throw_value_error("unsqueeze",
                      fmt::format("dimension {} is out of range for rank {}", dim, rank),
                      {{"input", x}});
  }
  if (dim < 0) dim += rank;
  Shape shape;
  for (int d = 0; d < rank; ++d) {
    shape.push_back(d == dim ? 1 : x.shape()[d < dim ? d : d - 1]);
  }
  return reshape_to(x, shape);
}

Tensor squeeze(const Tensor& x, int dim) {
  check_defined("squeeze", {{"input", x}});
  dim = check_dim("squeeze", x, dim);
  if (x.shape()[dim] != 1) {
    throw_shape_error("squeeze",
                      fmt::format("dimension {} has size {}, expected 1", dim, x.shape()[dim]),
                      {{"input", x}});
  }
  Shape shape;
  for (int d = 0; d < x.rank(); ++d) {
    if (d != dim) shape.push_back(x.shape()[d]);
  }
  return reshape_to(x, shape);
}

}  // namespace hanok::ops
