// Constants shared by the reader and the writer of safetensors.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "hanok/kernels/base/dtype.h"

namespace hanok::weights {

inline constexpr std::string_view kMetadataName = "__metadata__";

struct SafetensorsType {
  std::string_view name;
  DType dtype;
};
inline constexpr std::array<SafetensorsType, 6> kSafetensorsTypes{{
    {"F32", DType::F32},
    {"F64", DType::F64},
    {"F16", DType::F16},
    {"BF16", DType::BF16},
    {"U8", DType::U8},
    {"I64", DType::I64},
}};

/// Types that hanok does not have: tensors of them are left out.
struct UnsupportedSafetensorsType {
  std::string_view name;
  std::size_t size;  // bytes
};
inline constexpr std::array<UnsupportedSafetensorsType, 10> kUnsupportedSafetensorsTypes{{
    {"BOOL", 1},
    {"I8", 1},
    {"I16", 2},
    {"U16", 2},
    {"I32", 4},
    {"U32", 4},
    {"U64", 8},
    {"F8_E4M3", 1},
    {"F8_E5M2", 1},
    {"C64", 8},
}};

/// Bytes of an element of such a type; 0 for an unknown name.
constexpr std::size_t size_of_unsupported(std::string_view name) {
  for (const UnsupportedSafetensorsType& type : kUnsupportedSafetensorsTypes) {
    if (type.name == name) return type.size;
  }
  return 0;
}

constexpr std::optional<DType> dtype_from_safetensors(std::string_view name) {
  for (const SafetensorsType& type : kSafetensorsTypes) {
    if (type.name == name) return type.dtype;
  }
  return {};
}

constexpr std::string_view name_in_safetensors(DType dtype) {
  for (const SafetensorsType& type : kSafetensorsTypes) {
    if (type.dtype == dtype) return type.name;
  }
  return {};
}

}  // namespace hanok::weights
