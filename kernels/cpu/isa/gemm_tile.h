// The micro-kernel of every matrix product and convolution: `multiply` takes one cache block, tile
// by tile, and run_tile is the register tile:
//   C [kTileRows, 16] (+)= A [kTileRows, k] * B [k, 16].
//
// AVX2: 6 x 16. Per step of k two loads of B (8 floats each), six broadcasts of A and 12 fused
// multiply-adds. Registers: 12 accumulators + 2 of B + 1..2 of A = 15..16 of the 16 ymm. Twelve
// independent chains cover the latency of two FMA units (4..5 cycles x 2 = 8..10 chains), and 8
// loads per 6 cycles stay below the 2 loads a cycle that the machine can do, so the tile runs at
// the FMA peak as long as its operands come from the first-level cache.
//   bytes per FLOP: (16 + 6) * 4 / (2 * 6 * 16) = 0.46 from L1.
// Fewer rows (the last rows of a block) run the same code with fewer accumulators, so that a row's
// result never depends on its neighbours.
//
// AVX-512: 12 x 16, a row in one register: 12 accumulators and one of B; elements of A are operands
// that the multiply-add broadcasts.
//
// Portable: 2 x 16, so 8 accumulators of four floats of the 16 xmm.
//
// A block is C [rows, columns] (+)= A [rows, k] * B [k, columns] with sizes chosen by the caller
// so that a panel of B (k * 16 floats, 16 KB at k = 256) stays in L1 while the rows of A (96..144
// of them, ~100-150 KB) stream past it from L2:
//   for each panel of 16 columns
//     for each tile of 6 rows
//       run_tile
// (with few k, where C and the residual are most of the traffic, the other way round: they are
// processed row by row, and B comes from L2). The next panel of B may lie in L3 or in memory: its k
// lines are prefetched while the tiles of this one run, spread evenly over them (or by the first of
// them alone, where the others are given other memory to prefetch).
//
// From L2 come 6 * k floats per 12 * k multiply-adds of 8 lanes: 4 bytes a cycle at two FMA a
// cycle, an eighth of what L2 delivers.
//
// Goto, van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 2008;
// Van Zee, van de Geijn, "BLIS", ACM TOMS 2015.
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/gemm_kernels.h"
#include "hanok/kernels/cpu/isa/tile_epilogue.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kTileVectors = static_cast<int>(kPanelColumns) / kLanes;  // of a row of the tile
static_assert(kTileVectors * kLanes == kPanelColumns);

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
  const int64_t* c_fetch_offset;  // rows of C to prefetch: this tile's, or the next one's
  int64_t columns;                // 1..16 of them are stored
  bool accumulate;
  bool epilogue_wanted;
  const char* prefetch;   // memory needed soon: one line is prefetched per step of k,
  int64_t prefetch_step;  // this many bytes further each time
  TileEpilogue epilogue;
};

// Sums of fewer than 16 columns, [rows][kTileVectors] -> C: previous content, epilogue, store.
void finish_columns(const Tile& t, const Vec* sums, int rows) {
  const TileEpilogue& e = t.epilogue;
  for (int i = 0; i < rows; ++i) {
    for (int h = 0; h < kTileVectors && h * kLanes < t.columns; ++h) {
      const int64_t column = h * kLanes;
      const int64_t n = t.columns - column;
      const int64_t at = t.c_row_offset[i] + column;
      Vec v = sums[i * kTileVectors + h];
      if (t.accumulate) v = load_first(t.c + at, n) + v;
      v = with_epilogue<Rounding::OfPath>(e, column, at, n, v);
      store_first(t.c + at, v, n);
    }
  }
}

// The same for a whole tile of 16 columns, in the registers of the sums.
template <int kRows>
inline void finish_tile(const Tile& t, Vec (&acc)[kRows][kTileVectors]) {
#pragma GCC unroll 2
  for (int h = 0; h < kTileVectors; ++h) {
    float* c = t.c + kLanes * h;
    if (t.accumulate) {
#pragma GCC unroll 12
      for (int i = 0; i < kRows; ++i) acc[i][h] = load(c + t.c_row_offset[i]) + acc[i][h];
    }
    if (t.epilogue_wanted) {
      apply_epilogue<Rounding::OfPath>(t.epilogue, kLanes * h, t.c_row_offset, h, acc);
    }
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) store(c + t.c_row_offset[i], acc[i][h]);
  }
}

// Every loop over rows is unrolled, so that the accumulators are registers.
template <int kRows>
void run_tile(const Tile& t) {
  Vec acc[kRows][kTileVectors];
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int h = 0; h < kTileVectors; ++h) acc[i][h] = broadcast(0.0F);
  }
  const float* b = t.b;
  const int64_t row = t.a_row_stride;
  const int64_t a_step = t.a_k_stride;
  const int64_t b_step = t.b_k_stride;
  // C is needed last: prefetch it first.
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
    __builtin_prefetch(t.c + t.c_fetch_offset[i]);
    if (t.epilogue.residual) __builtin_prefetch(t.epilogue.residual + t.c_fetch_offset[i]);
  }
  const char* prefetch = t.prefetch;
  const int64_t prefetch_step = t.prefetch_step;
  const int64_t run_k = t.a_runs > 1 ? t.k / t.a_runs : t.k;
  int64_t run = 0;
  do {
    // A base pointer reaches three rows with the addressing modes base, base+s, base+2s.
    constexpr int kBases = (kRows + 2) / 3;
    const float* a[kBases];
    a[0] = t.a + run * t.a_run_stride;
#pragma GCC unroll 4
    for (int i = 1; i < kBases; ++i) a[i] = a[i - 1] + 3 * row;
    for (int64_t p = 0; p < run_k; ++p) {
      __builtin_prefetch(prefetch, 0, 2);  // into L2
      prefetch += prefetch_step;
      Vec bs[kTileVectors];
#pragma GCC unroll 2
      for (int h = 0; h < kTileVectors; ++h) bs[h] = load(b + kLanes * h);
#pragma GCC unroll 12
      for (int i = 0; i < kRows; ++i) {
        const Vec ai = broadcast(a[i / 3][i % 3 * row]);
#pragma GCC unroll 2
        for (int h = 0; h < kTileVectors; ++h) acc[i][h] = mul_add(ai, bs[h], acc[i][h]);
      }
#pragma GCC unroll 4
      for (int i = 0; i < kBases; ++i) a[i] += a_step;
      b += b_step;
    }
  } while (++run < t.a_runs);
  if (t.columns == kPanelColumns) return finish_tile<kRows>(t, acc);
  Vec sums[kRows * kTileVectors];
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int h = 0; h < kTileVectors; ++h) sums[i * kTileVectors + h] = acc[i][h];
  }
  finish_columns(t, sums, kRows);
}

template <int kRows = kTileRows>
inline void run_tile_rows(const Tile& t, int64_t rows) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return run_tile_rows<kRows - 1>(t, rows);
  }
  run_tile<kRows>(t);
}

int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

Tile tile_of(const GemmBlock& g) {
  Tile t{};
  t.k = g.k;
  t.a_row_stride = g.a_row_stride;
  t.a_k_stride = g.a_k_stride;
  t.a_runs = g.a_runs;
  t.a_run_stride = g.a_run_stride;
  t.b_k_stride = g.b_k_stride;
  t.accumulate = g.accumulate;
  t.epilogue_wanted = g.epilogue != nullptr;
  return t;
}

// The tile moves to the panel of 16 columns from j on.
void set_panel(const GemmBlock& g, int64_t j, Tile& t) {
  t.b = g.b + j / kPanelColumns * g.b_panel_stride;
  t.c = g.c + j;
  t.columns = min_of(kPanelColumns, g.columns - j);
  if (const TileEpilogue* e = g.epilogue) {
    t.epilogue = *e;
    if (e->scale) t.epilogue.scale += j;
    if (e->shift) t.epilogue.shift += j;
    if (e->residual) t.epilogue.residual += j;
  }
}

// Few k: C is most of the traffic, so its rows are finished one after the other, and those of the
// next tile prefetched.
void multiply_few_k(const GemmBlock& g) {
  Tile t = tile_of(g);
  for (int64_t i = 0; i < g.rows; i += kTileRows) {
    t.a = g.a + i * g.a_row_stride;
    t.c_row_offset = g.c_row_offset + i;
    t.c_fetch_offset = t.c_row_offset + (i + 2 * kTileRows <= g.rows ? kTileRows : 0);
    for (int64_t j = 0; j < g.columns; j += kPanelColumns) {
      set_panel(g, j, t);
      t.prefetch = reinterpret_cast<const char*>(t.a + kTileRows * g.a_row_stride);
      t.prefetch_step = j == 0 && g.k > 0 ? 4 * kTileRows * g.a_row_stride / g.k : 0;
      run_tile_rows(t, min_of(kTileRows, g.rows - i));
    }
  }
}

void multiply(const GemmBlock& g) {
  // B of up to 256 KB stays in L2 as a whole.
  if (g.fetch_a && g.b_k_stride == kPanelColumns && g.k <= 128 && g.k * g.columns <= 65536) {
    return multiply_few_k(g);
  }
  Tile t = tile_of(g);
  const int64_t tiles = (g.rows + kTileRows - 1) / kTileRows;
  // Register tiles of a panel that prefetch the next panel.
  const int64_t panel_tiles = g.fetch_count > 0 ? 1 : tiles;
  int64_t fetched = 0;
  // B's rows lie far apart: a panel's first tile prefetches all of the next one.
  const bool strided_b = g.b_k_stride != kPanelColumns;
  constexpr int64_t kLine = kPanelColumns * sizeof(float);
  for (int64_t j = 0; j < g.columns; j += kPanelColumns) {
    set_panel(g, j, t);
    // While the first panel runs, A's next rows are prefetched instead.
    const bool fetch_a = g.fetch_a && j == 0 && g.k > 0;
    const int64_t a_step = fetch_a ? 4 * kTileRows * g.a_row_stride / g.k : 0;
    const bool prefetch = j + kPanelColumns < g.columns;
    t.prefetch = reinterpret_cast<const char*>(t.b + (prefetch ? g.b_panel_stride : 0));
    t.prefetch_step = prefetch ? (kLine + panel_tiles - 1) / panel_tiles : 0;
    if (prefetch && strided_b) t.prefetch_step = 4 * g.b_k_stride;
    for (int64_t i = 0; i < g.rows; i += kTileRows) {
      t.a = g.a + i * g.a_row_stride;
      t.c_row_offset = t.c_fetch_offset = g.c_row_offset + i;
      if (fetch_a && strided_b && i > 0) {  // a line of each k: the rows of three tiles
        t.prefetch = reinterpret_cast<const char*>(t.a + kPanelColumns);
        t.prefetch_step = 4 * g.a_k_stride;
      } else if (fetch_a && !strided_b) {
        t.prefetch = reinterpret_cast<const char*>(t.a + kTileRows * g.a_row_stride);
        t.prefetch_step = a_step;
      } else if (i > 0 && g.fetch_count > 0) {
        const bool more = fetched < g.fetch_count;
        if (more) t.prefetch = reinterpret_cast<const char*>(g.fetch_rows[fetched++]);
        t.prefetch_step = more ? (g.fetch_bytes + g.k - 1) / g.k : 0;
      }
      run_tile_rows(t, min_of(kTileRows, g.rows - i));
      t.prefetch += t.k * t.prefetch_step;
      if (strided_b) t.prefetch_step = 0;
    }
  }
}

}  // namespace
}  // namespace hanok::cpu::HANOK_ISA
