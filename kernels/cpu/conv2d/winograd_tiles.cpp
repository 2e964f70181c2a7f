#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"

#include <algorithm>

#include "hanok/kernels/cpu/conv2d/winograd4x4_problem.h"

namespace hanok::cpu::winograd_tiles {

namespace {

// Where the tiles of one axis begin and whether they skip their first output.
struct Axis {
  std::int64_t edge, full;  // tiles before the first short one

  Axis(std::int64_t size, std::int64_t edge, bool overlap) : edge(edge) {
    const std::int64_t count = divide_up(size, edge);
    const std::int64_t outside = count * edge - size;
    full = overlap ? count - std::clamp<std::int64_t>(outside, 0, count - 1) : count;
  }
  std::int64_t skip(std::int64_t i) const { return i >= full ? 1 : 0; }
  std::int64_t begin(std::int64_t i) const {
    return i * edge - std::max<std::int64_t>(i - full + 1, 0);
  }
};

// Pixels along one axis of a tile that begins at `begin`.
std::int64_t pixels_of(std::int64_t size, std::int64_t begin, std::int64_t skip,
                       std::int64_t edge) {
  return std::max<std::int64_t>(std::min(edge, size - begin) - skip, 0);
}

// In the order of SortedTiles::ends_.
std::size_t class_of(const WinogradTile& tile) {
  if (tile.skip_h == 0) return tile.skip_w == 0 ? 1 : 0;
  return tile.skip_w == 0 ? 2 : 3;
}

}  // namespace

bool fits_3x3_stride1(const Conv2dShape& s) {
  const Window2d& w = s.window;
  return s.r == 3 && s.s == 3 && s.groups == 1 && w.stride_h == 1 && w.stride_w == 1 &&
         w.dilation_h == 1 && w.dilation_w == 1 && w.pad_h <= 2 && w.pad_w <= 2 && s.c % 8 == 0 &&
         s.k % 8 == 0;
}

std::vector<WinogradTile> TileGrid::tiles(std::int64_t begin, std::int64_t end) const {
  const Axis down(height, edge, overlap);
  const Axis across(width, edge, overlap);
  std::vector<WinogradTile> tiles;
  if (begin >= end) return tiles;
  tiles.reserve(static_cast<std::size_t>(end - begin));
  const std::int64_t down_count = rows();
  const std::int64_t across_count = columns();
  std::int64_t n = begin / (down_count * across_count);
  std::int64_t i = begin / across_count % down_count;
  std::int64_t j = begin % across_count;
  for (std::int64_t t = begin; t < end; ++t) {
    tiles.push_back({n, down.begin(i), across.begin(j), down.skip(i), across.skip(j)});
    if (++j < across_count) continue;
    j = 0;
    if (++i < down_count) continue;
    i = 0;
    ++n;
  }
  return tiles;
}

std::int64_t TiledImages::pixels(Tiles tiles) const {
  std::int64_t count = 0;
  for (const WinogradTile& tile : tiles) {
    count +=
        pixels_of(height, tile.h, tile.skip_h, edge) * pixels_of(width, tile.w, tile.skip_w, edge);
  }
  return count;
}

void TiledImages::add_rows(const float* data, Tiles tiles, std::vector<const float*>& rows) const {
  if (!data) return;
  for (const WinogradTile& tile : tiles) {
    if (tile.w >= width) continue;
    for (std::int64_t h = tile.h; h < std::min(tile.h + edge, height); ++h) {
      rows.push_back(data + ((tile.n * height + h) * width + tile.w) * channels);
    }
  }
}

SortedTiles::SortedTiles(Tiles tiles) {
  tiles_.reserve(tiles.size());
  for (std::size_t wanted = 0; wanted < ends_.size(); ++wanted) {
    for (const WinogradTile& tile : tiles) {
      if (class_of(tile) == wanted) tiles_.push_back(tile);
    }
    ends_[wanted] = static_cast<std::int64_t>(tiles_.size());
  }
}

SortedTiles::Range SortedTiles::needing(std::int64_t row, std::int64_t column) const {
  const std::int64_t begin = column == 0 ? ends_[0] : 0;
  return {begin, row == 0 ? ends_[1] : column == 0 ? ends_[2] : ends_[3]};
}

TileLayout::TileLayout(std::int64_t tiles, std::int64_t channels, std::int64_t points)
    : tile_stride(packed_row_stride(channels)),
      point_stride(packed_row_stride(tiles * tile_stride)),
      points(points) {}

std::vector<std::int64_t> row_offsets(std::int64_t rows, std::int64_t stride) {
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(rows));
  for (std::int64_t i = 0; i < rows; ++i) offsets[static_cast<std::size_t>(i)] = i * stride;
  return offsets;
}

WinogradInputBlock TiledImages::block(const float* data, Tiles tiles, float* out,
                                      const TileLayout& layout) const {
  WinogradInputBlock block{};
  block.tiles = tiles.data();
  block.tile_count = block.known_tiles = static_cast<std::int64_t>(tiles.size());
  block.x = data;
  block.height = height;
  block.width = width;
  block.channels = block.columns = channels;
  block.out = out;
  block.point_stride = layout.point_stride;
  block.tile_stride = layout.tile_stride;
  return block;
}

WinogradOutputBlock Outputs::block(Tiles tiles, std::int64_t column, std::int64_t columns,
                                   const float* m, const TileLayout& layout,
                                   std::int64_t moment_block) const {
  WinogradOutputBlock block{};
  block.tiles = tiles.data();
  block.tile_count = static_cast<std::int64_t>(tiles.size());
  block.m = m;
  block.point_stride = layout.point_stride;
  block.tile_stride = layout.tile_stride;
  if (y) block.y = y + column;
  block.height = images.height;
  block.width = images.width;
  block.channels = images.channels;
  block.columns = columns;
  block.epilogue = at_column(epilogue, column);
  if (moments.mean) {
    block.mean = moments.mean + moment_block * moments.channels + column;
    block.deviations = moments.deviations + moment_block * moments.channels + column;
  }
  return block;
}

std::vector<std::int64_t> moment_rows(const Problem& p, const TiledImages& images) {
  std::vector<std::int64_t> rows;
  for (std::int64_t b = 0; b < p.blocks(); ++b) {
    const std::vector<WinogradTile> block = p.block(b);
    const SortedTiles tiles(block);
    for (std::int64_t first = 0; first < tiles.count(); first += p.moment_tiles()) {
      rows.push_back(
          images.pixels(tiles.part(first, std::min(first + p.moment_tiles(), tiles.count()))));
    }
  }
  return rows;
}

}  // namespace hanok::cpu::winograd_tiles
