// The part of __half that hanok uses: stored as 16 bits, computed in float, rounded once to
// nearest.
#pragma once

#include <cuda_runtime.h>

#include "hanok/kernels/base/half.h"

struct alignas(2) __half {
  uint16_t bits;
  __half() = default;
  __half(float x) : bits(hanok::to_f16(x).bits) {}  // NOLINT(google-explicit-constructor)
  __half(double x)                                  // NOLINT(google-explicit-constructor)
      : bits(hanok::to_f16(hanok::to_float_odd(x)).bits) {}
  __half(int x) : __half(static_cast<double>(x)) {}  // NOLINT(google-explicit-constructor)
  operator float() const {                           // NOLINT(google-explicit-constructor)
    return hanok::to_float(hanok::F16{bits});
  }
};
struct alignas(4) __half2 {
  __half x, y;
};
using half = __half;
using half2 = __half2;

inline __half __float2half(float x) { return {x}; }
inline __half __float2half_rn(float x) { return {x}; }
inline __half __double2half(double x) { return {x}; }
inline float __half2float(__half x) { return x; }
inline __half __ushort_as_half(unsigned short bits) {
  __half x;
  x.bits = bits;
  return x;
}
inline unsigned short __half_as_ushort(__half x) { return x.bits; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline __half2 __half2half2(__half x) { return {x, x}; }
inline __half2 __floats2half2_rn(float x, float y) { return {{x}, {y}}; }
inline __half2 __float22half2_rn(float2 v) { return {{v.x}, {v.y}}; }
inline float2 __half22float2(__half2 v) { return {v.x, v.y}; }
inline __half __low2half(__half2 v) { return v.x; }
inline __half __high2half(__half2 v) { return v.y; }
inline float __low2float(__half2 v) { return v.x; }
inline float __high2float(__half2 v) { return v.y; }

#define HANOK_HALF_OPERATOR(op, name)                                                   \
  inline __half operator op(__half a, __half b) {                                       \
    return {static_cast<float>(a) op static_cast<float>(b)};                            \
  }                                                                                     \
  inline __half2 operator op(__half2 a, __half2 b) { return {a.x op b.x, a.y op b.y}; } \
  inline __half name(__half a, __half b) { return a op b; }                             \
  inline __half2 name##2(__half2 a, __half2 b) { return {a.x op b.x, a.y op b.y}; }
HANOK_HALF_OPERATOR(+, __hadd)
HANOK_HALF_OPERATOR(-, __hsub)
HANOK_HALF_OPERATOR(*, __hmul)
#undef HANOK_HALF_OPERATOR
inline __half operator/(__half a, __half b) {
  return {static_cast<float>(a) / static_cast<float>(b)};
}
inline __half __hdiv(__half a, __half b) { return a / b; }
inline __half operator-(__half a) { return __ushort_as_half(a.bits ^ 0x8000U); }
inline __half __hneg(__half a) { return -a; }
// Products of halves are exact in double, and so is their rounding after to_float_odd.
inline __half __hfma(__half a, __half b, __half c) {
  return {fma(static_cast<double>(static_cast<float>(a)),
              static_cast<double>(static_cast<float>(b)),
              static_cast<double>(static_cast<float>(c)))};
}
inline __half2 __hfma2(__half2 a, __half2 b, __half2 c) {
  return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}
inline __half __hmax(__half a, __half b) { return {fmaxf(a, b)}; }
inline __half __hmin(__half a, __half b) { return {fminf(a, b)}; }
inline bool __hgt(__half a, __half b) { return static_cast<float>(a) > static_cast<float>(b); }
inline bool __hlt(__half a, __half b) { return static_cast<float>(a) < static_cast<float>(b); }
inline bool __hisnan(__half a) { return (a.bits & 0x7fffU) > 0x7c00U; }
