// The register tile that every matrix product and convolution ends in:
//   C [kTileRows, 16] (+)= A [kTileRows, k] * B [k, 16].
//
// AVX2: 6 x 16. Per step of k two loads of B (8 floats each), six broadcasts of A and 12 fused
// multiply-adds. Registers: 12 accumulators + 2 of B + 1..2 of A = 15..16 of the 16 ymm. Twelve
// independent chains cover the latency of two FMA units (4..5 cycles x 2 = 8..10 chains), and 8
// loads per 6 cycles stay below the 2 loads a cycle that the machine can do, so the tile runs at
// the FMA peak as long as its operands come from the first-level cache.
//   bytes per FLOP: (16 + 6) * 4 / (2 * 6 * 16) = 0.46 from L1.
// Fewer rows (the last rows of a block) run the same code with fewer accumulators, so that a
// row's result never depends on the rows beside it.
//
// Portable: 2 x 16 in plain C, which compilers turn into 8 four-wide accumulators.
//
// Goto, van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 2008;
// Van Zee, van de Geijn, "BLIS", ACM TOMS 2015.
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/gemm_kernels.h"
#ifdef HANOK_ISA_avx2
#include <immintrin.h>
#endif

namespace hanok::cpu::HANOK_ISA {
namespace {

// What one tile needs; pointers are at the tile's first row and column.
struct Tile {
  int64_t k;
  const float* a;
  int64_t a_row_stride, a_k_stride;
  int64_t a_runs, a_run_stride;  // as GemmBlock's
  const float* b;
  int64_t b_k_stride;
  float* c;
  const int64_t* c_row_offset;
  const int64_t* c_fetch_offset;  // rows of C to ask for: this tile's, or the next one's
  int64_t columns;                // 1..16 of them are stored
  bool accumulate;
  bool epilogue_wanted;
  const char* prefetch;   // memory needed soon: one line is asked for per step of k,
  int64_t prefetch_step;  // this many bytes further each time
  TileEpilogue epilogue;
};

#ifdef HANOK_ISA_avx2

constexpr int kTileRows = 6;

// The first n of 8 lanes; n may be anything.
inline __m256i lane_mask(int64_t n) {
  const int lanes = n < 0 ? 0 : n > 8 ? 8 : static_cast<int>(n);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

inline __m256 load_lanes(const float* p, int64_t n, __m256i mask) {
  return n >= 8 ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, mask);
}

inline void store_lanes(float* p, int64_t n, __m256i mask, __m256 v) {
  if (n >= 8) {
    _mm256_storeu_ps(p, v);
  } else {
    _mm256_maskstore_ps(p, mask, v);
  }
}

// Keeps NaN.
inline __m256 clip(const TileEpilogue& e, __m256 v) {
  return _mm256_min_ps(_mm256_set1_ps(e.ceiling), _mm256_max_ps(_mm256_setzero_ps(), v));
}

// Eight columns of one row: previous content, epilogue, store.
inline void finish_lanes(const Tile& t, int64_t row_offset, int64_t column, int64_t n, __m256i mask,
                         __m256 v) {
  float* c = t.c + row_offset + column;
  const TileEpilogue& e = t.epilogue;
  if (t.accumulate) v = _mm256_add_ps(load_lanes(c, n, mask), v);
  if (e.scale && e.shift) {
    v = _mm256_fmadd_ps(v, load_lanes(e.scale + column, n, mask),
                        load_lanes(e.shift + column, n, mask));
  } else if (e.scale) {
    v = _mm256_mul_ps(v, load_lanes(e.scale + column, n, mask));
  } else if (e.shift) {
    v = _mm256_add_ps(v, load_lanes(e.shift + column, n, mask));
  }
  if (e.residual) v = _mm256_add_ps(v, load_lanes(e.residual + row_offset + column, n, mask));
  if (e.relu) v = clip(e, v);
  store_lanes(c, n, mask, v);
}

// Rows of finished sums (16 a row) -> C.
void finish_rows(const Tile& t, const float* sums, int rows) {
  const __m256i mask0 = lane_mask(t.columns);
  const __m256i mask1 = lane_mask(t.columns - 8);
  for (int i = 0; i < rows; ++i) {
    const float* row = sums + i * kPanelColumns;
    finish_lanes(t, t.c_row_offset[i], 0, t.columns, mask0, _mm256_load_ps(row));
    if (t.columns > 8) {
      finish_lanes(t, t.c_row_offset[i], 8, t.columns - 8, mask1, _mm256_load_ps(row + 8));
    }
  }
}

// The same for a whole tile of 16 columns, in the registers of the sums.
template <int kRows>
inline void finish_tile(const Tile& t, __m256 (&acc)[kRows][2]) {
  const TileEpilogue& e = t.epilogue;
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    float* c = t.c + 8 * h;
    if (t.accumulate) {
#pragma GCC unroll 6
      for (int i = 0; i < kRows; ++i) {
        acc[i][h] = _mm256_add_ps(_mm256_loadu_ps(c + t.c_row_offset[i]), acc[i][h]);
      }
    }
    if (t.epilogue_wanted) {
      if (e.scale && e.shift) {
        const __m256 scale = _mm256_loadu_ps(e.scale + 8 * h);
        const __m256 shift = _mm256_loadu_ps(e.shift + 8 * h);
#pragma GCC unroll 6
        for (int i = 0; i < kRows; ++i) acc[i][h] = _mm256_fmadd_ps(acc[i][h], scale, shift);
      } else if (e.scale) {
        const __m256 scale = _mm256_loadu_ps(e.scale + 8 * h);
#pragma GCC unroll 6
        for (int i = 0; i < kRows; ++i) acc[i][h] = _mm256_mul_ps(acc[i][h], scale);
      } else if (e.shift) {
        const __m256 shift = _mm256_loadu_ps(e.shift + 8 * h);
#pragma GCC unroll 6
        for (int i = 0; i < kRows; ++i) acc[i][h] = _mm256_add_ps(acc[i][h], shift);
      }
      if (e.residual) {
        const float* residual = e.residual + 8 * h;
#pragma GCC unroll 6
        for (int i = 0; i < kRows; ++i) {
          acc[i][h] = _mm256_add_ps(acc[i][h], _mm256_loadu_ps(residual + t.c_row_offset[i]));
        }
      }
      if (e.relu) {
#pragma GCC unroll 6
        for (int i = 0; i < kRows; ++i) acc[i][h] = clip(e, acc[i][h]);
      }
    }
#pragma GCC unroll 6
    for (int i = 0; i < kRows; ++i) _mm256_storeu_ps(c + t.c_row_offset[i], acc[i][h]);
  }
}

// Every loop over rows is unrolled, so that the accumulators are registers.
template <int kRows>
void run_tile(const Tile& t) {
  __m256 acc[kRows][2];
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) acc[i][0] = acc[i][1] = _mm256_setzero_ps();
  const float* b = t.b;
  const int64_t row = t.a_row_stride;
  const int64_t a_step = t.a_k_stride;
  const int64_t b_step = t.b_k_stride;
  // C is needed last: ask for it first.
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) {
    _mm_prefetch(reinterpret_cast<const char*>(t.c + t.c_fetch_offset[i]), _MM_HINT_T0);
    if (t.epilogue.residual) {
      _mm_prefetch(reinterpret_cast<const char*>(t.epilogue.residual + t.c_fetch_offset[i]),
                   _MM_HINT_T0);
    }
  }
  const char* prefetch = t.prefetch;
  const int64_t prefetch_step = t.prefetch_step;
  const int64_t run_k = t.a_runs > 1 ? t.k / t.a_runs : t.k;
  int64_t run = 0;
  do {
    // Two base pointers reach six rows with the addressing modes base, base+s, base+2s.
    const float* a0 = t.a + run * t.a_run_stride;
    const float* a3 = a0 + (kRows > 3 ? 3 * row : 0);
    for (int64_t p = 0; p < run_k; ++p) {
      _mm_prefetch(prefetch, _MM_HINT_T1);
      prefetch += prefetch_step;
      const __m256 b0 = _mm256_loadu_ps(b);
      const __m256 b1 = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
      for (int i = 0; i < kRows; ++i) {
        const __m256 ai = _mm256_broadcast_ss(i < 3 ? a0 + i * row : a3 + (i - 3) * row);
        acc[i][0] = _mm256_fmadd_ps(ai, b0, acc[i][0]);
        acc[i][1] = _mm256_fmadd_ps(ai, b1, acc[i][1]);
      }
      a0 += a_step;
      a3 += a_step;
      b += b_step;
    }
  } while (++run < t.a_runs);
  if (t.columns == kPanelColumns) return finish_tile<kRows>(t, acc);
  alignas(32) float sums[kRows * kPanelColumns];
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) {
    _mm256_store_ps(sums + i * kPanelColumns, acc[i][0]);
    _mm256_store_ps(sums + i * kPanelColumns + 8, acc[i][1]);
  }
  finish_rows(t, sums, kRows);
}

inline void run_tile_rows(const Tile& t, int64_t rows) {
  switch (rows) {
    case 1:
      return run_tile<1>(t);
    case 2:
      return run_tile<2>(t);
    case 3:
      return run_tile<3>(t);
    case 4:
      return run_tile<4>(t);
    case 5:
      return run_tile<5>(t);
    default:
      return run_tile<6>(t);
  }
}

#else

constexpr int kTileRows = 2;

template <int kRows>
void run_tile(const Tile& t) {
  float acc[kRows][kPanelColumns] = {};
  const float* b = t.b;
  const int64_t run_k = t.a_runs > 1 ? t.k / t.a_runs : t.k;
  int64_t run = 0;
  do {
    const float* a_run = t.a + run * t.a_run_stride;
    for (int64_t p = 0; p < run_k; ++p) {
      for (int i = 0; i < kRows; ++i) {
        const float a = a_run[i * t.a_row_stride + p * t.a_k_stride];
        for (int j = 0; j < kPanelColumns; ++j) acc[i][j] += a * b[j];
      }
      b += t.b_k_stride;
    }
  } while (++run < t.a_runs);
  const TileEpilogue& e = t.epilogue;
  for (int i = 0; i < kRows; ++i) {
    float* c = t.c + t.c_row_offset[i];
    for (int64_t j = 0; j < t.columns; ++j) {
      float v = acc[i][j];
      if (t.accumulate) v = c[j] + v;
      if (e.scale) v *= e.scale[j];
      if (e.shift) v += e.shift[j];
      if (e.residual) v += e.residual[t.c_row_offset[i] + j];
      if (e.relu) v = v < 0.0F ? 0.0F : v > e.ceiling ? e.ceiling : v;  // keeps NaN
      c[j] = v;
    }
  }
}

inline void run_tile_rows(const Tile& t, int64_t rows) {
  return rows == 1 ? run_tile<1>(t) : run_tile<2>(t);
}

#endif

}  // namespace
}  // namespace hanok::cpu::HANOK_ISA
