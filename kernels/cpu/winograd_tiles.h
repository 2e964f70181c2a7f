// What all Winograd convolutions do alike around their products: how transformed tiles lie in
// scratch, which memory a block of tiles will need, and where its outputs go.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/isa/winograd_kernels.h"

namespace hanok::cpu::winograd {

/// Tiles of `edge` x `edge` pixels that cover an image.
constexpr WinogradTiles tiles_of(std::int64_t height, std::int64_t width,
                                 std::int64_t edge = kWinogradTile) {
  return {divide_up(height, edge), divide_up(width, edge)};
}

/// Images [batch, height, width, channels] seen as tiles. Those at the border may lie outside in
/// part or, where the grid is that of a larger image, as a whole.
struct TiledImages {
  WinogradTiles grid{};
  std::int64_t height = 0, width = 0, channels = 0;
  std::int64_t edge = kWinogradTile;

  /// Pixels of tiles [begin, end), counted over all images.
  std::int64_t pixels(std::int64_t begin, std::int64_t end) const;
  /// Appends where the rows of those pixels lie; nothing if `data` is null.
  void add_rows(const float* data, std::int64_t begin, std::int64_t end,
                std::vector<const float*>& rows) const;
};

/// How transformed tiles lie in scratch: [points][tiles][channels], padded so that rows and points
/// fall into different sets of the caches.
struct TileLayout {
  std::int64_t tile_stride = 0, point_stride = 0, points = 0;
  TileLayout(std::int64_t tiles, std::int64_t channels, std::int64_t points = kWinogradPoints);
  std::int64_t floats() const { return points * point_stride; }
};

/// GemmBlock::c_row_offset of rows that lie `stride` floats apart.
std::vector<std::int64_t> row_offsets(std::int64_t rows, std::int64_t stride);

/// Where a convolution's outputs go.
struct Outputs {
  TiledImages images;
  float* y = nullptr;
  TileEpilogue epilogue{};
  BlockMoments moments;

  /// What the output transform of tiles [begin, end) and channels [column, column + columns) takes.
  /// `m` holds these tiles and channels; their moments are those of block `moment_block`.
  WinogradOutputBlock block(std::int64_t begin, std::int64_t end, std::int64_t column,
                            std::int64_t columns, const float* m, const TileLayout& layout,
                            std::int64_t moment_block) const;
};

}  // namespace hanok::cpu::winograd
