// Blocks of matrix products: the loops around the register tile, and the packing of operands.
//
// A block is C [rows, columns] (+)= A [rows, k] * B [k, columns] with sizes chosen by the caller
// so that a panel of B (k * 16 floats, 16 KB at k = 256) stays in L1 while the rows of A (96..144
// of them, ~100-150 KB) stream past it from L2:
//   for each panel of 16 columns
//     for each tile of 6 rows
//       run_tile                       (gemm_tile.h)
// (with few k, where C and the residual are most of what moves, the other way round: they are met
// row by row, and B comes from L2).
// The next panel of B may lie in L3 or in memory: its k lines are asked for while the tiles of this
// one run, spread evenly over them (or by the first of them alone, where the others are given
// other memory to ask for).
//
// From L2 come 6 * k floats per 12 * k multiply-adds of 8 lanes: 4 bytes a cycle at two FMA a
// cycle, an eighth of what L2 delivers.
#include <string.h>

#include "hanok/kernels/cpu/isa/gemm_kernels.h"
#include "hanok/kernels/cpu/isa/gemm_tile.h"
#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector8.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

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

// Few k: C is most of what is moved, so its rows are finished one after the other, and those of
// the next tile asked for.
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
  // Register tiles of a panel that ask for the next panel.
  const int64_t panel_tiles = g.fetch_count > 0 ? 1 : tiles;
  int64_t fetched = 0;
  // B's rows lie far apart: a panel's first tile asks for all of the next one.
  const bool strided_b = g.b_k_stride != kPanelColumns;
  constexpr int64_t kLine = kPanelColumns * sizeof(float);
  for (int64_t j = 0; j < g.columns; j += kPanelColumns) {
    set_panel(g, j, t);
    // While the first panel runs, A's next rows are asked for instead.
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

inline void copy_floats(const float* x, int64_t n, float* out) {
#ifdef HANOK_ISA_avx2
  if (n >= 8) {
    for (int64_t i = 0; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_loadu_ps(x + i));
    // The rest as eight floats that overlap what is copied already: no mask, no branch.
    _mm256_storeu_ps(out + n - 8, _mm256_loadu_ps(x + n - 8));
    return;
  }
  const __m256i mask = lane_mask(n);
  _mm256_maskstore_ps(out, mask, _mm256_maskload_ps(x, mask));
#else
  if (n > 0) memcpy(out, x, static_cast<size_t>(n) * sizeof(float));
#endif
}

void zero_floats(int64_t n, float* out) {
  if (n > 0) memset(out, 0, static_cast<size_t>(n) * sizeof(float));
}

void copy_rows(const float* x, int64_t x_stride, int64_t rows, int64_t columns, float* out,
               int64_t out_stride) {
  for (int64_t i = 0; i < rows; ++i) copy_floats(x + i * x_stride, columns, out + i * out_stride);
}

// out[p * out_stride + j] = x[j * stride + p] for 8 x 8 floats.
inline void transpose_8x8(const float* x, int64_t stride, float* out, int64_t out_stride) {
  Vec8 rows[8];
  for (int i = 0; i < 8; ++i) rows[i] = load8(x + i * stride);
  transpose8(rows);
  for (int i = 0; i < 8; ++i) store8(out + i * out_stride, rows[i]);
}

void copy_transposed(const float* x, int64_t x_stride, int64_t rows, int64_t columns, float* out,
                     int64_t out_stride) {
  const int64_t whole_rows = rows / 8 * 8;
  const int64_t whole_columns = columns / 8 * 8;
  for (int64_t i = 0; i < whole_rows; i += 8) {
    for (int64_t j = 0; j < whole_columns; j += 8) {
      transpose_8x8(x + i * x_stride + j, x_stride, out + j * out_stride + i, out_stride);
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j) {
      out[j * out_stride + i] = x[i * x_stride + j];
    }
  }
}

// One panel whose columns are far apart and whose k lie side by side: a transposition.
void pack_transposed_panel(const float* b, int64_t column_stride, int64_t k, int64_t columns,
                           float* out) {
  int64_t p = 0;
  if (columns == kPanelColumns) {
    for (; p + 8 <= k; p += 8) {
      float* rows = out + p * kPanelColumns;
      transpose_8x8(b + p, column_stride, rows, kPanelColumns);
      transpose_8x8(b + p + 8 * column_stride, column_stride, rows + 8, kPanelColumns);
    }
  }
  for (; p < k; ++p) {
    float* row = out + p * kPanelColumns;
    for (int64_t j = 0; j < columns; ++j) row[j] = b[p + j * column_stride];
    zero_floats(kPanelColumns - columns, row + columns);
  }
}

void pack_panels(const PackPanels& pack) {
  for (int64_t j = 0; j < pack.columns; j += kPanelColumns) {
    const int64_t columns = min_of(kPanelColumns, pack.columns - j);
    const float* b = pack.b + j * pack.column_stride;
    float* out = pack.out + j / kPanelColumns * pack.out_panel_stride;
    if (pack.column_stride != 1) {
      pack_transposed_panel(b, pack.column_stride, pack.k, columns, out);
      continue;
    }
    for (int64_t p = 0; p < pack.k; ++p) {
      copy_floats(b + p * pack.k_stride, columns, out + p * kPanelColumns);
      zero_floats(kPanelColumns - columns, out + p * kPanelColumns + columns);
    }
  }
}

// Positions [begin, end) of a run that crosses the row's ends: zeros, what lies inside, zeros. `x`
// is the source row; `w` the source column of the run's first tap.
void gather_border_run(const PatchSource& s, int64_t taps, const float* x, int64_t w, int64_t begin,
                       int64_t end, float* out) {
  // Taps [first, last) lie inside the row.
  const int64_t first = w < 0 ? min_of(-w, taps) : 0;
  const int64_t last = w + taps > s.width ? s.width - w : taps;
  int64_t inside_begin = first * s.channels;
  int64_t inside_end = last * s.channels;
  if (inside_begin < begin) inside_begin = begin;
  if (inside_begin > end) inside_begin = end;
  if (inside_end > end) inside_end = end;
  if (inside_end < inside_begin) inside_end = inside_begin;
  zero_floats(inside_begin - begin, out);
  if (inside_begin < inside_end) {
    copy_floats(x + (w * s.pixel_stride + inside_begin), inside_end - inside_begin,
                out + (inside_begin - begin));
  }
  zero_floats(end - inside_end, out + (inside_end - begin));
}

void gather_patches(const PatchSource& s, int64_t row_begin, int64_t row_end, int64_t k_begin,
                    int64_t k_end, float* out, int64_t out_stride) {
  // The runs that meet [k_begin, k_end).
  const PatchRun* first = s.runs;
  while (first < s.runs + s.run_count && first->k_begin + first->taps * s.channels <= k_begin) {
    ++first;
  }
  const PatchRun* last = first;
  while (last < s.runs + s.run_count && last->k_begin < k_end) ++last;
  int64_t j = row_begin % s.grid_w;
  int64_t i = row_begin / s.grid_w % s.grid_h;
  int64_t n = row_begin / (s.grid_w * s.grid_h);
  for (int64_t m = row_begin; m < row_end; ++m) {
    const float* image = s.data + n * s.height * s.width * s.pixel_stride;
    for (const PatchRun* run = first; run < last; ++run) {
      const int64_t begin = run->k_begin < k_begin ? k_begin - run->k_begin : 0;
      const int64_t end = min_of(run->taps * s.channels, k_end - run->k_begin);
      const int64_t h = i * s.step_h + run->offset_h;
      const int64_t w = j * s.step_w + run->offset_w;
      float* to = out + (run->k_begin + begin - k_begin);
      if (h < 0 || h >= s.height) {
        zero_floats(end - begin, to);
        continue;
      }
      const float* x = image + h * s.width * s.pixel_stride;
      if (w >= 0 && w + run->taps <= s.width) {
        copy_floats(x + w * s.pixel_stride + begin, end - begin, to);
      } else {
        gather_border_run(s, run->taps, x, w, begin, end, to);
      }
    }
    out += out_stride;
    if (++j == s.grid_w) {
      j = 0;
      if (++i == s.grid_h) {
        i = 0;
        ++n;
      }
    }
  }
}

// kVectors * 8 columns at a time, their sums in registers: with 8 vectors the additions of a row do
// not wait for each other.
template <int kVectors>
void strip_moments(const float* x, int64_t stride, int64_t rows, float* mean, float* deviations) {
  Vec8 sum[kVectors];
  for (Vec8& v : sum) v = all8(0);
  for (int64_t i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[v] = sum[v] + load8(x + i * stride + 8 * v);
  }
  const Vec8 share = all8(1.0F / static_cast<float>(rows));
  Vec8 squares[kVectors];
  for (Vec8& v : squares) v = all8(0);
  for (Vec8& v : sum) v = v * share;
  for (int64_t i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const Vec8 d = load8(x + i * stride + 8 * v) - sum[v];
      squares[v] = mul_add(d, d, squares[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    store8(mean + 8 * v, sum[v]);
    store8(deviations + 8 * v, squares[v]);
  }
}

void column_moments(const float* x, int64_t stride, int64_t rows, int64_t columns, float* mean,
                    float* deviations) {
  int64_t j = 0;
  for (; j + 32 <= columns; j += 32) {
    strip_moments<4>(x + j, stride, rows, mean + j, deviations + j);
  }
  for (; j + 8 <= columns; j += 8) {
    strip_moments<1>(x + j, stride, rows, mean + j, deviations + j);
  }
  for (; j < columns; ++j) {
    float sum = 0;
    for (int64_t i = 0; i < rows; ++i) sum += x[i * stride + j];
    sum *= 1.0F / static_cast<float>(rows);
    float squares = 0;
    for (int64_t i = 0; i < rows; ++i) {
      const float d = x[i * stride + j] - sum;
      squares += d * d;
    }
    mean[j] = sum;
    deviations[j] = squares;
  }
}

void add_parts(const float* parts, int64_t count, int64_t part_stride, int64_t n, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    const float* part = parts + i * part_stride;
    for (int64_t j = 0; j < n; ++j) out[j] += part[j];
  }
}

void column_sums(const float* x, int64_t rows, int64_t columns, double* out) {
  for (int64_t j = 0; j < columns; ++j) out[j] = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const float* row = x + i * columns;
    for (int64_t j = 0; j < columns; ++j) out[j] += static_cast<double>(row[j]);
  }
}

}  // namespace

const GemmKernels gemm = {kTileRows,       multiply,       pack_panels, gather_patches, copy_rows,
                          copy_transposed, column_moments, add_parts,   column_sums};

}  // namespace hanok::cpu::HANOK_ISA
