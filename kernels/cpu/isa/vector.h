// The vector of floats that all inner loops compute with, and the few functions on it that
// operators do not give. Its width is a parameter: kLanes floats, 8 unless HANOK_LANES says
// otherwise (16 on the path avx512). Loops step by kLanes; where a layout fixes a number of
// channels (panels of 16, channels in multiples of 8), that number has a name of its own.
//
// Files of kernels/cpu/isa are compiled once per path (HANOK_ISA = portable, avx2, avx512). They
// include C headers and the kernels' plain types only, and all but the tables in namespace
// hanok::cpu::HANOK_ISA has internal linkage: otherwise the linker might pick the AVX2 copy of a
// shared inline function for the portable path.
//
// Vec is the compilers' own vector type (g++ and clang): +, -, *, comparisons and ?: work lane by
// lane. With AVX2 and AVX-512 it is one register, without them two SSE ones. Intrinsics are in this
// header alone, for what that type cannot express: the fused multiply-add, masks, transposition and
// conversions between element sizes.
#pragma once

#include <stdint.h>
#include <string.h>
#if defined(HANOK_ISA_avx2) || defined(HANOK_ISA_avx512)
#include <immintrin.h>
#endif

/// Before a loop whose iterations are independent, also where an output is an input (in place).
#if defined(__clang__)
#define HANOK_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define HANOK_INDEPENDENT _Pragma("GCC ivdep")
#endif

#ifndef HANOK_LANES
#define HANOK_LANES 8
#endif

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kLanes = HANOK_LANES;

/// Rows of a register tile of products, which the number of registers limits: 16 of 4 floats, 16 of
/// 8, or 32 of 16.
#if defined(HANOK_ISA_portable)
constexpr int kTileRows = 2;
#elif defined(HANOK_ISA_avx512)
constexpr int kTileRows = 12;
#else
constexpr int kTileRows = 6;
#endif

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef int32_t IntVec __attribute__((vector_size(4 * kLanes)));
/// Half as many lanes, as wide.
typedef double DoubleVec __attribute__((vector_size(4 * kLanes)));
constexpr int kDoubleLanes = kLanes / 2;

// ---- load and store; p needs no alignment ----

typedef float AnywhereVec __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

[[maybe_unused]] inline Vec load(const float* p) { return *(const AnywhereVec*)p; }

[[maybe_unused]] inline void store(float* p, Vec v) { *(AnywhereVec*)p = v; }

/// All lanes: a. (Not 0 + a, which loses the sign of -0.)
[[maybe_unused]] inline Vec broadcast(float a) { return a - Vec{}; }

[[maybe_unused]] inline IntVec broadcast_int(int32_t a) { return a + IntVec{}; }

#ifdef HANOK_ISA_avx2
static_assert(kLanes == 8);
inline __m256i first_lanes(int64_t n) {
  const int lanes = n < 0 ? 0 : n > kLanes ? kLanes : static_cast<int>(n);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#elif defined(HANOK_ISA_avx512)
static_assert(kLanes == 16);
inline __mmask16 first_lanes(int64_t n) {
  return n >= kLanes ? 0xffff : n <= 0 ? 0 : (__mmask16)((1U << n) - 1);
}
#endif

/// The first n lanes, 0 in the others, whose memory is not touched; n may be anything.
[[maybe_unused]] inline Vec load_first(const float* p, int64_t n) {
  if (n >= kLanes) return load(p);
#ifdef HANOK_ISA_avx2
  return (Vec)_mm256_maskload_ps(p, first_lanes(n));
#elif defined(HANOK_ISA_avx512)
  return (Vec)_mm512_maskz_loadu_ps(first_lanes(n), p);
#else
  Vec v{};
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}

[[maybe_unused]] inline void store_first(float* p, Vec v, int64_t n) {
  if (n >= kLanes) return store(p, v);
#ifdef HANOK_ISA_avx2
  _mm256_maskstore_ps(p, first_lanes(n), (__m256)v);
#elif defined(HANOK_ISA_avx512)
  _mm512_mask_storeu_ps(p, first_lanes(n), (__m512)v);
#else
  for (int i = 0; i < n; ++i) p[i] = v[i];
#endif
}

// ---- arithmetic: rounded once where the path has a fused multiply-add ----

#ifdef HANOK_ISA_avx2
[[maybe_unused]] inline Vec mul_add(Vec a, Vec b, Vec c) {  // a * b + c
  return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
[[maybe_unused]] inline Vec mul_sub(Vec a, Vec b, Vec c) {  // a * b - c
  return (Vec)_mm256_fmsub_ps((__m256)a, (__m256)b, (__m256)c);
}
[[maybe_unused]] inline Vec sub_mul(Vec c, Vec a, Vec b) {  // c - a * b
  return (Vec)_mm256_fnmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
#elif defined(HANOK_ISA_avx512)
[[maybe_unused]] inline Vec mul_add(Vec a, Vec b, Vec c) {
  return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
[[maybe_unused]] inline Vec mul_sub(Vec a, Vec b, Vec c) {
  return (Vec)_mm512_fmsub_ps((__m512)a, (__m512)b, (__m512)c);
}
[[maybe_unused]] inline Vec sub_mul(Vec c, Vec a, Vec b) {
  return (Vec)_mm512_fnmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
#else
[[maybe_unused]] inline Vec mul_add(Vec a, Vec b, Vec c) { return a * b + c; }
[[maybe_unused]] inline Vec mul_sub(Vec a, Vec b, Vec c) { return a * b - c; }
[[maybe_unused]] inline Vec sub_mul(Vec c, Vec a, Vec b) { return c - a * b; }
#endif

/// min(max(a, 0), ceiling); keeps NaN.
[[maybe_unused]] inline Vec clip(Vec a, Vec ceiling) {
#ifdef HANOK_ISA_avx2
  return (Vec)_mm256_min_ps((__m256)ceiling, _mm256_max_ps(_mm256_setzero_ps(), (__m256)a));
#elif defined(HANOK_ISA_avx512)
  return (Vec)_mm512_min_ps((__m512)ceiling, _mm512_max_ps(_mm512_setzero_ps(), (__m512)a));
#else
  const IntVec above = a > ceiling;
  const IntVec below = a < 0.0F;
  return (Vec)((((IntVec)ceiling & above) | ((IntVec)a & ~above)) & ~below);
#endif
}

/// The same of one float, for what no vector holds.
[[maybe_unused]] inline float clip(float a, float ceiling) {
  return a < 0.0F ? 0.0F : a > ceiling ? ceiling : a;
}

// ---- between lanes ----

/// Lane j of row i becomes lane i of row j, for kLanes rows.
[[maybe_unused]] inline void transpose(Vec* rows) {
#ifdef HANOK_ISA_avx2
  // Three rounds of interleaving.
  __m256 s[8];
  __m256 r[8];
  for (int i = 0; i < 4; ++i) {
    s[2 * i] = _mm256_unpacklo_ps((__m256)rows[2 * i], (__m256)rows[2 * i + 1]);
    s[2 * i + 1] = _mm256_unpackhi_ps((__m256)rows[2 * i], (__m256)rows[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    r[4 * i] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0xEE);
    r[4 * i + 2] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0xEE);
  }
  for (int i = 0; i < 4; ++i) {
    rows[i] = (Vec)_mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
    rows[i + 4] = (Vec)_mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
  }
#elif defined(HANOK_ISA_avx512)
  // The same rounds within quarters of four lanes, then two that exchange quarters.
  __m512 s[16];
  __m512 r[16];
  for (int i = 0; i < 8; ++i) {
    s[2 * i] = _mm512_unpacklo_ps((__m512)rows[2 * i], (__m512)rows[2 * i + 1]);
    s[2 * i + 1] = _mm512_unpackhi_ps((__m512)rows[2 * i], (__m512)rows[2 * i + 1]);
  }
  for (int i = 0; i < 4; ++i) {
    r[4 * i] = _mm512_shuffle_ps(s[4 * i], s[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm512_shuffle_ps(s[4 * i], s[4 * i + 2], 0xEE);
    r[4 * i + 2] = _mm512_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm512_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0xEE);
  }
  // Quarter q of r[4 * i + j] holds lane 4 * q + j of rows 4 * i and the three below.
  for (int j = 0; j < 4; ++j) {
    const __m512 low02 = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88);
    const __m512 low13 = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xDD);
    const __m512 high02 = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
    const __m512 high13 = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xDD);
    rows[j] = (Vec)_mm512_shuffle_f32x4(low02, high02, 0x88);
    rows[4 + j] = (Vec)_mm512_shuffle_f32x4(low13, high13, 0x88);
    rows[8 + j] = (Vec)_mm512_shuffle_f32x4(low02, high02, 0xDD);
    rows[12 + j] = (Vec)_mm512_shuffle_f32x4(low13, high13, 0xDD);
  }
#else
  for (int i = 0; i < kLanes; ++i) {
    for (int j = 0; j < i; ++j) {
      const float v = rows[i][j];
      rows[i][j] = rows[j][i];
      rows[j][i] = v;
    }
  }
#endif
}

/// Halves are added until one lane is left: (v0 + v2) + (v1 + v3) of four.
[[maybe_unused]] inline double sum_of_lanes(DoubleVec v) {
  double lanes[kDoubleLanes];
  memcpy(lanes, &v, sizeof v);
  for (int width = kDoubleLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}

// ---- conversions: where compilers are weak, one instruction each with AVX2 ----

/// kDoubleLanes floats.
[[maybe_unused]] inline DoubleVec load_as_double(const float* p) {
#ifdef HANOK_ISA_avx2
  return (DoubleVec)_mm256_cvtps_pd(_mm_loadu_ps(p));
#elif defined(HANOK_ISA_avx512)
  return (DoubleVec)_mm512_cvtps_pd(_mm256_loadu_ps(p));
#else
  DoubleVec v;
  for (int i = 0; i < kDoubleLanes; ++i) v[i] = p[i];
  return v;
#endif
}

/// totals[0..kLanes) += v, in two halves: otherwise compilers process lane after lane.
[[maybe_unused]] inline void add_to(double* totals, Vec v) {
  float lanes[kLanes];
  store(lanes, v);
  for (int i = 0; i < kLanes; i += kDoubleLanes) {
    DoubleVec sum;
    memcpy(&sum, totals + i, sizeof sum);
    sum += load_as_double(lanes + i);
    memcpy(totals + i, &sum, sizeof sum);
  }
}

[[maybe_unused]] inline IntVec load_u8(const uint8_t* p) {
#ifdef HANOK_ISA_avx2
  return (IntVec)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p));
#elif defined(HANOK_ISA_avx512)
  return (IntVec)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p));
#else
  IntVec v;
  for (int i = 0; i < kLanes; ++i) v[i] = p[i];
  return v;
#endif
}

/// Values in [0, 255].
[[maybe_unused]] inline void store_u8(uint8_t* p, IntVec v) {
#ifdef HANOK_ISA_avx2
  const __m128i low = _mm256_castsi256_si128((__m256i)v);
  const __m128i high = _mm256_extracti128_si256((__m256i)v, 1);
  const __m128i words = _mm_packus_epi32(low, high);
  _mm_storel_epi64((__m128i*)p, _mm_packus_epi16(words, words));
#elif defined(HANOK_ISA_avx512)
  _mm_storeu_si128((__m128i*)p, _mm512_cvtepi32_epi8((__m512i)v));
#else
  for (int i = 0; i < kLanes; ++i) p[i] = static_cast<uint8_t>(v[i]);
#endif
}

// ---- bf16: the upper half of a float; elements of arrays of uint16_t ----

[[maybe_unused]] inline float to_float(float x) { return x; }
[[maybe_unused]] inline float to_float(uint16_t bf16) {
  return __builtin_bit_cast(float, (uint32_t)bf16 << 16);
}

/// Nearest, ties to even; NaN remains NaN. As kernels/base/half.h.
[[maybe_unused]] inline uint16_t to_bf16(float x) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, x);
  const uint32_t rounded = bits + 0x7fffU + ((bits >> 16) & 1U);
  const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
  return (uint16_t)((nan ? bits | 0x400000U : rounded) >> 16);
}

[[maybe_unused]] inline Vec load(const uint16_t* p) {
#ifdef HANOK_ISA_avx2
  return (Vec)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16);
#elif defined(HANOK_ISA_avx512)
  return (Vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16);
#else
  Vec v;
  for (int i = 0; i < kLanes; ++i) v[i] = to_float(p[i]);
  return v;
#endif
}

[[maybe_unused]] inline void store(uint16_t* p, Vec v) {
  const IntVec bits = (IntVec)v;
  const IntVec rounded = bits + 0x7fff + ((bits >> 16) & 1);
  // A NaN is the only value that differs from itself.
  // NOLINTNEXTLINE(misc-redundant-expression)
  const IntVec upper = ((v != v ? bits | 0x400000 : rounded) >> 16) & 0xffff;
#ifdef HANOK_ISA_avx2
  const __m128i low = _mm256_castsi256_si128((__m256i)upper);
  const __m128i high = _mm256_extracti128_si256((__m256i)upper, 1);
  _mm_storeu_si128((__m128i*)p, _mm_packus_epi32(low, high));
#elif defined(HANOK_ISA_avx512)
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16((__m512i)upper));
#else
  for (int i = 0; i < kLanes; ++i) p[i] = (uint16_t)upper[i];
#endif
}

// ---- 16-bit integers: pairs of them in the lanes of an IntVec ----

typedef int32_t AnywhereIntVec __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

[[maybe_unused]] inline IntVec load_int(const int32_t* p) { return *(const AnywhereIntVec*)p; }
[[maybe_unused]] inline void store_int(int32_t* p, IntVec v) { *(AnywhereIntVec*)p = v; }

/// Of both halves of each lane.
[[maybe_unused]] inline IntVec magnitudes_i16(IntVec v) {
  typedef int16_t ShortVec __attribute__((vector_size(4 * kLanes)));
  const ShortVec sign = (ShortVec)v >> 15;
  return (IntVec)(((ShortVec)v ^ sign) - sign);
}

/// p[0] and p[1] in every lane.
[[maybe_unused]] inline IntVec broadcast_pair(const int16_t* p) {
  int32_t pair;
  memcpy(&pair, p, sizeof pair);
  return broadcast_int(pair);
}

/// acc += a[0] * b[0] + a[1] * b[1] in each lane; no factor is -32768. kVnni: by one instruction
/// that not every CPU with AVX-512 has.
template <bool kVnni>
[[maybe_unused]] inline void add_pairs(IntVec& acc, IntVec a, IntVec b) {
#if defined(HANOK_ISA_avx2)
  acc += (IntVec)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(HANOK_ISA_avx512)
  if constexpr (kVnni) {
    // Not the intrinsic: g++ 12 keeps its accumulators in memory.
    asm("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  } else {
    acc += (IntVec)_mm512_madd_epi16((__m512i)a, (__m512i)b);
  }
#else
  acc += ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
}

/// Nearest floats, ties to even.
[[maybe_unused]] inline Vec to_float(IntVec v) { return __builtin_convertvector(v, Vec); }

/// Lanes of at most 16 bits.
[[maybe_unused]] inline void store_i16(int16_t* p, IntVec v) {
#if defined(HANOK_ISA_avx2)
  const __m128i low = _mm256_castsi256_si128((__m256i)v);
  const __m128i high = _mm256_extracti128_si256((__m256i)v, 1);
  _mm_storeu_si128((__m128i*)p, _mm_packs_epi32(low, high));
#elif defined(HANOK_ISA_avx512)
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16((__m512i)v));
#else
  for (int i = 0; i < kLanes; ++i) p[i] = static_cast<int16_t>(v[i]);
#endif
}

/// As store_i16, past the caches to memory; p: a multiple of a stored vector. Such stores are not
/// ordered as others are: another thread may read them once this one has made an atomic
/// read-modify-write, as the thread pool does after every task.
[[maybe_unused]] inline void stream_i16(int16_t* p, IntVec v) {
#if defined(HANOK_ISA_avx2)
  const __m128i low = _mm256_castsi256_si128((__m256i)v);
  const __m128i high = _mm256_extracti128_si256((__m256i)v, 1);
  _mm_stream_si128((__m128i*)p, _mm_packs_epi32(low, high));
#elif defined(HANOK_ISA_avx512)
  _mm256_stream_si256((__m256i*)p, _mm512_cvtepi32_epi16((__m512i)v));
#else
  store_i16(p, v);
#endif
}

/// Prefetches a line to be written: no other core may keep it. (Read first, it is another core's as
/// well, which must be asked again before the write.)
[[maybe_unused]] __attribute__((always_inline)) inline void fetch_to_write(const float* p) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*p));  // __builtin_prefetch(p, 1) reads without -mprfchw
#else
  __builtin_prefetch(p, 1);
#endif
}

/// Lane i of the result is lane (i + kBy) % kLanes.
template <int kBy>
[[maybe_unused]] inline IntVec rotate_lanes(IntVec v) {
  constexpr int k = kBy;
  constexpr int n = kLanes - 1;
#if HANOK_LANES == 8
  return __builtin_shufflevector(v, v, k & n, (k + 1) & n, (k + 2) & n, (k + 3) & n, (k + 4) & n,
                                 (k + 5) & n, (k + 6) & n, (k + 7) & n);
#else
  return __builtin_shufflevector(v, v, k & n, (k + 1) & n, (k + 2) & n, (k + 3) & n, (k + 4) & n,
                                 (k + 5) & n, (k + 6) & n, (k + 7) & n, (k + 8) & n, (k + 9) & n,
                                 (k + 10) & n, (k + 11) & n, (k + 12) & n, (k + 13) & n,
                                 (k + 14) & n, (k + 15) & n);
#endif
}

[[maybe_unused]] inline IntVec larger(IntVec a, IntVec b) { return a > b ? a : b; }

[[maybe_unused]] inline int32_t largest_lane(IntVec v) {
  if constexpr (kLanes == 16) v = larger(v, rotate_lanes<8>(v));
  v = larger(v, rotate_lanes<4>(v));
  v = larger(v, rotate_lanes<2>(v));
  return larger(v, rotate_lanes<1>(v))[0];
}

// ---- 64-bit integers, as the counters of random numbers are kept ----

typedef uint64_t U64Vec __attribute__((vector_size(4 * kLanes)));
constexpr int kU64Lanes = kLanes / 2;

[[maybe_unused]] inline U64Vec broadcast_u64(uint64_t a) { return a + U64Vec{}; }

/// Products of the lower 32 bits of each lane.
[[maybe_unused]] inline U64Vec multiply_low(U64Vec a, U64Vec b) {
#ifdef HANOK_ISA_avx2
  return (U64Vec)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(HANOK_ISA_avx512)
  return (U64Vec)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#else
  return (a & 0xffffffffU) * (b & 0xffffffffU);
#endif
}

}  // namespace
}  // namespace hanok::cpu::HANOK_ISA
