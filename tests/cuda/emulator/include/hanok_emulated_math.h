// CUDA's device functions that depend only on their arguments. Approximate ones (__expf, ...) are
// computed exactly: a test's tolerance must not depend on the emulator's error.
#pragma once

#include <bit>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <type_traits>

// ---- selection ----

#define HANOK_MIN_MAX(T)                           \
  inline T min(T a, T b) { return b < a ? b : a; } \
  inline T max(T a, T b) { return a < b ? b : a; }
HANOK_MIN_MAX(int)
HANOK_MIN_MAX(unsigned int)
HANOK_MIN_MAX(long)
HANOK_MIN_MAX(unsigned long)
HANOK_MIN_MAX(long long)
HANOK_MIN_MAX(unsigned long long)
#undef HANOK_MIN_MAX
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline float __saturatef(float x) { return x > 0.0F ? fminf(x, 1.0F) : 0.0F; }  // NaN gives 0

// ---- arithmetic with a stated rounding, never contracted ----

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frcp_rn(float x) { return 1.0F / x; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }

// ---- functions ----

inline float rsqrtf(float x) { return static_cast<float>(1.0 / sqrt(static_cast<double>(x))); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __frsqrt_rn(float x) { return rsqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return exp10f(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __log10f(float x) { return log10f(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanf(float x) { return tanf(x); }
inline void __sincosf(float x, float* sine, float* cosine) { sincosf(x, sine, cosine); }
inline float __fdividef(float a, float b) { return a / b; }
inline float fdividef(float a, float b) { return a / b; }
inline float sinpif(float x) { return static_cast<float>(sin(M_PI * static_cast<double>(x))); }
inline float cospif(float x) { return static_cast<float>(cos(M_PI * static_cast<double>(x))); }
inline void sincospif(float x, float* sine, float* cosine) {
  *sine = sinpif(x);
  *cosine = cospif(x);
}
inline float normcdff(float x) {
  return static_cast<float>(0.5 * erfc(-static_cast<double>(x) * M_SQRT1_2));
}

// ---- conversions ----

/// CUDA's conversions clamp, and give 0 for NaN.
template <typename T>
inline T hanok_emulated_clamped(double x) {
  if (!(x == x)) return 0;
  // 2^31, 2^32, 2^63, 2^64: exact as doubles, one above the largest value.
  const double end = ldexp(1.0, static_cast<int>(8 * sizeof(T)) - (std::is_signed_v<T> ? 1 : 0));
  const double begin = std::is_signed_v<T> ? -end : 0.0;
  if (x >= end) {
    return static_cast<T>(~T{0} ^ (std::is_signed_v<T> ? T{1} << (8 * sizeof(T) - 1) : T{0}));
  }
  if (x <= begin) return static_cast<T>(begin);
  return static_cast<T>(x);
}
inline int __float2int_rn(float x) { return hanok_emulated_clamped<int>(rint(x)); }
inline int __float2int_rz(float x) { return hanok_emulated_clamped<int>(trunc(x)); }
inline int __float2int_rd(float x) { return hanok_emulated_clamped<int>(floor(x)); }
inline int __float2int_ru(float x) { return hanok_emulated_clamped<int>(ceil(x)); }
inline unsigned __float2uint_rn(float x) { return hanok_emulated_clamped<unsigned>(rint(x)); }
inline unsigned __float2uint_rz(float x) { return hanok_emulated_clamped<unsigned>(trunc(x)); }
inline unsigned __float2uint_rd(float x) { return hanok_emulated_clamped<unsigned>(floor(x)); }
inline unsigned __float2uint_ru(float x) { return hanok_emulated_clamped<unsigned>(ceil(x)); }
inline long long __float2ll_rn(float x) { return hanok_emulated_clamped<long long>(rint(x)); }
inline long long __float2ll_rz(float x) { return hanok_emulated_clamped<long long>(trunc(x)); }
inline int __double2int_rn(double x) { return hanok_emulated_clamped<int>(rint(x)); }
inline int __double2int_rz(double x) { return hanok_emulated_clamped<int>(trunc(x)); }
inline long long __double2ll_rn(double x) { return hanok_emulated_clamped<long long>(rint(x)); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __ll2float_rn(long long x) { return static_cast<float>(x); }
inline float __ull2float_rn(unsigned long long x) { return static_cast<float>(x); }
inline double __int2double_rn(int x) { return x; }
inline double __ll2double_rn(long long x) { return static_cast<double>(x); }

inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }

// ---- bits ----

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline int __ffsll(long long x) {
  return x == 0 ? 0 : std::countr_zero(static_cast<unsigned long long>(x)) + 1;
}
inline unsigned __brev(unsigned x) {
  unsigned reversed = 0;
  for (int i = 0; i < 32; ++i) reversed |= ((x >> i) & 1U) << (31 - i);
  return reversed;
}
inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) {
  const uint64_t bytes = (uint64_t{high} << 32) | low;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned pick = (selector >> (4 * i)) & 0xfU;
    unsigned byte = static_cast<unsigned>(bytes >> (8 * (pick & 7U))) & 0xffU;
    if ((pick & 8U) != 0) byte = (byte & 0x80U) != 0 ? 0xffU : 0U;  // the sign, replicated
    result |= byte << (8 * i);
  }
  return result;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((((uint64_t{high} << 32) | low) << (shift & 31U)) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>(((uint64_t{high} << 32) | low) >> (shift & 31U));
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((uint64_t{a} * b) >> 32);
}
inline int __mulhi(int a, int b) { return static_cast<int>((int64_t{a} * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<unsigned long long>((static_cast<Wide>(a) * b) >> 64);
}

// ---- loads and stores with a cache hint ----

#define HANOK_LOAD(name)                                           \
  template <typename T>                                            \
  __attribute__((always_inline)) inline T name(const T* address) { \
    return *address;                                               \
  }
#define HANOK_STORE(name)                                                                      \
  template <typename T>                                                                        \
  __attribute__((always_inline)) inline void name(T* address, std::type_identity_t<T> value) { \
    *address = value;                                                                          \
  }
HANOK_LOAD(__ldg)
HANOK_LOAD(__ldca)
HANOK_LOAD(__ldcg)
HANOK_LOAD(__ldcs)
HANOK_LOAD(__ldlu)
HANOK_LOAD(__ldcv)
HANOK_STORE(__stwb)
HANOK_STORE(__stcg)
HANOK_STORE(__stcs)
HANOK_STORE(__stwt)
#undef HANOK_LOAD
#undef HANOK_STORE
