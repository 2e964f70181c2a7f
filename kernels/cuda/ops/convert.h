// Conversion of one element between any two types, with the CPU's semantics
// (kernels/cpu/layout.cpp).
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "hanok/kernels/base/half.h"
#include "hanok/kernels/cuda/ops/storage.h"

namespace hanok::cuda {

/// The limits of an integer type; outside of functions, so that device code can use them.
template <typename T>
inline constexpr T kMinOf = std::numeric_limits<T>::min();
template <typename T>
inline constexpr T kMaxOf = std::numeric_limits<T>::max();

/// Between floats: rounds to nearest even. Floats to integers: towards zero, as C++ does, with NaN
/// to 0 and out-of-range values clamped. i64 to u8 clamps as well.
template <typename To, typename From>
HANOK_HOST_DEVICE To convert(From x) {
  constexpr bool kFromHalf = std::is_same_v<From, __half> || std::is_same_v<From, __nv_bfloat16>;
  constexpr bool kToHalf = std::is_same_v<To, __half> || std::is_same_v<To, __nv_bfloat16>;
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (kFromHalf) {
    return convert<To>(to_float(x));
  } else if constexpr (kToHalf && std::is_same_v<From, float>) {
    return from_float<To>(x);
  } else if constexpr (kToHalf) {  // i64 beyond 2^53 loses bits that neither format has
    return from_float<To>(to_float_odd(static_cast<double>(x)));
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    const double whole = trunc(static_cast<double>(x));
    if (whole != whole) return 0;
    if (whole <= static_cast<double>(kMinOf<To>)) return kMinOf<To>;
    return whole >= static_cast<double>(kMaxOf<To>) ? kMaxOf<To> : static_cast<To>(whole);
  } else if constexpr (std::is_integral_v<To> && sizeof(To) < sizeof(From)) {
    constexpr From kMin = kMinOf<To>;
    constexpr From kMax = kMaxOf<To>;
    return static_cast<To>(x < kMin ? kMin : x > kMax ? kMax : x);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace hanok::cuda
