#include "kernels/cpu/winograd_tiles.h"

#include <algorithm>

namespace hanok::cpu::winograd {

std::int64_t TiledImages::pixels(std::int64_t begin, std::int64_t end) const {
  std::int64_t count = 0;
  for (std::int64_t tile = begin; tile < end; ++tile) {
    const std::int64_t i = tile / grid.tiles_w % grid.tiles_h * edge;
    const std::int64_t j = tile % grid.tiles_w * edge;
    count += std::clamp<std::int64_t>(height - i, 0, edge) *
             std::clamp<std::int64_t>(width - j, 0, edge);
  }
  return count;
}

void TiledImages::add_rows(const float* data, std::int64_t begin, std::int64_t end,
                           std::vector<const float*>& rows) const {
  for (std::int64_t tile = begin; data && tile < end; ++tile) {
    const std::int64_t n = tile / (grid.tiles_h * grid.tiles_w);
    const std::int64_t i = tile / grid.tiles_w % grid.tiles_h * edge;
    const std::int64_t j = tile % grid.tiles_w * edge;
    for (std::int64_t h = i; j < width && h < std::min(i + edge, height); ++h) {
      rows.push_back(data + ((n * height + h) * width + j) * channels);
    }
  }
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

WinogradOutputBlock Outputs::block(std::int64_t begin, std::int64_t end, std::int64_t column,
                                   std::int64_t columns, const float* m, const TileLayout& layout,
                                   std::int64_t moment_block) const {
  WinogradOutputBlock block{};
  block.tiles = images.grid;
  block.m = m;
  block.point_stride = layout.point_stride;
  block.tile_stride = layout.tile_stride;
  block.tile_begin = begin;
  block.tile_end = end;
  block.y = y + column;
  block.height = images.height;
  block.width = images.width;
  block.channels = images.channels;
  block.columns = columns;
  block.epilogue = epilogue;
  if (epilogue.scale) block.epilogue.scale += column;
  if (epilogue.shift) block.epilogue.shift += column;
  if (epilogue.residual) block.epilogue.residual += column;
  if (moments.mean) {
    block.mean = moments.mean + moment_block * moments.channels + column;
    block.deviations = moments.deviations + moment_block * moments.channels + column;
  }
  return block;
}

}  // namespace hanok::cpu::winograd
