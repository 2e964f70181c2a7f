// Forward and backward-data convolution, 3x3 with stride 2, by Winograd over phases: the schedule.
// The mathematics is in isa/winograd_strided.cpp.
//
// Forward:
//   for each block of about 128 tiles (a tile is 4x4 outputs)
//     V[point] = transformed phases of x      [25][tiles, up to 4 * C]       6 tiles a task
//     for each 16 filters                                                          one task
//       for each 64 channels
//         U[point] = transformed filters      [25][up to 4 * 64][16]             332 KB, L2
//         M[point] += V[point] * U[point]     [25][tiles, 16]                    205 KB, L2
//       y = transformed M, epilogue, stored
//
// A point's phases lie side by side in V, 64 channels of each, so that its product runs over up to
// 256 values in registers. The filters are transformed on the way, again for each block: reading
// nine times as many numbers, even from L3, is slower than computing them. That is why there is no
// packed form of the weights.
//
// Backward data: V[point] = transformed dy [25][tiles, K], common to all phases; a task takes 16
// input channels of one phase through its products and stores every other pixel of dx.
//
// Tiles overlap rather than extend beyond the image (winograd_tiles::TileGrid): 14 = 4 + 4 + 3 + 3
// and 7 = 4 + 3. A short tile takes 7 points along an axis instead of 9.
//
// Roofline: 81 * C * K multiply-adds a tile instead of 144 * C * K. At 64 x 128 a tile takes 41500
// cycles of multiply-adds at the peak beside about 1300 of its input's and 1400 of its output's
// transform. V, 21 KB a tile, is read from L3 once for each 16 filters.
#include "hanok/kernels/cpu/conv2d/winograd_strided.h"

#include <algorithm>
#include <vector>

#include "hanok/kernels/cpu/gemm.h"

namespace hanok::cpu::winograd_strided {

using winograd_tiles::Outputs;
using winograd_tiles::row_offsets;
using winograd_tiles::SortedTiles;
using winograd_tiles::TiledImages;
using winograd_tiles::TileLayout;
using winograd_tiles::Tiles;

namespace {

constexpr std::int64_t kBlockTiles = 132;    // 22 register tiles
constexpr std::int64_t kBlockChannels = 64;  // of a phase: four of them make kBlockK

std::int64_t groups_per_block(const TileBlocks& blocks) {
  return divide_up(blocks.block_tiles, kTransformTiles);
}

TileLayout layout_of(std::int64_t tiles, std::int64_t channels) {
  return {tiles, channels, kStridedPoints};
}

// Calls transform(tiles, first) for groups of a block's tiles, in parallel; `first` counts from the
// block's first.
template <typename F>
void for_groups(ExecContext& context, const SortedTiles& tiles, F transform) {
  context.pool.run_blocks(
      tiles.count(), kTransformTiles,
      [&](std::int64_t begin, std::int64_t end) { transform(tiles.part(begin, end), begin); });
}

// M[point] = V[point] * U[point] for the tiles that need it: what does not depend on the point.
GemmBlock product(const TileLayout& v_layout, std::int64_t columns) {
  GemmBlock block{};
  block.columns = columns;
  block.a_row_stride = v_layout.tile_stride;
  block.a_k_stride = 1;
  block.b_k_stride = kPanelColumns;
  block.fetch_a = true;
  return block;
}

// ... and what does: the tiles' part of V and M.
void set_tiles(const SortedTiles& tiles, std::int64_t point, const float* v,
               const std::vector<std::int64_t>& m_row_offset, GemmBlock& block) {
  const SortedTiles::Range rows = tiles_needing(tiles, point);
  block.rows = rows.end - rows.begin;
  block.a = v + rows.begin * block.a_row_stride;
  block.c_row_offset = m_row_offset.data() + rows.begin;
}

}  // namespace

SortedTiles TileBlocks::block(std::int64_t b) const {
  return SortedTiles(grid.tiles(b * block_tiles, std::min((b + 1) * block_tiles, count)));
}

TileBlocks tile_blocks(const Conv2dShape& s) {
  TileBlocks blocks{{s.p(), s.q(), kWinogradTile, true}, 0, 1};
  blocks.count = s.n * blocks.grid.per_image();
  const std::int64_t wanted = std::max<std::int64_t>(divide_up(blocks.count, kBlockTiles), 1);
  blocks.block_tiles = std::max<std::int64_t>(divide_up(blocks.count, wanted), 1);
  return blocks;
}

StridedChannels channels_of(const Conv2dShape& s) {
  const std::int64_t blocks = divide_up(s.c, kBlockChannels);
  return {s.c, round_up(divide_up(s.c, blocks), kWinogradChannels)};
}

TileLayout input_layout(const TileBlocks& blocks, const Conv2dShape& s) {
  return layout_of(blocks.block_tiles, kStridedPhases * s.c);
}

void transform_input(const IsaKernels& kernels, const Conv2dShape& s, const float* x, Tiles tiles,
                     float* v, const TileLayout& layout) {
  WinogradInputBlock block = TiledImages{s.h, s.w, s.c}.block(x, tiles, v, layout);
  block.fetch_x = true;
  kernels.winograd_strided.input_transform(block, channels_of(s));
}

namespace {

std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& s) {
  if (pass == Conv2dPass::BackwardWeights) return backward_weights_workspace_bytes(s);
  const TileBlocks blocks = tile_blocks(s);
  if (pass == Conv2dPass::BackwardData) {
    return static_cast<std::size_t>(layout_of(blocks.block_tiles, s.k).floats()) * sizeof(float);
  }
  return static_cast<std::size_t>(input_layout(blocks, s).floats()) * sizeof(float) +
         block_moments_bytes(blocks.blocks() * groups_per_block(blocks), s.k);
}

void forward(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s, const float* x,
             const Conv2dWeights& weights, const Epilogue& epilogue, float* y) {
  const float* w = weights.plain;
  const TileBlocks blocks = tile_blocks(s);
  const StridedChannels channels = channels_of(s);
  const TileLayout v_layout = input_layout(blocks, s);
  const TileLayout m_layout = layout_of(blocks.block_tiles, kPanelColumns);
  const auto m_row_offset = row_offsets(blocks.block_tiles, m_layout.tile_stride);
  Workspace::Scope scope(context.workspace);
  auto* v = scope.take_array<float>(v_layout.floats());
  const Outputs outputs{
      {s.p(), s.q(), s.k},
      y,
      tile_epilogue(epilogue),
      take_moments(scope, epilogue, blocks.blocks() * groups_per_block(blocks), s.k)};
  std::vector<std::int64_t> group_pixels;
  const auto run_panel = [&](std::int64_t b, const SortedTiles& tiles, std::int64_t column) {
    const std::int64_t columns = std::min(kPanelColumns, s.k - column);
    float* m = thread_scratch(m_layout.floats() + strided_u_floats(channels.block));
    float* u = m + m_layout.floats();
    GemmBlock block = product(v_layout, columns);
    for (std::int64_t begin = 0; begin < s.c; begin += channels.block) {
      const std::int64_t size = channels.block_size(begin);
      kernels.winograd_strided.pack_forward(w + column * 9 * s.c + begin, s.c, size, columns, u);
      block.accumulate = begin > 0;
      for (std::int64_t point = 0; point < kStridedPoints; ++point) {
        set_tiles(tiles, point,
                  v + point * v_layout.point_stride + channels.offset(point, {0, 0}, begin),
                  m_row_offset, block);
        block.k = strided_phases(point) * size;
        block.b = u + strided_u_offset(point, size);
        block.c = m + point * m_layout.point_stride;
        kernels.gemm.multiply(block);
      }
    }
    for (std::int64_t first = 0; first < tiles.count(); first += kTransformTiles) {
      kernels.winograd_strided.output_transform(
          outputs.block(tiles.part(first, std::min(first + kTransformTiles, tiles.count())), column,
                        columns, m + first * m_layout.tile_stride, m_layout,
                        b * groups_per_block(blocks) + first / kTransformTiles));
    }
  };
  for (std::int64_t b = 0; b < blocks.blocks(); ++b) {
    const SortedTiles tiles = blocks.block(b);
    for_groups(context, tiles, [&](Tiles part, std::int64_t first) {
      transform_input(kernels, s, x, part, v + first * v_layout.tile_stride, v_layout);
    });
    context.pool.run(divide_up(s.k, kPanelColumns),
                     [&](std::int64_t task) { run_panel(b, tiles, task * kPanelColumns); });
    for (std::int64_t first = 0; first < tiles.count(); first += kTransformTiles) {
      group_pixels.push_back(outputs.images.pixels(
          tiles.part(first, std::min(first + kTransformTiles, tiles.count()))));
    }
  }
  if (outputs.moments.mean) {
    combine_moments(outputs.moments, group_pixels, epilogue.bn_mean_var.f32());
  }
}

void backward_data(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                   const float* dy, const Conv2dWeights& weights, float* dx) {
  const float* w = weights.plain;
  const TileBlocks blocks = tile_blocks(s);
  const std::int64_t parts = divide_up(s.c, kPanelColumns);
  const std::int64_t k_block = k_block_size(s.k);
  const TileLayout v_layout = layout_of(blocks.block_tiles, s.k);
  const TileLayout m_layout = layout_of(blocks.block_tiles, kPanelColumns);
  const auto m_row_offset = row_offsets(blocks.block_tiles, m_layout.tile_stride);
  Workspace::Scope scope(context.workspace);
  auto* v = scope.take_array<float>(v_layout.floats());
  Outputs outputs{{s.h, s.w, s.c}, dx, {}, {}};

  const auto run_panel = [&](const SortedTiles& tiles, StridedPhase phase, std::int64_t column) {
    const std::int64_t columns = std::min(kPanelColumns, s.c - column);
    float* m = thread_scratch(m_layout.floats() + kStridedPoints * winograd_point_floats(k_block));
    float* u = m + m_layout.floats();
    GemmBlock block = product(v_layout, columns);
    for (std::int64_t begin = 0; begin < s.k; begin += k_block) {
      block.k = std::min(k_block, s.k - begin);
      block.accumulate = begin > 0;
      kernels.winograd_strided.pack_backward_data(w + begin * 9 * s.c + column, s.c, block.k,
                                                  columns, phase, u);
      for (std::int64_t i = 0; i < strided_rows(phase); ++i) {
        for (std::int64_t j = 0; j < strided_columns(phase); ++j) {
          const std::int64_t point = i * kStridedSide + j;
          const std::int64_t index = i * strided_columns(phase) + j;  // among the phase's
          set_tiles(tiles, point, v + point * v_layout.point_stride + begin, m_row_offset, block);
          block.b = u + index * winograd_point_floats(block.k);
          block.c = m + index * m_layout.point_stride;
          kernels.gemm.multiply(block);
        }
      }
    }
    kernels.winograd_strided.phase_output_transform(
        outputs.block(tiles.all(), column, columns, m, m_layout, 0), phase);
  };

  for (std::int64_t b = 0; b < blocks.blocks(); ++b) {
    const SortedTiles tiles = blocks.block(b);
    for_groups(context, tiles, [&](Tiles part, std::int64_t first) {
      WinogradInputBlock block = TiledImages{s.p(), s.q(), s.k}.block(
          dy, part, v + first * v_layout.tile_stride, v_layout);
      block.fetch_x = true;
      kernels.winograd_strided.gradient_input_transform(block);
    });
    context.pool.run(kStridedPhases * parts, [&](std::int64_t task) {
      run_panel(tiles, strided_phase(task / parts), task % parts * kPanelColumns);
    });
  }
}

bool fits(const Conv2dShape& s) {
  const Window2d& w = s.window;
  return s.r == 3 && s.s == 3 && s.groups == 1 && w.stride_h == 2 && w.stride_w == 2 &&
         w.dilation_h == 1 && w.dilation_w == 1 && w.pad_h == 1 && w.pad_w == 1 && s.extra_h == 0 &&
         s.extra_w == 0 && s.c % 8 == 0 && s.k % 8 == 0;
}

}  // namespace

const Conv2dDriver driver = {
    .name = "winograd_strided",
    .fits = fits,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .stores_bf16 = true,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};

}  // namespace hanok::cpu::winograd_strided
