// What all ops share: where they run, checks with one style of message, views for broadcasting.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "hanok/engine/runtime.h"
#include "hanok/engine/tensor.h"
#include "hanok/kernels/backend.h"

namespace hanok::ops {

/// Backend and context that an op on x's device uses.
struct Target {
  explicit Target(const Tensor& x)
      : backend(backend_of(x.device())), context(context_of(x.device())) {}
  Backend& backend;
  ExecContext& context;

  template <Primitive Op>
  void run(const Op& op) const {
    backend.run(context, op);
  }
};

/// A named argument, for checks and messages.
struct Operand {
  const char* name;
  const Tensor& tensor;
  bool optional = false;  // may be undefined
};
using Operands = std::initializer_list<Operand>;

/// All operands are defined (unless optional) and on one device. Throws ValueError or DeviceError.
void check_defined(const char* op, Operands operands);
/// The same, and all are f32 (else DTypeError).
void check_f32(const char* op, Operands operands);
/// The same, and all are f32 or, on CUDA, all f16 or all bf16 (else DTypeError).
void check_activations(const char* op, Operands operands);
/// The same, and the operand that is `x` has the type in which products compute now (precision.h),
/// all others are f32.
void check_product(const char* op, const Tensor& x, Operands operands);
/// "conv2d: what (input [8,64,56,56], weight [256,128,3,3])"
[[noreturn]] void throw_shape_error(const char* op, const std::string& what, Operands operands);
/// The same text as a ValueError, for an argument outside its range.
[[noreturn]] void throw_value_error(const char* op, const std::string& what, Operands operands);
/// `dim` counted from the front. Throws ValueError if it is outside [-rank, rank).
int check_dim(const char* op, const Tensor& x, int dim);

/// Uninitialised, on the device of `like`.
Tensor empty_on(const Tensor& like, const Shape& shape, DType dtype = DType::F32);
/// Uninitialised, with the shape, type and device of `like`.
Tensor empty_like(const Tensor& like);
/// For a result of the first one's shape that may overwrite an operand, element by element: the
/// first of `operands` whose elements have no other owner, or an uninitialised tensor. Undefined
/// operands and those of another size are skipped.
Tensor empty_over(std::initializer_list<const Tensor*> operands);
/// The view of a tensor that may be undefined.
ConstView view_or_none(const Tensor& x);

/// A dense tensor of this shape seen along one dimension.
Lanes lanes_along(const Shape& shape, int dim);

/// `x` as if it had shape `out`, in out's memory order, with stride 0 where it broadcasts.
StridedConstView broadcast_view(const Tensor& x, const Shape& out);

// Not recorded in the graph; for use inside ops and their backward functions.

/// A dense copy of x broadcast to `shape`; x itself if it has that shape.
Tensor expand(const Tensor& x, const Shape& shape);
/// Sum (or mean) over the logical dimensions whose bit is set in `dims`; these stay with size 1.
Tensor reduce_keeping_dims(ReduceOp op, const Tensor& x, std::uint32_t dims);
/// The adjoint of expand: sums `gradient` over the dimensions along which `shape` was broadcast.
Tensor sum_to(const Tensor& gradient, const Shape& shape);
/// The same elements in logical order with another shape of equal numel.
Tensor with_shape(const Tensor& x, const Shape& shape);

}  // namespace hanok::ops
