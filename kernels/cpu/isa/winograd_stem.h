// The instruction-set-dependent pieces of the stem's convolution
// (kernels/cpu/conv2d/winograd_stem.cpp), as one table per path.
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu {

constexpr int64_t kStemTile = 3;    // outputs of a tile along each axis
constexpr int64_t kStemInput = 6;   // cells that they read
constexpr int64_t kStemFloats = 8;  // of half a cell, 2 pixels of up to 4 channels

// One row of tiles of one image [height, width, channels], of at most 4 channels, so that two
// pixels fit into kStemFloats: twelve rows of pixels from h0 on become out[point][parity of the
// row][row_floats], the vertical half of the input's transform. A row holds `cells` cells from
// pixel w0 on, 2 * channels floats each; what is outside of the image is 0. row_floats is a
// multiple of kStemFloats with at least as many floats behind the cells.
struct StemRows {
  const float* image;
  int64_t height, width, channels;
  int64_t h0, w0;
  int64_t cells, row_floats;
  float* lines;  // scratch: 12 * row_floats
  float* out;
};

// Tiles [tile_begin, tile_end) of the row -> out[point][tile - tile_begin][4 * channels], the
// horizontal half. Of each tile's row of out, 16 floats are written.
struct StemTiles {
  const float* rows;  // StemRows::out
  int64_t row_floats, channels;
  int64_t tile_begin, tile_end;
  float* out;
  int64_t point_stride, tile_stride;
};

struct WinogradStemKernels {
  void (*transform_rows)(const StemRows& rows);
  void (*transform_tiles)(const StemTiles& tiles);
  void (*output_transform)(const WinogradOutputBlock& block);  // 3x3 outputs a tile
  // A dy A^T of the 3x3 pixels of a tile; padding is not used.
  void (*gradient_transform)(const WinogradInputBlock& block);
};

}  // namespace hanok::cpu
