// What the instruction-set files share: a vector of 8 floats and loops that a compiler may turn
// into vector code.
//
// Files of kernels/cpu/isa are compiled once per path (HANOK_ISA = portable, avx2). They include C
// headers and the kernels' plain types only, and all but the entry functions in namespace
// hanok::cpu::HANOK_ISA has internal linkage: otherwise the linker might pick the AVX2 copy of a
// shared inline function for the portable path. The vector types are the compilers' own (g++ and
// clang): with AVX2 one register, without it two SSE ones, with the same bits.
#pragma once

#include <stdint.h>
#include <string.h>
#ifdef HANOK_ISA_avx2
#include <immintrin.h>
#endif

/// Before a loop whose iterations are independent, also where an output is an input (in place).
#if defined(__clang__)
#define HANOK_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define HANOK_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kLanes = 8;

typedef float F32x8 __attribute__((vector_size(32)));
typedef double F64x4 __attribute__((vector_size(32)));
typedef int32_t I32x8 __attribute__((vector_size(32)));

[[maybe_unused]] inline F32x8 load8(const float* p) {
  F32x8 v;
  memcpy(&v, p, sizeof v);
  return v;
}

[[maybe_unused]] inline void store8(float* p, F32x8 v) { memcpy(p, &v, sizeof v); }

// Conversions between element sizes are where compilers are weak: one instruction each with AVX2.

[[maybe_unused]] inline F64x4 load4_as_double(const float* p) {
#ifdef HANOK_ISA_avx2
  return (F64x4)_mm256_cvtps_pd(_mm_loadu_ps(p));
#else
  return F64x4{p[0], p[1], p[2], p[3]};
#endif
}

/// totals[0..8) += v, in two halves: compilers take lane after lane otherwise.
[[maybe_unused]] inline void add_to(double* totals, F32x8 v) {
  float lanes[kLanes];
  store8(lanes, v);
  for (int i = 0; i < kLanes; i += 4) {
    F64x4 sum;
    memcpy(&sum, totals + i, sizeof sum);
    sum += load4_as_double(lanes + i);
    memcpy(totals + i, &sum, sizeof sum);
  }
}

[[maybe_unused]] inline I32x8 load8_u8(const uint8_t* p) {
#ifdef HANOK_ISA_avx2
  return (I32x8)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p));
#else
  return I32x8{p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]};
#endif
}

/// Values in [0, 255].
[[maybe_unused]] inline void store8_u8(uint8_t* p, I32x8 v) {
#ifdef HANOK_ISA_avx2
  const __m128i low = _mm256_castsi256_si128((__m256i)v);
  const __m128i high = _mm256_extracti128_si256((__m256i)v, 1);
  const __m128i words = _mm_packus_epi32(low, high);
  _mm_storel_epi64((__m128i*)p, _mm_packus_epi16(words, words));
#else
  for (int i = 0; i < kLanes; ++i) {
    p[i] = static_cast<uint8_t>(v[i]);
  }
#endif
}

}  // namespace
}  // namespace hanok::cpu::HANOK_ISA
