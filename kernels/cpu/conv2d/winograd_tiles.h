// What all Winograd convolutions share around their products: the layout of transformed tiles in
// scratch, the memory that a block of tiles will need, and where its outputs are stored.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "hanok/kernels/conv2d.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu::winograd_tiles {

/// Whether F(4x4, 3x3) and F(2x2, 3x3) can compute it: 3x3 with stride 1, one group, no dilation,
/// padding 0..2, channels in multiples of 8.
bool fits_3x3_stride1(const Conv2dShape& shape);

/// Tiles [begin, end) of some list.
using Tiles = std::span<const WinogradTile>;

/// Tiles of `edge` x `edge` outputs that cover a batch of outputs [height, width], counted over all
/// images.
struct TileGrid {
  std::int64_t height = 0, width = 0;
  std::int64_t edge = kWinogradTile;
  /// Whether the last rows and columns of tiles move up by one output each rather than extend
  /// beyond the image, as far as possible: 14 outputs are then 4 + 4 + 3 + 3 of tiles at 0, 4, 7
  /// and 10, where the short tiles skip the output that they share with the one before.
  bool overlap = false;

  std::int64_t rows() const { return divide_up(height, edge); }
  std::int64_t columns() const { return divide_up(width, edge); }
  std::int64_t per_image() const { return rows() * columns(); }
  std::vector<WinogradTile> tiles(std::int64_t begin, std::int64_t end) const;
};

struct TileLayout;

/// Images [batch, height, width, channels] of which tiles of `edge` x `edge` pixels are read or
/// written. Tiles at the border may lie outside in part or, where the grid is that of larger
/// images, as a whole.
struct TiledImages {
  std::int64_t height = 0, width = 0, channels = 0;
  std::int64_t edge = kWinogradTile;

  /// Pixels that the tiles own.
  std::int64_t pixels(Tiles tiles) const;
  /// Appends where the rows of the tiles' pixels lie; nothing if `data` is null.
  void add_rows(const float* data, Tiles tiles, std::vector<const float*>& rows) const;
  /// What the transform of these tiles takes, without padding; `out` begins with the first of them.
  WinogradInputBlock block(const float* data, Tiles tiles, float* out,
                           const TileLayout& layout) const;
};

/// Tiles in an order in which those that need a point are contiguous.
class SortedTiles {
 public:
  explicit SortedTiles(Tiles tiles);
  Tiles all() const { return tiles_; }
  Tiles part(std::int64_t begin, std::int64_t end) const {
    return all().subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  }
  std::int64_t count() const { return ends_[3]; }

  /// The tiles that need the products of a point: [begin, end) of all().
  struct Range {
    std::int64_t begin, end;
  };
  /// Point (row, column) of a grid of points.
  Range needing(std::int64_t row, std::int64_t column) const;

 private:
  std::vector<WinogradTile> tiles_;
  std::array<std::int64_t, 4> ends_{};  // of those that skip a column, nothing, a row, both
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

/// Lets a product (GemmBlock or Int16Block) prefetch its share of the rows that `parts` products
/// prefetch in turn.
template <typename Block>
void fetch_share(const std::vector<const float*>& rows, std::int64_t part, std::int64_t parts,
                 Block& block) {
  const auto count = static_cast<std::int64_t>(rows.size());
  const std::int64_t first = count * part / parts;
  block.fetch_rows = rows.data() + first;
  block.fetch_count = count * (part + 1) / parts - first;
}

/// Where a convolution's outputs go.
struct Outputs {
  TiledImages images;
  float* y = nullptr;  // null if the epilogue stores bf16
  TileEpilogue epilogue{};
  BlockMoments moments;

  /// What the output transform of tiles and channels [column, column + columns) takes. `m` holds
  /// these tiles and channels; their moments are those of block `moment_block`.
  WinogradOutputBlock block(Tiles tiles, std::int64_t column, std::int64_t columns, const float* m,
                            const TileLayout& layout, std::int64_t moment_block) const;
};

}  // namespace hanok::cpu::winograd_tiles
