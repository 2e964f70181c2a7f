// Eight floats as one value: an AVX register, or an array that the compiler splits as it can.
// Just what the Winograd transforms need. Beside simd.h because its one point is the fused
// multiply-add, which the compilers' vector types cannot ask for.
#pragma once

#include <stdint.h>

#ifdef HANOK_ISA_avx2
#include <immintrin.h>
#endif

namespace hanok::cpu::HANOK_ISA {
namespace {

#ifdef HANOK_ISA_avx2

struct Vec8 {
  __m256 v;
};
inline Vec8 load8(const float* p) { return {_mm256_loadu_ps(p)}; }
inline void store8(float* p, Vec8 a) { _mm256_storeu_ps(p, a.v); }
inline Vec8 all8(float a) { return {_mm256_set1_ps(a)}; }
inline Vec8 operator+(Vec8 a, Vec8 b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vec8 operator-(Vec8 a, Vec8 b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vec8 operator*(Vec8 a, Vec8 b) { return {_mm256_mul_ps(a.v, b.v)}; }
// a * b + c and a * b - c and c - a * b, rounded once.
inline Vec8 mul_add(Vec8 a, Vec8 b, Vec8 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline Vec8 mul_sub(Vec8 a, Vec8 b, Vec8 c) { return {_mm256_fmsub_ps(a.v, b.v, c.v)}; }
inline Vec8 sub_mul(Vec8 c, Vec8 a, Vec8 b) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
// min(max(a, 0), ceiling), keeps NaN.
inline Vec8 clip8(Vec8 a, Vec8 ceiling) {
  return {_mm256_min_ps(ceiling.v, _mm256_max_ps(_mm256_setzero_ps(), a.v))};
}
// Lane j of row i becomes lane i of row j: three rounds of interleaving.
inline void transpose8(Vec8* rows) {
  __m256 s[8];
  __m256 r[8];
  for (int i = 0; i < 4; ++i) {
    s[2 * i] = _mm256_unpacklo_ps(rows[2 * i].v, rows[2 * i + 1].v);
    s[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i].v, rows[2 * i + 1].v);
  }
  for (int i = 0; i < 2; ++i) {
    r[4 * i] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0xEE);
    r[4 * i + 2] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0xEE);
  }
  for (int i = 0; i < 4; ++i) {
    rows[i].v = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
    rows[i + 4].v = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
  }
}

#else

struct Vec8 {
  float v[8];
};
inline Vec8 load8(const float* p) {
  Vec8 r;
  for (int i = 0; i < 8; ++i) r.v[i] = p[i];
  return r;
}
inline void store8(float* p, Vec8 a) {
  for (int i = 0; i < 8; ++i) p[i] = a.v[i];
}
inline Vec8 all8(float a) {
  Vec8 r;
  for (float& v : r.v) v = a;
  return r;
}
inline Vec8 operator+(Vec8 a, Vec8 b) {
  for (int i = 0; i < 8; ++i) a.v[i] += b.v[i];
  return a;
}
inline Vec8 operator-(Vec8 a, Vec8 b) {
  for (int i = 0; i < 8; ++i) a.v[i] -= b.v[i];
  return a;
}
inline Vec8 operator*(Vec8 a, Vec8 b) {
  for (int i = 0; i < 8; ++i) a.v[i] *= b.v[i];
  return a;
}
inline Vec8 mul_add(Vec8 a, Vec8 b, Vec8 c) { return a * b + c; }
inline Vec8 mul_sub(Vec8 a, Vec8 b, Vec8 c) { return a * b - c; }
inline Vec8 sub_mul(Vec8 c, Vec8 a, Vec8 b) { return c - a * b; }
inline Vec8 clip8(Vec8 a, Vec8 ceiling) {
  for (int i = 0; i < 8; ++i) {
    const float v = a.v[i];
    a.v[i] = v < 0.0F ? 0.0F : v > ceiling.v[i] ? ceiling.v[i] : v;  // keeps NaN
  }
  return a;
}
inline void transpose8(Vec8* rows) {
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < i; ++j) {
      const float v = rows[i].v[j];
      rows[i].v[j] = rows[j].v[i];
      rows[j].v[i] = v;
    }
  }
}

#endif

}  // namespace
}  // namespace hanok::cpu::HANOK_ISA
