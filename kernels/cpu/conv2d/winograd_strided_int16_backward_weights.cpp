// Weight gradient of 3x3 convolutions with stride 2 by Winograd over phases, with products in
// dynamic fixed point: the schedule of winograd_strided_backward_weights.cpp with one step more.
// The sum runs over tiles, so that a scale belongs to a channel of a point (and phase) over a run
// of at most 64 tiles (quantized.h).
//
//   for each block of at most 8 runs
//     for each run, and 16 channels of x or of dy                                      one task
//       their transformed tiles, in floats           [25][tiles, up to 4 * 16], 332 KB, L2
//       V[point], Y[point]: the same as integers     [25][tiles / 2, up to 4 * C or K][2]
//     for each 48 filters, 64 channels and phase                                       one task
//       dU[point] += Y[point]^T * V[point] for each run     [up to 25][48, 64] f32, L2
//       after the last block: dw = inverse transform of dU
#include <algorithm>
#include <vector>

#include "hanok/kernels/cpu/conv2d/quantized.h"
#include "hanok/kernels/cpu/conv2d/winograd_strided.h"
#include "hanok/kernels/cpu/conv2d/winograd_strided_int16.h"
#include "hanok/kernels/cpu/gemm.h"

namespace hanok::cpu::winograd_strided_int16 {
namespace {

using quantized::Columns;
using quantized::kRunRows;
using winograd_strided::channels_of;
using winograd_strided::Pieces;
using winograd_strided::TileBlocks;
using winograd_strided::tiles_needing;
using winograd_tiles::row_offsets;
using winograd_tiles::SortedTiles;
using winograd_tiles::TiledImages;
using winograd_tiles::TileLayout;

constexpr std::int64_t kGroup = Columns::kGroup;  // channels transformed together

// Runs of tiles, as equal as possible, in blocks of up to 8.
struct Runs {
  TileBlocks tiles;
  std::int64_t block_runs;  // equal for all blocks but the last

  std::int64_t blocks() const { return divide_up(tiles.blocks(), block_runs); }
  std::vector<SortedTiles> block(std::int64_t b) const {
    std::vector<SortedTiles> runs;
    for (std::int64_t i = b * block_runs; i < std::min((b + 1) * block_runs, tiles.blocks()); ++i) {
      runs.push_back(tiles.block(i));
    }
    return runs;
  }
};

Runs runs_of(const Conv2dShape& s) {
  constexpr std::int64_t kMostRuns = 8;  // of a block
  Runs runs{winograd_strided::tile_blocks(s), 1};
  const auto equal_parts = [](std::int64_t count, std::int64_t most) {
    const std::int64_t parts = std::max<std::int64_t>(divide_up(count, most), 1);
    return std::max<std::int64_t>(divide_up(count, parts), 1);
  };
  runs.tiles.block_tiles = equal_parts(runs.tiles.count, kRunRows);
  runs.block_runs = equal_parts(runs.tiles.blocks(), kMostRuns);
  return runs;
}

// Channels of a phase in V: whole groups.
std::int64_t phase_channels(const Conv2dShape& s) { return round_up(s.c, kGroup); }

Columns inputs_of(const Conv2dShape& s) {
  return {runs_of(s).block_runs, kStridedPhases * phase_channels(s), kStridedPoints};
}
Columns gradients_of(const Conv2dShape& s) { return {runs_of(s).block_runs, s.k, kStridedPoints}; }

struct Operands {
  const IsaKernels& kernels;
  const Int16Kernels& int16;
  const Conv2dShape& shape;
  const float* x;
  const float* dy;
};

void transform_input(const Operands& o, const SortedTiles& tiles, std::int64_t run,
                     std::int64_t channel, const Columns& v) {
  const Conv2dShape& s = o.shape;
  const std::int64_t count = std::min(kGroup, s.c - channel);
  const TileLayout layout(tiles.count(), kStridedPhases * kGroup, kStridedPoints);
  float* floats = thread_scratch(layout.floats());
  WinogradInputBlock block =
      TiledImages{s.h, s.w, s.c}.block(o.x + channel, tiles.all(), floats, layout);
  block.fetch_x = true;
  o.kernels.winograd_strided.input_transform(block, {count, count});
  for (std::int64_t point = 0; point < kStridedPoints; ++point) {
    const SortedTiles::Range range = tiles_needing(tiles, point);
    for (std::int64_t rank = 0; rank < strided_phases(point); ++rank) {
      v.set(o.int16, run,
            {.point = point,
             .channel = rank * phase_channels(s) + channel,
             .count = count,
             .rows = range.end - range.begin,
             .x = floats + point * layout.point_stride + range.begin * layout.tile_stride +
                  rank * count,
             .stride = layout.tile_stride});
    }
  }
}

void transform_gradient(const Operands& o, const SortedTiles& tiles, std::int64_t run,
                        std::int64_t channel, const Columns& y) {
  const Conv2dShape& s = o.shape;
  const TileLayout layout(tiles.count(), kGroup, kStridedPoints);
  float* floats = thread_scratch(layout.floats());
  WinogradInputBlock block =
      TiledImages{s.p(), s.q(), s.k}.block(o.dy + channel, tiles.all(), floats, layout);
  block.columns = std::min(kGroup, s.k - channel);
  block.fetch_x = true;
  o.kernels.winograd_strided.gradient_transform(block);
  for (std::int64_t point = 0; point < kStridedPoints; ++point) {
    const SortedTiles::Range range = tiles_needing(tiles, point);
    y.set(o.int16, run,
          {.point = point,
           .channel = channel,
           .count = block.columns,
           .rows = range.end - range.begin,
           .x = floats + point * layout.point_stride + range.begin * layout.tile_stride,
           .stride = layout.tile_stride});
  }
}

// dU's piece (+)= Y^T V over the block's tiles.
void multiply_piece(const Operands& o, const std::vector<SortedTiles>& runs, const Pieces& pieces,
                    const Pieces::Piece& piece, const Columns& v, const Columns& y,
                    Int16Block block) {
  block.rows = piece.rows;
  block.columns = piece.columns;
  const bool accumulate = block.accumulate;
  for (std::int64_t i = 0; i < strided_rows(piece.phase); ++i) {
    for (std::int64_t j = 0; j < strided_columns(piece.phase); ++j) {
      const std::int64_t point = i * kStridedSide + j;
      const std::int64_t channel =
          strided_rank(point, piece.phase) * phase_channels(o.shape) + piece.column;
      block.accumulate = accumulate;
      for (std::size_t run = 0; run < runs.size(); ++run) {
        const SortedTiles::Range range = tiles_needing(runs[run], point);
        Columns::multiply(o.int16, static_cast<std::int64_t>(run), range.end - range.begin,
                          {y, point, piece.row}, {v, point, channel}, block);
        block.accumulate = true;
      }
      block.c += pieces.point_floats();
    }
  }
}

}  // namespace

std::size_t backward_weights_workspace_bytes(const Conv2dShape& s) {
  const Pieces pieces{s, channels_of(s)};
  const std::int64_t du = runs_of(s).blocks() > 1 ? pieces.count() * pieces.floats() : 0;
  return static_cast<std::size_t>(inputs_of(s).floats() + gradients_of(s).floats() + du) *
         sizeof(float);
}

void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                      const float* x, const float* dy, float* dw) {
  const Runs all_runs = runs_of(s);
  if (all_runs.blocks() == 0) {  // an empty batch
    std::fill_n(dw, s.k * 9 * s.c, 0.0F);
    return;
  }
  const Pieces pieces{s, channels_of(s)};
  const auto row_offset = row_offsets(Pieces::kRows, pieces.row_stride());
  const Operands operands{kernels, int16_kernels_for(kernels), s, x, dy};
  Workspace::Scope scope(context.workspace);
  Columns v = inputs_of(s);
  Columns y = gradients_of(s);
  v.lie_at(scope.take_array<float>(v.floats()));
  y.lie_at(scope.take_array<float>(y.floats()));
  float* du =
      all_runs.blocks() > 1 ? scope.take_array<float>(pieces.count() * pieces.floats()) : nullptr;
  const std::int64_t x_groups = divide_up(s.c, kGroup);
  const std::int64_t groups = x_groups + divide_up(s.k, kGroup);
  for (std::int64_t b = 0; b < all_runs.blocks(); ++b) {
    const std::vector<SortedTiles> runs = all_runs.block(b);
    context.pool.run(static_cast<std::int64_t>(runs.size()) * groups, [&](std::int64_t task) {
      const std::int64_t run = task / groups;
      const std::int64_t group = task % groups;
      const SortedTiles& tiles = runs[static_cast<std::size_t>(run)];
      if (group < x_groups) {
        transform_input(operands, tiles, run, group * kGroup, v);
      } else {
        transform_gradient(operands, tiles, run, (group - x_groups) * kGroup, y);
      }
    });
    context.pool.run(pieces.count(), [&](std::int64_t task) {
      const Pieces::Piece piece = pieces.piece(task);
      float* out = du ? du + task * pieces.floats() : thread_scratch(pieces.floats());
      Int16Block block{};
      block.c = out;
      block.c_row_offset = row_offset.data();
      block.accumulate = b > 0;
      multiply_piece(operands, runs, pieces, piece, v, y, block);
      if (b + 1 == all_runs.blocks()) pieces.finish(kernels, piece, out, dw);
    });
  }
}

}  // namespace hanok::cpu::winograd_strided_int16
