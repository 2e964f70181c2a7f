#include "hanok/engine/ops/common.h"

#include <fmt/format.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/precision.h"
#include "hanok/kernels/base/error.h"

namespace hanok::ops {

namespace {

std::string shapes_of(Operands operands) {
  std::string text;
  for (const Operand& operand : operands) {
    if (!operand.tensor.defined()) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", operand.name,
                        operand.tensor.shape().to_string());
  }
  return text;
}

void check_type(const char* op, const Operand& operand, DType expected, Operands operands) {
  if (!operand.tensor.defined() || operand.tensor.dtype() == expected) return;
  throw DTypeError(fmt::format("{}: {} is {}, expected {} ({})", op, operand.name,
                               name_of(operand.tensor.dtype()), name_of(expected),
                               shapes_of(operands)));
}

}  // namespace

void check_defined(const char* op, Operands operands) {
  const Operand* first = nullptr;
  for (const Operand& operand : operands) {
    if (!operand.tensor.defined()) {
      if (operand.optional) continue;
      throw ValueError(fmt::format("{}: {} is undefined", op, operand.name));
    }
    if (first == nullptr) first = &operand;
    if (operand.tensor.device() != first->tensor.device()) {
      throw DeviceError(fmt::format("{}: {} is on {}, {} is on {}", op, first->name,
                                    first->tensor.device().to_string(), operand.name,
                                    operand.tensor.device().to_string()));
    }
  }
}

void check_f32(const char* op, Operands operands) {
  check_defined(op, operands);
  for (const Operand& operand : operands) check_type(op, operand, DType::F32, operands);
}

void check_product(const char* op, const Tensor& x, Operands operands) {
  check_defined(op, operands);
  for (const Operand& operand : operands) {
    const bool is_x = &operand.tensor == &x;
    check_type(op, operand, is_x ? compute_dtype(precision()) : DType::F32, operands);
  }
}

void check_activations(const char* op, Operands operands) {
  check_defined(op, operands);
  const Tensor* first = nullptr;
  for (const Operand& operand : operands) {
    if (first == nullptr && operand.tensor.defined()) first = &operand.tensor;
  }
  if (first == nullptr) return;
  const DType expected = is_half(*first) ? first->dtype() : DType::F32;
  for (const Operand& operand : operands) check_type(op, operand, expected, operands);
}

void throw_shape_error(const char* op, const std::string& what, Operands operands) {
  throw ShapeError(fmt::format("{}: {} ({})", op, what, shapes_of(operands)));
}

void throw_value_error(const char* op, const std::string& what, Operands operands) {
  throw ValueError(fmt::format("{}: {} ({})", op, what, shapes_of(operands)));
}

int check_dim(const char* op, const Tensor& x, int dim) {
  const int rank = x.rank();
  if (dim < -rank || dim >= rank) {
    throw_value_error(op, fmt::format("dimension {} is out of range for rank {}", dim, rank),
                      {{"input", x}});
  }
  return dim < 0 ? dim + rank : dim;
}

Tensor empty_on(const Tensor& like, const Shape& shape, DType dtype) {
  return Tensor::empty(shape, {dtype, like.device()});
}

Tensor empty_like(const Tensor& like) { return empty_on(like, like.shape(), like.dtype()); }

Tensor empty_over(std::initializer_list<const Tensor*> operands) {
  const Tensor& first = **operands.begin();
  for (const Tensor* operand : operands) {
    if (operand->defined() && operand->shape() == first.shape() &&
        operand->dtype() == first.dtype() && is_owned_alone(*operand)) {
      return *operand;
    }
  }
  return empty_like(first);
}

ConstView view_or_none(const Tensor& x) { return x.defined() ? x.view() : ConstView{}; }

Lanes lanes_along(const Shape& shape, int dim) {
  const Shape sizes = physical_shape(shape);
  const int position = physical_dim(shape.rank(), dim);
  Lanes lanes{1, sizes[position], 1};
  for (int i = 0; i < sizes.rank(); ++i) {
    if (i < position) lanes.outer *= sizes[i];
    if (i > position) lanes.inner *= sizes[i];
  }
  return lanes;
}

StridedConstView broadcast_view(const Tensor& x, const Shape& out) {
  const Strides own = dense_strides(x.shape());
  const int missing = out.rank() - x.rank();
  Strides strides = out;  // right rank; every entry is overwritten
  for (int d = 0; d < out.rank(); ++d) {
    const bool broadcast = d < missing || x.shape()[d - missing] == 1;
    strides[physical_dim(out.rank(), d)] = broadcast ? 0 : own[d - missing];
  }
  return {x.view().data, x.dtype(), physical_shape(out), strides};
}

Tensor expand(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  Tensor y = empty_on(x, shape, x.dtype());
  const Target target(x);
  const Shape sizes = physical_shape(shape);
  target.run(StridedCopy{{y.mutable_view().data, y.dtype(), sizes, row_major_strides(sizes)},
                         broadcast_view(x, shape)});
  return y;
}

Tensor reduce_keeping_dims(ReduceOp op, const Tensor& x, std::uint32_t dims) {
  Shape out = x.shape();
  std::uint32_t memory_dims = 0;
  for (int d = 0; d < x.rank(); ++d) {
    if ((dims >> d & 1U) == 0) continue;
    out[d] = 1;
    memory_dims |= 1U << physical_dim(x.rank(), d);
  }
  Tensor y = empty_on(x, out, x.dtype());
  const Target target(x);
  const Shape sizes = physical_shape(x.shape());
  target.run(Reduce{.kind = op,
                    .x = {x.view().data, x.dtype(), sizes, row_major_strides(sizes)},
                    .dims = memory_dims,
                    .out = y.mutable_view()});
  return y;
}

Tensor sum_to(const Tensor& gradient, const Shape& shape) {
  if (!gradient.defined() || gradient.shape() == shape) return gradient;
  const int missing = gradient.rank() - shape.rank();
  std::uint32_t dims = 0;
  for (int d = 0; d < gradient.rank(); ++d) {
    if (gradient.shape()[d] != 1 && (d < missing || shape[d - missing] == 1)) dims |= 1U << d;
  }
  const Tensor sums = dims == 0 ? gradient : reduce_keeping_dims(ReduceOp::Sum, gradient, dims);
  return with_shape(sums, shape);
}

}  // namespace hanok::ops
