// The instruction-set-dependent pieces of Winograd convolution F(4x4, 3x3), as one table per path.
// The mathematics is in winograd4x4.cpp, the schedule in kernels/cpu/conv2d/winograd4x4.cpp.
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/gemm_kernels.h"

namespace hanok::cpu {

constexpr int64_t kWinogradTile = 4;      // outputs of a tile along each axis
constexpr int64_t kWinogradInput = 6;     // inputs that they read
constexpr int64_t kWinogradPoints = 36;   // products per channel pair and tile
constexpr int64_t kWinogradChannels = 8;  // channels come in multiples of this

// Floats from one point's [rows][16] of a panel of packed weights to the next point's: one cache
// line more than needed, so that the 36 points do not share one set of the caches.
constexpr int64_t winograd_point_floats(int64_t rows) { return (rows + 1) * kPanelColumns; }

// A tile: image n, outputs from row h and column w on. Where skip_h (skip_w) is 1, the first row
// (column) of outputs belongs to the tile before. Point 0 is used for nothing else, so that this
// tile's products of the first row (column) of points are not needed either.
struct WinogradTile {
  int64_t n, h, w;
  int64_t skip_h, skip_w;
};

// Tiles of x [batch, height, width, channels], 0 outside of it -> out[point][tile][channel].
// Only channels [0, columns) from x and out on (winograd4x4 and winograd2x2).
struct WinogradInputBlock {
  const WinogradTile* tiles;
  int64_t tile_count;
  const float* x;
  int64_t height, width, channels;
  int64_t columns;
  int64_t pad_h, pad_w;
  bool fetch_x;         // x comes from memory: prefetch the next tile's pixels
  int64_t known_tiles;  // of `tiles`, those after tile_count only to be prefetched
  float* out;
  int64_t point_stride, tile_stride;  // of out, in floats
};

// Tiles of m[point][tile][channel] -> Y = A^T m A, epilogue, y [batch, height, width, channels].
// Only channels [0, columns) from y and the epilogue's pointers on.
struct WinogradOutputBlock {
  const WinogradTile* tiles;
  int64_t tile_count;
  const float* m;
  int64_t point_stride, tile_stride;
  float* y;
  int64_t height, width, channels;
  int64_t columns;
  TileEpilogue epilogue;
  float* mean;        // of the block's stored values, and the sum of squared deviations from it;
  float* deviations;  // null: not wanted
};

// Channels are multiples of kWinogradChannels everywhere.
struct Winograd4x4Kernels {
  // B^T d B of the 6x6 pixels from (h - pad_h, w - pad_w) of a tile.
  void (*input_transform)(const WinogradInputBlock& block);
  void (*output_transform)(const WinogradOutputBlock& block);
  // One panel of 16 of the product's columns of U = G g G^T -> out[point][row][16],
  // points winograd_point_floats(rows) apart.
  // w is [K,3,3,channels], at the panel's first row and column.
  // Forward: rows are input channels, columns output channels.
  void (*pack_forward)(const float* w, int64_t channels, int64_t rows, int64_t columns, float* out);
  // Backward data: rows are output channels, columns input channels, the filter turned by 180
  // degrees.
  void (*pack_backward_data)(const float* w, int64_t channels, int64_t rows, int64_t columns,
                             float* out);
  // A dy A^T of the 4x4 pixels of a tile; padding is not used.
  void (*gradient_transform)(const WinogradInputBlock& block);
  // dw[k][3][3][c] = G^T du[point][k][c] G for `rows` rows k, `row_stride` apart in du, and
  // `columns` columns c; dw [K,3,3,channels] at the first row and column.
  void (*weights_transform)(const float* du, int64_t point_stride, int64_t row_stride, int64_t rows,
                            int64_t columns, float* dw, int64_t channels);
};

}  // namespace hanok::cpu
