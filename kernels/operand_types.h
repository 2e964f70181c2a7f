// The element types of a primitive's operands, checked the same way by every backend.
#pragma once

#include <optional>

#include "hanok/kernels/primitives/primitive.h"

namespace hanok {

/// The types of a device's data (Elements::Data).
enum class DataTypes { F32, F32OrHalf };

/// Checks the operands of one call, one after the other.
class OperandTypes {
 public:
  /// `op`: the primitive's name; `computer`: "the CPU". Both appear in messages.
  OperandTypes(const char* op, const char* computer, DataTypes data)
      : op_(op), computer_(computer), data_(data) {}

  /// Throws DTypeError unless `found` is what the description says.
  void check(Elements expected, DType found);

 private:
  void require(DType expected, DType found) const;
  void require_alike(DType found);

  const char* op_;
  const char* computer_;
  DataTypes data_;
  std::optional<DType> first_;  // the type that further operands must have
};

/// Throws DTypeError unless every operand has the type that the description says.
template <Primitive Op>
void check_operand_types(const Op& op, const char* computer, DataTypes data) {
  OperandTypes types(Op::kName, computer, data);
  for_each_operand(
      op, [&](const auto& view, Access, Elements expected) { types.check(expected, view.dtype); });
}

}  // namespace hanok
