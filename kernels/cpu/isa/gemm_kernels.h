// The instruction-set-dependent pieces of matrix products and convolutions, as one table per path.
//
// Everything above these pieces (cutting work into blocks, threads, scratch) is ordinary C++ in
// kernels/cpu/gemm.cpp and kernels/cpu/conv2d/*.cpp. Only plain types here: this header is seen by
// files that are compiled with other instruction sets.
#pragma once

#include <stdint.h>

namespace hanok::cpu {

// B operands are cut into panels of 16 columns: two AVX vectors.
constexpr int64_t kPanelColumns = 16;

// y = min(max(acc * scale + shift + residual, 0), ceiling), the clipping only if `relu`; null
// pointers are skipped. All point at column 0; residual has C's layout.
struct TileEpilogue {
  const float* scale;
  const float* shift;
  const float* residual;
  bool relu;
  float ceiling;   // infinity, or 6
  uint16_t* bf16;  // not null: y is rounded and stored here, by Winograd's output transforms alone
};

// C [rows, columns] (+)= A [rows, k] * B [k, columns], one cache block. A is read at
// a[i * a_row_stride + p * a_k_stride]; column j = 16 * panel + lane of B at
// b[panel * b_panel_stride + p * b_k_stride + lane], with all 16 lanes readable in the last panel
// too; row i of C starts at c + c_row_offset[i].
struct GemmBlock {
  int64_t rows, columns, k;
  const float* a;
  int64_t a_row_stride, a_k_stride;
  // A row of A may be in pieces: a_runs of them (0: one) of k / a_runs elements each, starting
  // a_run_stride apart.
  int64_t a_runs, a_run_stride;
  const float* b;
  int64_t b_panel_stride, b_k_stride;
  float* c;
  const int64_t* c_row_offset;
  bool fetch_a;  // A comes from memory, rows side by side: prefetch the next rows
  // Memory that later work needs, prefetched while the products run: one of these rows of
  // fetch_bytes for each register tile after a panel's first, until there are no more.
  const float* const* fetch_rows;
  int64_t fetch_count, fetch_bytes;
  bool accumulate;               // add what C holds
  const TileEpilogue* epilogue;  // null except for the last k block
};

// B [k, columns], read at b[p * k_stride + j * column_stride] (one of the strides is 1), becomes
// panels out[panel * out_panel_stride + p * 16 + lane]; lanes past the last column become 0.
struct PackPanels {
  const float* b;
  int64_t k_stride, column_stride;
  int64_t k, columns;
  float* out;
  int64_t out_panel_stride;
};

// Taps of a convolution that lie side by side in memory: `taps` pixels of one source row. For
// output pixel (i, j) they start at source pixel (i * step_h + offset_h, j * step_w + offset_w)
// and fill positions [k_begin, k_begin + taps * channels) of the patch.
struct PatchRun {
  int64_t offset_h, offset_w;
  int64_t taps;
  int64_t k_begin;
};

// How a convolution's patch matrix [pixels, taps * channels] is read from an image batch without
// ever being stored as a whole. Output pixels are counted over [batch, grid_h, grid_w].
struct PatchSource {
  const float* data;      // [batch, height, width, pixel_stride], at the group's channel 0
  int64_t height, width;  // outside of it everything is 0
  int64_t pixel_stride;   // channels of the whole image
  int64_t channels;       // channels of the group; == pixel_stride where runs have > 1 tap
  int64_t grid_h, grid_w;
  int64_t step_h, step_w;
  const PatchRun* runs;
  int64_t run_count;
};

// One path's functions. Each works on one block and is called from many threads at a time.
struct GemmKernels {
  // Rows of a register tile: row blocks are best a multiple of it.
  int64_t tile_rows;
  void (*multiply)(const GemmBlock& block);
  void (*pack_panels)(const PackPanels& pack);
  // Rows [row_begin, row_end), columns [k_begin, k_end) of the patch matrix -> out, row-major with
  // `out_stride` floats a row.
  void (*gather_patches)(const PatchSource& source, int64_t row_begin, int64_t row_end,
                         int64_t k_begin, int64_t k_end, float* out, int64_t out_stride);
  // Copies [rows, columns] floats between row strides.
  void (*copy_rows)(const float* x, int64_t x_stride, int64_t rows, int64_t columns, float* out,
                    int64_t out_stride);
  // out[j * out_stride + i] = x[i * x_stride + j] for x [rows, columns].
  void (*copy_transposed)(const float* x, int64_t x_stride, int64_t rows, int64_t columns,
                          float* out, int64_t out_stride);
  // Mean and sum of squared deviations from it of each column of x [rows, columns], in two passes.
  void (*column_moments)(const float* x, int64_t stride, int64_t rows, int64_t columns, float* mean,
                         float* deviations);
  // out[j] += sum over i in [0, count) of parts[i * part_stride + j], in index order.
  void (*add_parts)(const float* parts, int64_t count, int64_t part_stride, int64_t n, float* out);
  // out[j] = sum of column j of x [rows, columns], in double.
  void (*column_sums)(const float* x, int64_t rows, int64_t columns, double* out);
};

}  // namespace hanok::cpu
