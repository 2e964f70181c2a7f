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
