// Elements of any type as numbers, for code that need not be fast: conversion and statistics.
#pragma once

#include <bit>
#include <cstdint>

#include "hanok/engine/tensor.h"

namespace hanok::weights {

/// IEEE 754 half precision (1 sign, 5 exponent, 10 fraction bits); exact.
inline float float_from_f16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1Fu;
  const std::uint32_t fraction = bits & 0x3FFu;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000u | (fraction << 13));
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  }
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // zero and subnormals
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

/// The upper half of a float; exact.
inline float float_from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// Calls visit(value) for each element of a CPU tensor in memory order; value is a float, double,
/// std::int64_t or std::uint8_t.
template <typename Visit>
void for_each_element(const Tensor& tensor, Visit&& visit) {
  const auto count = static_cast<std::size_t>(tensor.numel());
  const void* data = tensor.view().data;
  const auto all = [&](auto example, auto convert) {
    const auto* elements = static_cast<const decltype(example)*>(data);
    for (std::size_t i = 0; i < count; ++i) visit(convert(elements[i]));
  };
  const auto same = [](auto value) { return value; };
  switch (tensor.dtype()) {
    case DType::F32:
      return all(float{}, same);
    case DType::F64:
      return all(double{}, same);
    case DType::F16:
      return all(std::uint16_t{}, float_from_f16);
    case DType::BF16:
      return all(std::uint16_t{}, float_from_bf16);
    case DType::U8:
      return all(std::uint8_t{}, same);
    case DType::I64:
      return all(std::int64_t{}, same);
  }
}

}  // namespace hanok::weights
