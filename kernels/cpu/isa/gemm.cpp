// The table of matrix products: the micro-kernel (gemm_tile.h), and here the functions around it:
// packing and gathering its operands, moments and sums of columns. All of them are bound by memory
// or L2.
#include <string.h>

#include "hanok/kernels/cpu/isa/gemm_kernels.h"
#include "hanok/kernels/cpu/isa/gemm_tile.h"
#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

inline void copy_floats(const float* x, int64_t n, float* out) {
#ifdef HANOK_ISA_portable
  if (n > 0) memcpy(out, x, static_cast<size_t>(n) * sizeof(float));
#else
  if (n >= kLanes) {
    for (int64_t i = 0; i + kLanes <= n; i += kLanes) store(out + i, load(x + i));
    // The rest as a vector that overlaps what is copied already: no mask, no branch.
    store(out + n - kLanes, load(x + n - kLanes));
    return;
  }
  store_first(out, load_first(x, n), n);
#endif
}

void zero_floats(int64_t n, float* out) {
  if (n > 0) memset(out, 0, static_cast<size_t>(n) * sizeof(float));
}

void copy_rows(const float* x, int64_t x_stride, int64_t rows, int64_t columns, float* out,
               int64_t out_stride) {
  for (int64_t i = 0; i < rows; ++i) copy_floats(x + i * x_stride, columns, out + i * out_stride);
}

// out[p * out_stride + j] = x[j * stride + p] for kLanes x kLanes floats.
inline void transpose_square(const float* x, int64_t stride, float* out, int64_t out_stride) {
  Vec rows[kLanes];
  for (int i = 0; i < kLanes; ++i) rows[i] = load(x + i * stride);
  transpose(rows);
  for (int i = 0; i < kLanes; ++i) store(out + i * out_stride, rows[i]);
}

void copy_transposed(const float* x, int64_t x_stride, int64_t rows, int64_t columns, float* out,
                     int64_t out_stride) {
  const int64_t whole_rows = rows / kLanes * kLanes;
  const int64_t whole_columns = columns / kLanes * kLanes;
  for (int64_t i = 0; i < whole_rows; i += kLanes) {
    for (int64_t j = 0; j < whole_columns; j += kLanes) {
      transpose_square(x + i * x_stride + j, x_stride, out + j * out_stride + i, out_stride);
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
    for (; p + kLanes <= k; p += kLanes) {
      float* rows = out + p * kPanelColumns;
      for (int64_t j = 0; j < kPanelColumns; j += kLanes) {
        transpose_square(b + p + j * column_stride, column_stride, rows + j, kPanelColumns);
      }
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
  // The runs that overlap [k_begin, k_end).
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

// kVectors * kLanes columns at a time, their sums in registers: the additions of a row are
// independent.
template <int kVectors>
void strip_moments(const float* x, int64_t stride, int64_t rows, float* mean, float* deviations) {
  Vec sum[kVectors];
  for (Vec& v : sum) v = broadcast(0.0F);
  for (int64_t i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[v] = sum[v] + load(x + i * stride + kLanes * v);
  }
  const Vec share = broadcast(1.0F / static_cast<float>(rows));
  Vec squares[kVectors];
  for (Vec& v : squares) v = broadcast(0.0F);
  for (Vec& v : sum) v = v * share;
  for (int64_t i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const Vec d = load(x + i * stride + kLanes * v) - sum[v];
      squares[v] = mul_add(d, d, squares[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    store(mean + kLanes * v, sum[v]);
    store(deviations + kLanes * v, squares[v]);
  }
}

void column_moments(const float* x, int64_t stride, int64_t rows, int64_t columns, float* mean,
                    float* deviations) {
  int64_t j = 0;
  for (; j + 4 * kLanes <= columns; j += 4 * kLanes) {
    strip_moments<4>(x + j, stride, rows, mean + j, deviations + j);
  }
  for (; j + kLanes <= columns; j += kLanes) {
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
