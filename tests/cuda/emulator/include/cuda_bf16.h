// The part of __nv_bfloat16 that hanok uses: stored as 16 bits, computed in float, rounded once to
// nearest.
#pragma once

#include <cuda_runtime.h>

#include "hanok/kernels/base/half.h"

struct alignas(2) __nv_bfloat16 {
  uint16_t bits;
  __nv_bfloat16() = default;
  __nv_bfloat16(float x) : bits(hanok::to_bf16(x).bits) {}  // NOLINT(google-explicit-constructor)
  __nv_bfloat16(double x)                                   // NOLINT(google-explicit-constructor)
      : bits(hanok::to_bf16(hanok::to_float_odd(x)).bits) {}
  __nv_bfloat16(int x)
      : __nv_bfloat16(static_cast<double>(x)) {}  // NOLINT(google-explicit-constructor)
  operator float() const {                        // NOLINT(google-explicit-constructor)
    return hanok::to_float(hanok::BF16{bits});
  }
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

inline __nv_bfloat16 __float2bfloat16(float x) { return {x}; }
inline __nv_bfloat16 __float2bfloat16_rn(float x) { return {x}; }
inline __nv_bfloat16 __double2bfloat16(double x) { return {x}; }
inline float __bfloat162float(__nv_bfloat16 x) { return x; }
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) {
  __nv_bfloat16 x;
  x.bits = bits;
  return x;
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits; }
inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 x, __nv_bfloat16 y) { return {x, y}; }
inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 x) { return {x, x}; }
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) { return {{x}, {y}}; }
inline __nv_bfloat162 __float22bfloat162_rn(float2 v) { return {{v.x}, {v.y}}; }
inline float2 __bfloat1622float2(__nv_bfloat162 v) { return {v.x, v.y}; }
inline __nv_bfloat16 __low2bfloat16(__nv_bfloat162 v) { return v.x; }
inline __nv_bfloat16 __high2bfloat16(__nv_bfloat162 v) { return v.y; }
inline float __low2float(__nv_bfloat162 v) { return v.x; }
inline float __high2float(__nv_bfloat162 v) { return v.y; }

#define HANOK_BFLOAT16_OPERATOR(op, name)                                        \
  inline __nv_bfloat16 operator op(__nv_bfloat16 a, __nv_bfloat16 b) {           \
    return {static_cast<float>(a) op static_cast<float>(b)};                     \
  }                                                                              \
  inline __nv_bfloat162 operator op(__nv_bfloat162 a, __nv_bfloat162 b) {        \
    return {a.x op b.x, a.y op b.y};                                             \
  }                                                                              \
  inline __nv_bfloat16 name(__nv_bfloat16 a, __nv_bfloat16 b) { return a op b; } \
  inline __nv_bfloat162 name##2(__nv_bfloat162 a, __nv_bfloat162 b) {            \
    return {a.x op b.x, a.y op b.y};                                             \
  }
HANOK_BFLOAT16_OPERATOR(+, __hadd)
HANOK_BFLOAT16_OPERATOR(-, __hsub)
HANOK_BFLOAT16_OPERATOR(*, __hmul)
#undef HANOK_BFLOAT16_OPERATOR
inline __nv_bfloat16 operator/(__nv_bfloat16 a, __nv_bfloat16 b) {
  return {static_cast<float>(a) / static_cast<float>(b)};
}
inline __nv_bfloat16 __hdiv(__nv_bfloat16 a, __nv_bfloat16 b) { return a / b; }
inline __nv_bfloat16 operator-(__nv_bfloat16 a) { return __ushort_as_bfloat16(a.bits ^ 0x8000U); }
inline __nv_bfloat16 __hneg(__nv_bfloat16 a) { return -a; }
// Products of bfloat16s are exact in double, and so is their rounding after to_float_odd.
inline __nv_bfloat16 __hfma(__nv_bfloat16 a, __nv_bfloat16 b, __nv_bfloat16 c) {
  return {fma(static_cast<double>(static_cast<float>(a)),
              static_cast<double>(static_cast<float>(b)),
              static_cast<double>(static_cast<float>(c)))};
}
inline __nv_bfloat162 __hfma2(__nv_bfloat162 a, __nv_bfloat162 b, __nv_bfloat162 c) {
  return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}
inline __nv_bfloat16 __hmax(__nv_bfloat16 a, __nv_bfloat16 b) { return {fmaxf(a, b)}; }
inline __nv_bfloat16 __hmin(__nv_bfloat16 a, __nv_bfloat16 b) { return {fminf(a, b)}; }
inline bool __hgt(__nv_bfloat16 a, __nv_bfloat16 b) {
  return static_cast<float>(a) > static_cast<float>(b);
}
inline bool __hlt(__nv_bfloat16 a, __nv_bfloat16 b) {
  return static_cast<float>(a) < static_cast<float>(b);
}
inline bool __hisnan(__nv_bfloat16 a) { return (a.bits & 0x7fffU) > 0x7f80U; }
