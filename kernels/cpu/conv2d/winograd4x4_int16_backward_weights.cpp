// Weight gradient by Winograd F(4x4, 3x3) with products in dynamic fixed point:
//
//   dw = G^T [ sum over tiles of (A dy A^T) . (B^T x B) ] G
//
// The sum runs over tiles, so that a scale cannot belong to one tile as in the other passes: it
// belongs to a channel of a point over a run of at most 64 tiles, and pairs are neighbouring tiles.
// A run of 64 products is exact where the magnitudes of each transformed input's column sum to at
// most 32 * 8191, which is known once the column is quantised; else it is cut in two.
//
//   for 16 channels of x, then of dy, at a time              one cache line of a pixel
//     V[point] = their transformed tiles, in floats          [36][tiles, 16], 147 KB for 64 tiles
//     Q[point] = the same as pairs of integers               [36][tiles / 2, C][2], and scales
//   dU[point] += Y[point]^T V[point] for each run            [K, C] f32
//
// Early layers: a task takes a slice of the tiles through both steps, a run at a time, and adds to
// the slice's own dU; slices are added in index order. Deep layers: blocks of tiles are transformed
// in parallel, 16 channels a task, then pieces of dU run in parallel, 48 rows by 64 columns for all
// 36 points. Both as in winograd4x4_backward_weights.cpp, which explains the cut.
#include <algorithm>
#include <vector>

#include "hanok/kernels/cpu/conv2d/quantized.h"
#include "hanok/kernels/cpu/conv2d/winograd4x4_int16.h"
#include "hanok/kernels/cpu/conv2d/winograd4x4_weights_cut.h"
#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/int16.h"
#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu::winograd4x4_int16 {
namespace {

using quantized::Columns;
using quantized::kRunRows;
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
using winograd_tiles::WeightsCut;

constexpr std::int64_t kBlockTiles = 256;         // of a block in deep layers
constexpr std::int64_t kGroup = Columns::kGroup;  // channels transformed together

WeightsCut cut_work(const Conv2dShape& s) {
  return s.c + s.k <= 256 ? winograd_tiles::cut_into_slices(s, kRunRows)
                          : winograd_tiles::cut_into_pieces(s, kBlockTiles);
}

Columns columns_of(const WeightsCut& cut, std::int64_t channels) {
  return {divide_up(cut.step_tiles, kRunRows), channels, kWinogradPoints};
}
// Of the tiles that need a point: runs of 64, and tiles of one of them.
std::int64_t runs_of(SortedTiles::Range tiles) {
  return divide_up(tiles.end - tiles.begin, kRunRows);
}
std::int64_t tiles_of_run(SortedTiles::Range tiles, std::int64_t run) {
  return std::min(tiles.end - tiles.begin - run * kRunRows, kRunRows);
}

struct Operands {
  const IsaKernels& kernels;
  const Int16Kernels& int16;
  const Conv2dShape& shape;
  const WeightsCut& cut;
  const float* x;
  const float* dy;

  TiledImages inputs() const { return {shape.h, shape.w, shape.c}; }
  TiledImages gradients() const { return {shape.p(), shape.q(), shape.k}; }
};

// One task's part of transformed tiles: 16 channels of x or of dy. `floats` is scratch.
struct Group {
  bool of_x;
  std::int64_t group;
};

void transform(const Operands& o, const SortedTiles& tiles, Group part, float* floats,
               const Columns& out) {
  const TileLayout layout(tiles.count(), kGroup);
  const std::int64_t channel = part.group * kGroup;
  const TiledImages images = part.of_x ? o.inputs() : o.gradients();
  WinogradInputBlock block =
      images.block((part.of_x ? o.x : o.dy) + channel, tiles.all(), floats, layout);
  block.columns = std::min(kGroup, images.channels - channel);
  block.fetch_x = !o.cut.sliced;  // there the products prefetch it
  if (part.of_x) {
    block.pad_h = o.shape.window.pad_h;
    block.pad_w = o.shape.window.pad_w;
    o.kernels.winograd4x4.input_transform(block);
  } else {
    o.kernels.winograd4x4.gradient_transform(block);
  }
  for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
    const auto needing = tiles.needing(point / kWinogradInput, point % kWinogradInput);
    for (std::int64_t run = 0; run < runs_of(needing); ++run) {
      const std::int64_t first = needing.begin + run * kRunRows;
      out.set(o.int16, run,
              {.point = point,
               .channel = channel,
               .count = block.columns,
               .rows = tiles_of_run(needing, run),
               .x = floats + point * layout.point_stride + first * layout.tile_stride,
               .stride = layout.tile_stride});
    }
  }
}

// dU[point] (+)= G[point]^T V[point] over the tiles that need the point; `block` holds dU's address
// and whether it has sums already.
void multiply_point(const Operands& o, std::int64_t point, SortedTiles::Range tiles,
                    const Piece& piece, const Columns& v, const Columns& g, Int16Block block) {
  block.rows = piece.rows;
  block.columns = piece.columns;
  for (std::int64_t run = 0; run < std::max<std::int64_t>(runs_of(tiles), 1); ++run) {
    Columns::multiply(o.int16, run, tiles_of_run(tiles, run), {g, point, piece.row},
                      {v, point, piece.column}, block);
    block.accumulate = true;
    block.fetch_count = 0;
  }
}

void run_sliced(ExecContext& context, const Operands& o, float* du) {
  const WeightsCut& cut = o.cut;
  const Conv2dShape& s = o.shape;
  const auto row_offset = row_offsets(s.k, s.c);
  const Piece whole{0, s.k, 0, s.c};
  context.pool.run(cut.slices, [&](std::int64_t slice) {
    Columns v = columns_of(cut, s.c);
    Columns g = columns_of(cut, s.k);
    const TileLayout layout(cut.step_tiles, kGroup);
    float* floats = thread_scratch(layout.floats() + v.floats() + g.floats());
    v.lie_at(floats + layout.floats());
    g.lie_at(floats + layout.floats() + v.floats());
    const std::int64_t begin = slice * cut.slice_tiles;
    const std::int64_t end = std::min(begin + cut.slice_tiles, cut.tiles);
    std::vector<const float*> rows;
    Int16Block block{};
    block.c_row_offset = row_offset.data();
    block.fetch_bytes = 4 * kWinogradTile * std::max(s.c, s.k);
    for (std::int64_t t = begin; t < end; t += cut.step_tiles) {
      const SortedTiles tiles(cut.grid.tiles(t, std::min(t + cut.step_tiles, end)));
      for (std::int64_t group = 0; group * kGroup < s.c; ++group) {
        transform(o, tiles, {true, group}, floats, v);
      }
      for (std::int64_t group = 0; group * kGroup < s.k; ++group) {
        transform(o, tiles, {false, group}, floats, g);
      }
      const auto next = cut.grid.tiles(t + tiles.count(), std::min(t + 2 * cut.step_tiles, end));
      rows.clear();
      o.inputs().add_rows(o.x, next, rows);
      o.gradients().add_rows(o.dy, next, rows);
      block.accumulate = t > begin;
      for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
        fetch_share(rows, point, kWinogradPoints, block);
        block.c = du + slice * cut.du_floats + point * s.k * s.c;
        multiply_point(o, point, {0, tiles.count()}, whole, v, g, block);
      }
    }
  });
}

// `du` holds the pieces one after the other; null where there is one block: then they need no
// memory but scratch.
void run_staged(ExecContext& context, const Operands& o, const Columns& v, const Columns& g,
                float* du, float* dw) {
  const WeightsCut& cut = o.cut;
  const Conv2dShape& s = o.shape;
  const auto row_offset = row_offsets(kPieceRows, kPieceColumns);
  const std::int64_t x_groups = divide_up(s.c, kGroup);
  for (std::int64_t begin = 0; begin < cut.tiles; begin += cut.step_tiles) {
    const SortedTiles tiles(cut.grid.tiles(begin, std::min(begin + cut.step_tiles, cut.tiles)));
    context.pool.run(x_groups + divide_up(s.k, kGroup), [&](std::int64_t task) {
      float* floats = thread_scratch(TileLayout(tiles.count(), kGroup).floats());
      const bool of_x = task < x_groups;
      transform(o, tiles, {of_x, of_x ? task : task - x_groups}, floats, of_x ? v : g);
    });
    context.pool.run(cut.pieces(s), [&](std::int64_t task) {
      const Piece piece = cut.piece(s, task);
      float* out = du ? du + task * kPieceFloats : thread_scratch(kPieceFloats);
      Int16Block block{};
      block.c_row_offset = row_offset.data();
      block.accumulate = begin > 0;
      for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
        block.c = out + point * kPiecePointFloats;
        multiply_point(o, point, tiles.needing(point / kWinogradInput, point % kWinogradInput),
                       piece, v, g, block);
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
    floats += columns_of(cut, s.c).floats() + columns_of(cut, s.k).floats();
  }
  return static_cast<std::size_t>(floats) * sizeof(float);
}

void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                      const float* x, const float* dy, float* dw) {
  const WeightsCut cut = cut_work(s);
  if (cut.tiles == 0) {
    std::fill_n(dw, s.k * 9 * s.c, 0.0F);
    return;
  }
  const Operands o{kernels, int16_kernels_for(kernels), s, cut, x, dy};
  Workspace::Scope scope(context.workspace);
  float* du = cut.du_floats > 0 ? scope.take_array<float>(cut.slices * cut.du_floats) : nullptr;
  if (cut.sliced) {
    run_sliced(context, o, du);
    winograd_tiles::finish_slices(context, kernels, s, cut, du, dw);
  } else {
    Columns v = columns_of(cut, s.c);
    Columns g = columns_of(cut, s.k);
    v.lie_at(scope.take_array<float>(v.floats()));
    g.lie_at(scope.take_array<float>(g.floats()));
    run_staged(context, o, v, g, du, dw);
  }
}

}  // namespace hanok::cpu::winograd4x4_int16
