// Element types. There is no implicit promotion: mixing types is a DTypeError.
#pragma once

#include <cstddef>
#include <cstdint>

#pragma GCC visibility push(default)
namespace hanok {

enum class DType : std::uint8_t { F32, F64, F16, BF16, U8, I64 };

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::F64:
    case DType::I64:
      return 8;
    case DType::F32:
      return 4;
    case DType::F16:
    case DType::BF16:
      return 2;
    case DType::U8:
      return 1;
  }
  return 0;
}

/// Short name as written in messages: "f32", "i64", ...
constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::F32:
      return "f32";
    case DType::F64:
      return "f64";
    case DType::F16:
      return "f16";
    case DType::BF16:
      return "bf16";
    case DType::U8:
      return "u8";
    case DType::I64:
      return "i64";
  }
  return "?";
}

/// The DType of a C++ element type: dtype_of<float>() == DType::F32.
template <typename T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::F32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::F64;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::U8;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::I64;
}

}  // namespace hanok
#pragma GCC visibility pop
