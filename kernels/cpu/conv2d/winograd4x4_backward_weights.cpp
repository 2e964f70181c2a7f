// Weight gradient by Winograd F(4x4, 3x3):
//   dw = G^T [ sum over tiles of (A dy A^T) . (B^T x B) ] G
//
// Per point the sum over tiles is a matrix product dU[point] [K, C] = Y[point]^T [K, tiles] *
// V[point] [tiles, C]; dw takes one inverse transform at the end.
//
// Early layers (C + K <= 256) have few outputs and many tiles: the tiles are cut into slices by the
// shape alone; a task takes a slice step by step through both transforms and 36 products, adding to
// the slice's own dU (590 KB at 64 x 64). Steps of 24 tiles at 64 channels keep the transformed
// tiles (553 KB) in L2; at 128 channels dU (2.4 MB) is the larger stream and steps of 64 tiles
// halve it. The slices are added in index order.
//
// Deep layers have one dU (38 MB at 512 x 512) and few tiles: blocks of about 128 tiles are
// transformed in parallel, then the products run in parallel over pieces of dU, 48 rows by 64
// columns for all 36 points, which stay in L2. The last block's task ends with the inverse
// transform of its piece; where there is one block only, dU is never stored as a whole.
#include <algorithm>
#include <vector>

#include "hanok/kernels/cpu/conv2d/winograd4x4.h"
#include "hanok/kernels/cpu/conv2d/winograd4x4_weights_cut.h"
#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu::winograd4x4 {
namespace {

using winograd_tiles::fetch_share;
using winograd_tiles::kPieceColumns;
using winograd_tiles::kPieceFloats;
using winograd_tiles::kPiecePointFloats;
using winograd_tiles::kPieceRows;
using winograd_tiles::Piece;
using winograd_tiles::row_offsets;
using winograd_tiles::SortedTiles;
using winograd_tiles::TiledImages;
using winograd_tiles::TileLayout;
using winograd_tiles::Tiles;
using winograd_tiles::WeightsCut;

constexpr std::int64_t kBlockTiles = 128;
constexpr std::int64_t kStagedGroup = 4;

WeightsCut cut_work(const Conv2dShape& s) {
  const bool sliced = choose_schedule(Conv2dAlgorithm::Winograd4x4, Conv2dPass::BackwardWeights, s,
                                      WeightsAre::Plain) == Conv2dSchedule::Fused;
  return sliced ? winograd_tiles::cut_into_slices(s, s.c + s.k <= 128 ? 24 : 64)
                : winograd_tiles::cut_into_pieces(s, kBlockTiles);
}

// The operands of one convolution and where their transformed tiles go.
struct Operands {
  const IsaKernels& kernels;
  const Conv2dShape& shape;
  const WeightsCut& cut;
  const float* x;
  const float* dy;
  TileLayout v_layout, g_layout;
};

void transform_tiles(const Operands& o, Tiles tiles, float* v, float* g) {
  const Conv2dShape& s = o.shape;
  const bool fetch = !o.cut.sliced;  // there the products prefetch it
  WinogradInputBlock block = TiledImages{s.h, s.w, s.c}.block(o.x, tiles, v, o.v_layout);
  block.pad_h = s.window.pad_h;
  block.pad_w = s.window.pad_w;
  block.fetch_x = fetch;
  o.kernels.winograd4x4.input_transform(block);
  block = TiledImages{s.p(), s.q(), s.k}.block(o.dy, tiles, g, o.g_layout);
  block.fetch_x = fetch;
  o.kernels.winograd4x4.gradient_transform(block);
}

// Rows [row, row + rows) and columns [column, column + columns) of dU[point] (+)= G[point]^T *
// V[point] over some tiles; `block` holds dU's address.
void multiply_point(const Operands& o, std::int64_t point, SortedTiles::Range tiles,
                    std::int64_t row, std::int64_t column, const float* v, const float* g,
                    GemmBlock& block) {
  block.k = tiles.end - tiles.begin;
  block.a = g + point * o.g_layout.point_stride + tiles.begin * o.g_layout.tile_stride + row;
  block.a_row_stride = 1;
  block.a_k_stride = o.g_layout.tile_stride;
  block.b = v + point * o.v_layout.point_stride + tiles.begin * o.v_layout.tile_stride + column;
  block.b_panel_stride = kPanelColumns;
  block.b_k_stride = o.v_layout.tile_stride;
  o.kernels.gemm.multiply(block);
}

void run_sliced(ExecContext& context, const Operands& o, float* du) {
  const WeightsCut& cut = o.cut;
  const Conv2dShape& s = o.shape;
  const auto row_offset = row_offsets(s.k, s.c);
  context.pool.run(cut.slices, [&](std::int64_t slice) {
    float* v = thread_scratch(o.v_layout.floats() + o.g_layout.floats());
    float* g = v + o.v_layout.floats();
    const std::int64_t begin = slice * cut.slice_tiles;
    const std::int64_t end = std::min(begin + cut.slice_tiles, cut.tiles);
    std::vector<const float*> rows;
    GemmBlock block{};
    block.rows = s.k;
    block.columns = s.c;
    block.c_row_offset = row_offset.data();
    block.fetch_bytes = 4 * kWinogradTile * std::max(s.c, s.k);
    // Without any tile (an empty batch) the gradient is still stored as zeros.
    for (std::int64_t t = begin; t == begin || t < end; t += cut.step_tiles) {
      const std::int64_t tiles = std::max<std::int64_t>(std::min(cut.step_tiles, end - t), 0);
      transform_tiles(o, cut.grid.tiles(t, t + tiles), v, g);
      const auto next = cut.grid.tiles(t + tiles, std::min(t + 2 * cut.step_tiles, end));
      rows.clear();
      TiledImages{s.h, s.w, s.c}.add_rows(o.x, next, rows);
      TiledImages{s.p(), s.q(), s.k}.add_rows(o.dy, next, rows);
      block.accumulate = t > begin;
      for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
        fetch_share(rows, point, kWinogradPoints, block);
        block.c = du + slice * cut.du_floats + point * s.k * s.c;
        multiply_point(o, point, {0, tiles}, 0, 0, v, g, block);
      }
    }
  });
}

// `du` holds the pieces one after the other; null where there is one block: then they need no
// memory but scratch.
void run_staged(ExecContext& context, const Operands& o, float* v, float* g, float* du, float* dw) {
  const WeightsCut& cut = o.cut;
  const Conv2dShape& s = o.shape;
  const auto row_offset = row_offsets(kPieceRows, kPieceColumns);
  for (std::int64_t begin = 0; begin == 0 || begin < cut.tiles; begin += cut.step_tiles) {
    const auto block_tiles = cut.grid.tiles(begin, std::min(begin + cut.step_tiles, cut.tiles));
    const SortedTiles tiles(block_tiles);
    context.pool.run_blocks(
        tiles.count(), kStagedGroup, [&](std::int64_t first, std::int64_t last) {
          transform_tiles(o, tiles.part(first, last), v + first * o.v_layout.tile_stride,
                          g + first * o.g_layout.tile_stride);
        });
    context.pool.run(cut.pieces(s), [&](std::int64_t task) {
      const Piece piece = cut.piece(s, task);
      float* out = du ? du + task * kPieceFloats : thread_scratch(kPieceFloats);
      GemmBlock block{};
      block.rows = piece.rows;
      block.columns = piece.columns;
      block.c_row_offset = row_offset.data();
      block.accumulate = begin > 0;
      block.fetch_a = true;
      for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
        block.c = out + point * kPiecePointFloats;
        const auto needing = tiles.needing(point / kWinogradInput, point % kWinogradInput);
        multiply_point(o, point, needing, piece.row, piece.column, v, g, block);
      }
      if (begin + cut.step_tiles < cut.tiles) return;
      winograd_tiles::finish_piece(o.kernels, s, piece, out, dw);
    });
  }
}

}  // namespace

std::size_t backward_weights_workspace_bytes(const Conv2dShape& s) {
  const WeightsCut cut = cut_work(s);
  std::int64_t floats = cut.slices * cut.du_floats;
  if (!cut.sliced) {
    floats += TileLayout(cut.step_tiles, s.c).floats() + TileLayout(cut.step_tiles, s.k).floats();
  }
  return static_cast<std::size_t>(floats) * sizeof(float);
}

void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                      const float* x, const float* dy, float* dw) {
  const WeightsCut cut = cut_work(s);
  const Operands o{
      kernels, s, cut, x, dy, TileLayout(cut.step_tiles, s.c), TileLayout(cut.step_tiles, s.k)};
  Workspace::Scope scope(context.workspace);
  float* du = cut.du_floats > 0 ? scope.take_array<float>(cut.slices * cut.du_floats) : nullptr;
  if (cut.sliced) {
    run_sliced(context, o, du);
    winograd_tiles::finish_slices(context, kernels, s, cut, du, dw);
  } else {
    auto* v = scope.take_array<float>(o.v_layout.floats());
    auto* g = scope.take_array<float>(o.g_layout.floats());
    run_staged(context, o, v, g, du, dw);
  }
}

}  // namespace hanok::cpu::winograd4x4
