// Weight gradient of 3x3 convolutions with stride 2 by Winograd over phases
// (isa/winograd_strided.cpp): for each phase
//   dw = G^T [ sum over tiles of (A dy A^T) . (B^T x B) ] G
//
//   for each block of about 128 tiles
//     V[point] = transformed phases of x, Y[point] = transformed dy             each 6 tiles a task
//     for each 48 filters, 64 channels and phase                                           one task
//       dU[point] += Y[point]^T * V[point]       [up to 25][48, 64]        up to 314 KB, L2
//       after the last block: dw = inverse transform of dU
//
// Every value of V and Y is read from L3 for each piece of dU that it belongs to. Where there is
// one block only (512 filters over 7x7), dU is never stored as a whole. The phases have 25, 20, 20
// and 16 points; the large ones start first.
#include <algorithm>
#include <vector>

#include "hanok/kernels/cpu/conv2d/winograd_strided.h"
#include "hanok/kernels/cpu/gemm.h"

namespace hanok::cpu::winograd_strided {
namespace {

using winograd_tiles::row_offsets;
using winograd_tiles::SortedTiles;
using winograd_tiles::TiledImages;
using winograd_tiles::TileLayout;
using winograd_tiles::Tiles;

void transform_gradient(const IsaKernels& kernels, const Conv2dShape& s, const float* dy,
                        Tiles tiles, float* y, const TileLayout& layout) {
  WinogradInputBlock block = TiledImages{s.p(), s.q(), s.k}.block(dy, tiles, y, layout);
  block.fetch_x = true;
  kernels.winograd_strided.gradient_transform(block);
}

}  // namespace

Pieces::Piece Pieces::piece(std::int64_t i) const {
  const std::int64_t row = i / columns() % rows() * kRows;
  const std::int64_t column = i % columns() * channels.block;
  return {.phase = strided_phase(i / (rows() * columns())),
          .row = row,
          .rows = std::min(kRows, s.k - row),
          .column = column,
          .columns = channels.block_size(column)};
}

void Pieces::finish(const IsaKernels& kernels, const Piece& piece, const float* du,
                    float* dw) const {
  kernels.winograd_strided.weights_transform(du, point_floats(), row_stride(), piece.rows,
                                             piece.columns, piece.phase,
                                             dw + piece.row * 9 * s.c + piece.column, s.c);
}

std::size_t backward_weights_workspace_bytes(const Conv2dShape& s) {
  const TileBlocks blocks = tile_blocks(s);
  const Pieces pieces{s, channels_of(s)};
  const std::int64_t floats = input_layout(blocks, s).floats() +
                              TileLayout(blocks.block_tiles, s.k, kStridedPoints).floats() +
                              (blocks.blocks() > 1 ? pieces.count() * pieces.floats() : 0);
  return static_cast<std::size_t>(floats) * sizeof(float);
}

void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                      const float* x, const float* dy, float* dw) {
  const TileBlocks blocks = tile_blocks(s);
  const Pieces pieces{s, channels_of(s)};
  const TileLayout v_layout = input_layout(blocks, s);
  const TileLayout y_layout(blocks.block_tiles, s.k, kStridedPoints);
  const auto row_offset = row_offsets(Pieces::kRows, pieces.row_stride());
  Workspace::Scope scope(context.workspace);
  auto* v = scope.take_array<float>(v_layout.floats());
  auto* y = scope.take_array<float>(y_layout.floats());
  float* du =
      blocks.blocks() > 1 ? scope.take_array<float>(pieces.count() * pieces.floats()) : nullptr;
  // Without any tile (an empty batch) the gradient is still stored as zeros.
  const std::int64_t rounds = std::max<std::int64_t>(blocks.blocks(), 1);
  for (std::int64_t b = 0; b < rounds; ++b) {
    const SortedTiles tiles = blocks.block(b);
    context.pool.run_blocks(tiles.count(), kTransformTiles,
                            [&](std::int64_t begin, std::int64_t end) {
                              transform_input(kernels, s, x, tiles.part(begin, end),
                                              v + begin * v_layout.tile_stride, v_layout);
                              transform_gradient(kernels, s, dy, tiles.part(begin, end),
                                                 y + begin * y_layout.tile_stride, y_layout);
                            });
    context.pool.run(pieces.count(), [&](std::int64_t task) {
      const auto piece = pieces.piece(task);
      float* out = du ? du + task * pieces.floats() : thread_scratch(pieces.floats());
      GemmBlock block{};
      block.rows = piece.rows;
      block.columns = piece.columns;
      block.a_row_stride = 1;
      block.a_k_stride = y_layout.tile_stride;
      block.b_panel_stride = kPanelColumns;
      block.b_k_stride = v_layout.tile_stride;
      block.c_row_offset = row_offset.data();
      block.accumulate = b > 0;
      block.fetch_a = true;
      block.c = out;
      for (std::int64_t i = 0; i < strided_rows(piece.phase); ++i) {
        for (std::int64_t j = 0; j < strided_columns(piece.phase); ++j) {
          const std::int64_t point = i * kStridedSide + j;
          const SortedTiles::Range range = tiles_needing(tiles, point);
          block.k = range.end - range.begin;
          block.a =
              y + point * y_layout.point_stride + range.begin * y_layout.tile_stride + piece.row;
          block.b = v + point * v_layout.point_stride + range.begin * v_layout.tile_stride +
                    pieces.channels.offset(point, piece.phase, piece.column);
          kernels.gemm.multiply(block);
          block.c += pieces.point_floats();
        }
      }
      if (b + 1 < rounds) return;
      pieces.finish(kernels, piece, out, dw);
    });
  }
}

}  // namespace hanok::cpu::winograd_strided
