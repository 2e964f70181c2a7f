// The 16-bit float formats as storage: conversions round to nearest, ties to even, and use integer
// operations only, so that flush-to-zero does not affect them.
#pragma once

#include <bit>
#include <cstdint>

#include "hanok/kernels/base/host_device.h"

#pragma GCC visibility push(default)
namespace hanok {

struct F16 {
  std::uint16_t bits;
};
struct BF16 {
  std::uint16_t bits;
};

inline float to_float(BF16 x) { return std::bit_cast<float>(std::uint32_t{x.bits} << 16); }

inline BF16 to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffU) > 0x7f800000U) {  // NaN remains NaN
    return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};
  }
  return {static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16)};
}

inline float to_float(F16 x) {
  const std::uint32_t sign = (x.bits & 0x8000U) << 16;
  const std::uint32_t exponent = (x.bits >> 10) & 0x1fU;
  std::uint32_t mantissa = x.bits & 0x3ffU;
  if (exponent == 31) {
    return std::bit_cast<float>(sign | 0x7f800000U | (mantissa << 13));
  }
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  }
  if (mantissa == 0) {
    return std::bit_cast<float>(sign);
  }
  // A denormal, mantissa * 2^-24: a normal float once its leading one is the implicit bit.
  const int shift = std::countl_zero(mantissa) - 21;
  mantissa = (mantissa << shift) & 0x3ffU;
  return std::bit_cast<float>(sign | (static_cast<std::uint32_t>(113 - shift) << 23) |
                              (mantissa << 13));
}

inline F16 to_f16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000U) {
    half = 0x7e00U | ((magnitude >> 13) & 0x3ffU);
  } else if (magnitude >= 0x477ff000U) {  // 65520 and beyond round to infinity
    half = 0x7c00U;
  } else if (magnitude >= 0x38800000U) {  // normal in f16: 2^-14 and beyond
    half = (magnitude - 0x38000000U + 0xfffU + ((magnitude >> 13) & 1U)) >> 13;
  } else if (magnitude >= 0x33000000U) {  // 2^-25 and beyond: a denormal, a multiple of 2^-24
    const std::uint32_t shift = 126 - (magnitude >> 23);
    const std::uint32_t mantissa = (magnitude & 0x7fffffU) | 0x800000U;
    const std::uint32_t rest = mantissa & ((1U << shift) - 1);
    const std::uint32_t tie = 1U << (shift - 1);
    half = mantissa >> shift;
    half += static_cast<std::uint32_t>(rest > tie || (rest == tie && (half & 1U) != 0));
  }
  return {static_cast<std::uint16_t>(sign | half)};
}

/// Rounds to a float such that a second rounding to 16 bits equals a single rounding: an inexact
/// result gets its last bit set ("round to odd").
HANOK_HOST_DEVICE inline float to_float_odd(double x) {
  const auto nearest = static_cast<float>(x);
  const double back = nearest;
  auto bits = __builtin_bit_cast(std::uint32_t, nearest);
  if (back == x || x != x || (bits & 0x7f800000U) == 0x7f800000U) {
    return nearest;
  }
  const bool away = x > 0 ? back > x : back < x;
  bits -= static_cast<std::uint32_t>(away);  // truncated towards zero
  return __builtin_bit_cast(float, bits | 1U);
}

}  // namespace hanok
#pragma GCC visibility pop
