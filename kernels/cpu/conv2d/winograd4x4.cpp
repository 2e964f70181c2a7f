// Forward and backward-data convolution by Winograd F(4x4, 3x3): the schedule.
//
// Three steps for a block of tiles (a tile is 4x4 outputs):
//   V[point] = transformed inputs   [36][tiles, C]
//   M[point] = V[point] * U[point]  [36][tiles, K]      U: packed weights [K/16][36][C][16]
//   y        = transformed M, epilogue, stored
//
// Early layers (C + K <= 256) are fused: a task takes 12 tiles through all three steps, M for 64
// output channels at a time, so that V (12 * 36 * C floats: 138 KB at C = 64), M and most of U stay
// in L2 and no transformed tensor reaches memory. Measured with 12, 18, 24 and 36 tiles: 12 is the
// fastest at 64 and at 128 channels. The products need no memory beyond L2, so they prefetch what
// does: y and the residual of this block, x of the next. Transforms that wait for memory instead
// take the layer from 0.37 to 0.50 ms an image (64 channels, 56x56, two threads).
//
// Deep layers (256, 512 channels) are staged: U (9 to 38 MB) exceeds the caches, so each panel of
// it must serve many tiles. Blocks of about 128 tiles go through one step after the other, each
// step parallel in itself; products are parallel over the 36 points and panels of K.
// Weights that change every step are transformed on the way instead (run_panels). choose.cpp
// chooses between them.
//
// Their images are small, so that tiles that extend beyond the image would cost much: 7 and 14
// outputs in tiles of 4 waste a quarter of the products. Instead the last tiles overlap the ones
// before by an output (TileGrid::overlap), which one of the six points alone serves: 7 = 4 + 3
// takes 6 + 5 points. A sixth of the products is saved at both sizes.
//
// Roofline: 36 * C * K multiply-adds a tile instead of 144 * C * K. At C = K = 64, 9216 cycles of
// multiply-adds at the peak compare with about 1200 of input and 1000 of output transforms.
//
// Lavin, Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4.3; the
// choice of points: isa/winograd4x4.cpp.
#include "hanok/kernels/cpu/conv2d/winograd4x4.h"

#include <algorithm>
#include <array>
#include <vector>

#include "hanok/kernels/cpu/conv2d/winograd4x4_problem.h"
#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu::winograd4x4 {
namespace {

using winograd_tiles::fetch_share;
using winograd_tiles::kStagedGroup;
using winograd_tiles::Outputs;
using winograd_tiles::Problem;
using winograd_tiles::row_offsets;
using winograd_tiles::SortedTiles;
using winograd_tiles::TileLayout;
using winograd_tiles::Tiles;

constexpr std::int64_t kFusedColumns = 64;
constexpr std::int64_t kFusedTiles = 12;

Problem problem_of(Conv2dPass pass, const Conv2dShape& shape, WeightsAre weights) {
  return winograd_tiles::problem_of(
      pass, shape, choose_schedule(Conv2dAlgorithm::Winograd4x4, pass, shape, weights),
      kFusedTiles);
}

std::int64_t panel_floats(const Problem& p) {
  return kWinogradPoints * winograd_point_floats(p.in_channels);
}

// What every step of one convolution needs.
struct Run {
  const IsaKernels& kernels;
  const Problem& problem;
  Conv2dPass pass;
  const float* x;
  Conv2dWeights weights;
  Outputs outputs;
};

// `v` begins with the first of the tiles.
void transform_input(const Run& run, Tiles tiles, float* v, const TileLayout& layout) {
  const Problem& p = run.problem;
  WinogradInputBlock block = p.inputs().block(run.x, tiles, v, layout);
  block.pad_h = p.pad_h;
  block.pad_w = p.pad_w;
  block.fetch_x = !p.fused();  // there the products prefetch it
  run.kernels.winograd4x4.input_transform(block);
}

// Where a block's transformed tiles and their products are stored.
struct Scratch {
  TileLayout v_layout, m_layout;
  std::vector<std::int64_t> m_row_offset;
  float* v = nullptr;
  float* m = nullptr;

  Scratch(std::int64_t tiles, std::int64_t in_channels, std::int64_t out_channels)
      : v_layout(tiles, in_channels),
        m_layout(tiles, out_channels),
        m_row_offset(row_offsets(tiles, m_layout.tile_stride)) {}
};

// M[point] = V[point] * U[point] for some tiles and output channels [column, column + columns):
// their first k_block_size(C) input channels.
GemmBlock product(const Run& run, const Scratch& scratch, std::int64_t point,
                  SortedTiles::Range tiles, std::int64_t column, std::int64_t columns) {
  const std::int64_t c = run.problem.in_channels;
  GemmBlock block{};
  block.rows = tiles.end - tiles.begin;
  block.columns = columns;
  block.k = k_block_size(c);
  block.a = scratch.v + point * scratch.v_layout.point_stride +
            tiles.begin * scratch.v_layout.tile_stride;
  block.a_row_stride = scratch.v_layout.tile_stride;
  block.a_k_stride = 1;
  block.b = run.weights.packed + column / kPanelColumns * panel_floats(run.problem) +
            point * winograd_point_floats(c);
  block.b_panel_stride = panel_floats(run.problem);
  block.b_k_stride = kPanelColumns;
  block.c = scratch.m + point * scratch.m_layout.point_stride;
  block.c_row_offset = scratch.m_row_offset.data() + tiles.begin;
  return block;
}

SortedTiles::Range tiles_needing(const SortedTiles& tiles, std::int64_t point) {
  return tiles.needing(point / kWinogradInput, point % kWinogradInput);
}

// A block of tiles, from the input's transform to the stored outputs, in one task. C <= 256, so
// that a product takes all input channels at once. While the products run they prefetch what comes
// after them: this block's outputs, then the next block's pixels.
void run_fused(ExecContext& context, const Run& run) {
  const Problem& p = run.problem;
  const std::int64_t group = std::min(kFusedColumns, p.out_channels);
  const Scratch layout(p.block_tiles(), p.in_channels, group);
  const auto run_block = [&](std::int64_t b, std::int64_t next) {
    const std::vector<WinogradTile> tiles = p.block(b);
    const SortedTiles::Range all{0, static_cast<std::int64_t>(tiles.size())};
    Scratch scratch = layout;
    scratch.v = thread_scratch(scratch.v_layout.floats() + scratch.m_layout.floats());
    scratch.m = scratch.v + scratch.v_layout.floats();
    transform_input(run, tiles, scratch.v, scratch.v_layout);
    std::vector<const float*> rows;  // to prefetch
    for (std::int64_t column = 0; column < p.out_channels; column += group) {
      rows.clear();
      if (column == 0) {
        run.outputs.images.add_rows(run.outputs.y, tiles, rows);
        run.outputs.images.add_rows(run.outputs.epilogue.residual, tiles, rows);
      }
      if (column + group >= p.out_channels) p.inputs().add_rows(run.x, p.block(next), rows);
      const std::int64_t columns = std::min(group, p.out_channels - column);
      for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
        GemmBlock block = product(run, scratch, point, all, column, columns);
        fetch_share(rows, point, kWinogradPoints, block);
        block.fetch_bytes = 4 * kWinogradTile * std::max(p.in_channels, p.out_channels);
        run.kernels.gemm.multiply(block);
      }
      run.kernels.winograd4x4.output_transform(
          run.outputs.block(tiles, column, columns, scratch.m, scratch.m_layout, b));
    }
  };
  winograd_tiles::run_fused_blocks(context.pool, p, run_block);
}

void run_staged(ExecContext& context, const Run& run) {
  const Problem& p = run.problem;
  Scratch scratch(p.block_tiles(), p.in_channels, p.out_channels);
  Workspace::Scope scope(context.workspace);
  scratch.v = scope.take_array<float>(scratch.v_layout.floats());
  scratch.m = scope.take_array<float>(scratch.m_layout.floats());
  for (std::int64_t b = 0; b < p.blocks(); ++b) {
    const SortedTiles tiles(p.block(b));
    context.pool.run_blocks(
        tiles.count(), kStagedGroup, [&](std::int64_t first, std::int64_t last) {
          transform_input(run, tiles.part(first, last),
                          scratch.v + first * scratch.v_layout.tile_stride, scratch.v_layout);
        });
    context.pool.run(kWinogradPoints, [&](std::int64_t point) {
      const std::int64_t k_block = k_block_size(p.in_channels);
      GemmBlock block =
          product(run, scratch, point, tiles_needing(tiles, point), 0, p.out_channels);
      for (std::int64_t k0 = 0; k0 < p.in_channels; k0 += k_block) {
        block.k = std::min(k_block, p.in_channels - k0);
        block.accumulate = k0 > 0;
        run.kernels.gemm.multiply(block);
        block.a += k_block;
        block.b += k_block * kPanelColumns;
      }
    });
    context.pool.run_blocks(
        tiles.count(), kStagedGroup, [&](std::int64_t first, std::int64_t last) {
          run.kernels.winograd4x4.output_transform(
              run.outputs.block(tiles.part(first, last), 0, p.out_channels,
                                scratch.m + first * scratch.m_layout.tile_stride, scratch.m_layout,
                                b * p.moment_groups_per_block() + first / kStagedGroup));
        });
  }
}

// Where the weights come unpacked and serve few blocks: a task takes 16 output channels of a block
// from their filters to the stored outputs. Its part of U (592 KB for 256 input channels) and of M
// (295 KB) stay in L2, V is read from L3; U as a whole (38 MB at 512 x 512) never reaches memory.
// The sums are those of run_staged, bit for bit.
void run_panels(ExecContext& context, const Run& run) {
  const float* w = run.weights.plain;
  const Problem& p = run.problem;
  const std::int64_t block_tiles = p.block_tiles();
  const std::int64_t k_block = k_block_size(p.in_channels);
  const TileLayout v_layout(block_tiles, p.in_channels);
  const TileLayout m_layout(block_tiles, kPanelColumns);
  Workspace::Scope scope(context.workspace);
  auto* v = scope.take_array<float>(v_layout.floats());
  const auto m_row_offset = row_offsets(block_tiles, m_layout.tile_stride);
  const auto run_panel = [&](std::int64_t b, const SortedTiles& tiles, std::int64_t panel) {
    const std::int64_t column = panel * kPanelColumns;
    const std::int64_t columns = std::min(kPanelColumns, p.out_channels - column);
    float* m = thread_scratch(m_layout.floats() + kWinogradPoints * winograd_point_floats(k_block));
    float* u = m + m_layout.floats();
    GemmBlock block{};
    block.columns = columns;
    block.a_row_stride = v_layout.tile_stride;
    block.a_k_stride = 1;
    block.b_k_stride = kPanelColumns;
    block.fetch_a = true;
    for (std::int64_t k0 = 0; k0 < p.in_channels; k0 += k_block) {
      block.k = std::min(k_block, p.in_channels - k0);
      block.accumulate = k0 > 0;
      if (run.pass == Conv2dPass::Forward) {
        run.kernels.winograd4x4.pack_forward(w + column * 9 * p.in_channels + k0, p.in_channels,
                                             block.k, columns, u);
      } else {
        run.kernels.winograd4x4.pack_backward_data(w + k0 * 9 * p.out_channels + column,
                                                   p.out_channels, block.k, columns, u);
      }
      for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
        const SortedTiles::Range rows = tiles_needing(tiles, point);
        block.rows = rows.end - rows.begin;
        block.c_row_offset = m_row_offset.data() + rows.begin;
        block.a = v + point * v_layout.point_stride + rows.begin * v_layout.tile_stride + k0;
        block.b = u + point * winograd_point_floats(block.k);
        block.c = m + point * m_layout.point_stride;
        run.kernels.gemm.multiply(block);
      }
    }
    for (std::int64_t first = 0; first < tiles.count(); first += kStagedGroup) {
      run.kernels.winograd4x4.output_transform(
          run.outputs.block(tiles.part(first, std::min(first + kStagedGroup, tiles.count())),
                            column, columns, m + first * m_layout.tile_stride, m_layout,
                            b * p.moment_groups_per_block() + first / kStagedGroup));
    }
  };
  for (std::int64_t b = 0; b < p.blocks(); ++b) {
    const SortedTiles tiles(p.block(b));
    context.pool.run_blocks(
        tiles.count(), kStagedGroup, [&](std::int64_t first, std::int64_t last) {
          transform_input(run, tiles.part(first, last), v + first * v_layout.tile_stride, v_layout);
        });
    context.pool.run(divide_up(p.out_channels, kPanelColumns),
                     [&](std::int64_t panel) { run_panel(b, tiles, panel); });
  }
}

using Schedule = void (*)(ExecContext& context, const Run& run);
Schedule schedule_of(const Problem& p) {
  if (p.fused()) return run_fused;
  return p.schedule == Conv2dSchedule::Panels ? run_panels : run_staged;
}

void forward(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
             const float* x, const Conv2dWeights& w, const Epilogue& epilogue, float* y) {
  const Conv2dPass pass = Conv2dPass::Forward;
  const Problem p = problem_of(pass, shape, w.packed ? WeightsAre::Packed : WeightsAre::Plain);
  Workspace::Scope scope(context.workspace);
  const Outputs outputs{{p.out_h, p.out_w, p.out_channels},
                        y,
                        tile_epilogue(epilogue),
                        take_moments(scope, epilogue, p.moment_groups(), p.out_channels)};
  schedule_of(p)(context, {kernels, p, pass, x, w, outputs});
  if (!outputs.moments.mean) return;
  combine_moments(outputs.moments, winograd_tiles::moment_rows(p, outputs.images),
                  epilogue.bn_mean_var.f32());
}

void backward_data(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                   const float* dy, const Conv2dWeights& w, float* dx) {
  const Conv2dPass pass = Conv2dPass::BackwardData;
  const Problem p = problem_of(pass, shape, w.packed ? WeightsAre::Packed : WeightsAre::Plain);
  const Outputs outputs{{p.out_h, p.out_w, p.out_channels}, dx, tile_epilogue({}), {}};
  schedule_of(p)(context, {kernels, p, pass, dy, w, outputs});
}

std::size_t packed_bytes(Conv2dPass pass, const Conv2dShape& shape) {
  const Problem p = problem_of(pass, shape, WeightsAre::Packed);
  return static_cast<std::size_t>(divide_up(p.out_channels, kPanelColumns) * panel_floats(p)) *
         sizeof(float);
}

void pack(ExecContext& context, const IsaKernels& kernels, Conv2dPass pass,
          const Conv2dShape& shape, const float* w, float* packed) {
  const Problem p = problem_of(pass, shape, WeightsAre::Packed);
  context.pool.run(divide_up(p.out_channels, kPanelColumns), [&](std::int64_t panel) {
    const std::int64_t column = panel * kPanelColumns;
    const std::int64_t columns = std::min(kPanelColumns, p.out_channels - column);
    float* out = packed + panel * panel_floats(p);
    if (pass == Conv2dPass::Forward) {
      kernels.winograd4x4.pack_forward(w + column * 9 * p.in_channels, p.in_channels, p.in_channels,
                                       columns, out);
    } else {
      kernels.winograd4x4.pack_backward_data(w + column, p.out_channels, p.in_channels, columns,
                                             out);
    }
  });
}

bool reads_plain(Conv2dPass pass, const Conv2dShape& shape) {
  return problem_of(pass, shape, WeightsAre::Plain).schedule == Conv2dSchedule::Panels;
}

std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) {
  if (pass == Conv2dPass::BackwardWeights) return backward_weights_workspace_bytes(shape);
  const Problem p = problem_of(pass, shape, WeightsAre::Packed);
  std::int64_t floats = 0;
  if (!p.fused()) {
    floats = TileLayout(p.block_tiles(), p.in_channels).floats() +
             TileLayout(p.block_tiles(), p.out_channels).floats();
  }
  if (pass == Conv2dPass::Forward) floats += 2 * p.moment_groups() * p.out_channels;
  return static_cast<std::size_t>(floats) * sizeof(float);
}

}  // namespace

const Conv2dDriver driver = {
    .name = "winograd4x4",
    .fits = winograd_tiles::fits_3x3_stride1,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .reads_plain = reads_plain,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .stores_bf16 = true,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};

}  // namespace hanok::cpu::winograd4x4
