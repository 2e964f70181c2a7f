#include "hanok/kernels/operand_types.h"

#include <string>

#include "hanok/kernels/base/error.h"

namespace hanok {

void OperandTypes::check(Elements expected, DType found) {
  switch (expected) {
    case Elements::Data:
      return data_ == DataTypes::F32 ? require(DType::F32, found) : require_alike(found);
    case Elements::DataOrF32:
      if (found == DType::F32) return;
      return data_ == DataTypes::F32 ? require(DType::F32, found) : require_alike(found);
    case Elements::DataOrBf16:
      if (data_ == DataTypes::F32 && found == DType::BF16) return;
      return data_ == DataTypes::F32 ? require(DType::F32, found) : require_alike(found);
    case Elements::F32:
      return require(DType::F32, found);
    case Elements::I64:
      return require(DType::I64, found);
    case Elements::U8:
      return require(DType::U8, found);
    case Elements::Alike:
      return require_alike(found);
    case Elements::Any:
      return;
    case Elements::Targets:
      if (found == DType::I64 || found == DType::F32) return;
      throw DTypeError(std::string(op_) + ": targets are i64 class numbers or f32 probabilities, " +
                       "not " + name_of(found));
  }
}

void OperandTypes::require(DType expected, DType found) const {
  if (found != expected) {
    throw DTypeError(std::string(op_) + ": " + computer_ + " computes this in " +
                     name_of(expected) + ", not in " + name_of(found));
  }
}

void OperandTypes::require_alike(DType found) {
  if (!first_) first_ = found;
  if (found != *first_) {
    throw DTypeError(std::string(op_) + ": operands are " + name_of(*first_) + " and " +
                     name_of(found) + "; they must be of one type");
  }
}

}  // namespace hanok
