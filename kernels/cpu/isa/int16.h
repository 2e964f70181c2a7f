// Dynamic fixed point: rows of floats as 16-bit integers with a scale each, and their products. One
// table per path; all paths give the same bits, because sums of integers are exact and every other
// operation is rounded by itself. int16.cpp explains range, rounding and overflow.
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/gemm_kernels.h"

namespace hanok::cpu {

/// The largest integer of a row: 13 bits and a sign.
constexpr int32_t kInt16Most = 8191;
/// Terms of a sum that cannot overflow 32 bits whatever they are: 32 * 8191^2 < 2^31.
constexpr int64_t kInt16SafeTerms = 32;

/// Rows of floats -> integers and the scale of each: x[i][j] = q[i][j] * scale[i], to rounding.
struct Int16Rows {
  const float* x;
  int64_t rows, columns;
  int64_t x_stride;  // floats from a row to the next
  int16_t* q;
  int64_t q_stride;  // integers from a row to the next; whole vectors of 16 are written, with zeros
  float* scale;
  int64_t scale_stride;
  // Whether the integers go past the caches: for memory that more than one thread reads. A core
  // that writes a line which others hold has to ask them all first, one line after the other;
  // streamed lines do not wait. q and q_stride: multiples of
  // 16 then.
  bool stream = false;
};

/// A panel of 16 columns, x [rows, 16] -> pairs of neighbouring rows side by side,
/// q[rows / 2][16][2], and the scale of each column.
struct Int16Panel {
  const float* x;
  int64_t rows;  // a multiple of 2
  int16_t* q;
  float* scale;
  int32_t most = kInt16Most;  // the largest integer
};

/// Columns of floats x [rows, columns] -> pairs of neighbouring rows side by side, and the scale of
/// each column: x[i][j] = q[i / 2 * q_stride + 2 * j + i % 2] * scale[j], to rounding. An odd last
/// row gets zeros beside it.
struct Int16Columns {
  const float* x;
  int64_t rows, columns;
  int64_t x_stride;  // floats from a row to the next
  int16_t* q;
  int64_t q_stride;  // integers from a pair of rows to the next; whole vectors of 16 are written
  float* scale;
};

// C [rows, columns] (+)= A [rows, k] * B [k, columns], in pairs of neighbouring k. Pair p of A's
// row i is at a[i * a_row_stride + p * a_pair_stride], with scale a_scale[i]; that of B's column
// 16 * panel + lane at b[panel * b_panel_stride + p * b_pair_stride + 2 * lane], with scale
// b_scale[panel * b_scale_stride + lane].
struct Int16Block {
  int64_t rows, columns, k;  // k: a multiple of 2
  int64_t exact_terms;       // of k that are added as integers at a time, a multiple of 2
  const int16_t* a;
  int64_t a_row_stride;
  int64_t a_pair_stride = 2;  // integers from a pair of k to the next
  const float* a_scale;
  const int16_t* b;
  int64_t b_panel_stride;
  int64_t b_pair_stride = 2 * kPanelColumns;  // as Int16Panel wrote them
  const float* b_scale;
  int64_t b_scale_stride;
  float* c;
  const int64_t* c_row_offset;
  // As GemmBlock's, but two rows for each register tile.
  const float* const* fetch_rows;
  int64_t fetch_count, fetch_bytes;
  bool fetch_c;                  // C (and the residual) come from memory: prefetch a tile's part
  bool accumulate;               // add what C holds
  const TileEpilogue* epilogue;  // of the sums, or null
};

struct Int16Kernels {
  void (*quantize_rows)(const Int16Rows& rows);
  void (*quantize_panel)(const Int16Panel& panel);
  /// Returns the largest sum of magnitudes of a column.
  int64_t (*quantize_columns)(const Int16Columns& columns);
  /// The largest sum of magnitudes that any of the 16 columns of a panel has over `terms` rows from
  /// a multiple of `terms` on; both are multiples of 2, `terms` is below 2^18.
  int64_t (*largest_sum)(const int16_t* q, int64_t rows, int64_t terms);
  void (*multiply)(const Int16Block& block);
  /// The same by VNNI's multiply-add of pairs, which cpuid reports apart; null: the path has none.
  void (*multiply_vnni)(const Int16Block& block);
};

}  // namespace hanok::cpu
