// Winograd F(4x4, 3x3) with products in dynamic fixed point: the schedule of winograd4x4.cpp with
// one step more. A tile is transformed in floats, in L1; then each of its 36 points, a row of C
// numbers, is quantised with a scale of its own:
//
//   V[point] = transformed inputs   [36][tiles, C] i16, scales [36][tiles]
//   M[point] = V[point] * U[point]  [36][tiles, K] f32  U: packed weights, i16, a scale for each
//   y        = transformed M, epilogue, stored             point and output channel
//
// Memory. Integers halve V and U. A fused task takes 24 tiles (V: 111 KB at C = 64) and M for 64
// output channels. Deep layers, whose U (4.7 to 19 MB) leaves L2, go panel by panel: a task keeps
// the part of U for 32 output channels and reads V of some 132 tiles from L3.
#include "hanok/kernels/cpu/conv2d/winograd4x4_int16.h"

#include <algorithm>
#include <vector>

#include "hanok/kernels/cpu/conv2d/winograd4x4_problem.h"
#include "hanok/kernels/cpu/conv2d/winograd_int16.h"
#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/int16.h"
#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu::winograd4x4_int16 {
namespace {

using quantized::multiply;
using winograd_int16::QuantizedFilters;
using winograd_int16::QuantizedTiles;
using winograd_tiles::fetch_share;
using winograd_tiles::kStagedGroup;
using winograd_tiles::Outputs;
using winograd_tiles::Problem;
using winograd_tiles::row_offsets;
using winograd_tiles::SortedTiles;
using winograd_tiles::TileLayout;
using winograd_tiles::Tiles;

constexpr std::int64_t kFusedTiles = 24;
// Where there are few: one register tile, so that threads have equal shares.
constexpr std::int64_t kFewFusedTiles = 12;
constexpr std::int64_t kEnoughFusedTiles = 32 * kFusedTiles;
constexpr std::int64_t kFusedColumns = 64;
constexpr std::int64_t kPanelsOfTask = 2;  // of 16 output channels, in the schedule Panels

Problem problem_of(Conv2dPass pass, const Conv2dShape& shape) {
  Problem p = winograd_tiles::problem_of(
      pass, shape,
      choose_schedule(Conv2dAlgorithm::Winograd4x4Int16, pass, shape, WeightsAre::Packed),
      kFusedTiles);
  if (p.tiles() < kEnoughFusedTiles) p.fused_tiles = kFewFusedTiles;
  return p;
}

QuantizedFilters filters_of(const Problem& p) {
  return {p.out_channels, std::vector<std::int64_t>(kWinogradPoints, p.in_channels)};
}

std::size_t packed_bytes(Conv2dPass pass, const Conv2dShape& shape) {
  return filters_of(problem_of(pass, shape)).bytes();
}

void pack(ExecContext& context, const IsaKernels& kernels, Conv2dPass pass,
          const Conv2dShape& shape, const float* w, float* packed) {
  const Problem p = problem_of(pass, shape);
  const auto transform = [&](QuantizedFilters::Panel& panel) {
    const std::int64_t u_floats = winograd_point_floats(p.in_channels);
    float* u = thread_scratch(kWinogradPoints * u_floats);
    if (pass == Conv2dPass::Forward) {
      kernels.winograd4x4.pack_forward(w + panel.column * 9 * p.in_channels, p.in_channels,
                                       p.in_channels, panel.columns, u);
    } else {
      kernels.winograd4x4.pack_backward_data(w + panel.column, p.out_channels, p.in_channels,
                                             panel.columns, u);
    }
    for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
      panel.set(point, u + point * u_floats);
    }
  };
  filters_of(p).pack(context.pool, int16_kernels_for(kernels), packed, transform);
}

// ---- the passes ----

// What every step of one convolution needs.
struct Run {
  const IsaKernels& kernels;
  const Int16Kernels& int16;
  const Problem& problem;
  const QuantizedFilters filters;
  const float* x;
  const float* packed;
  Outputs outputs;
};

// `tiles` become those of `inputs` from `first` on; `floats` holds a tile's transform.
void transform_inputs(const Run& run, Tiles tiles, std::int64_t first, float* floats,
                      const QuantizedTiles& inputs) {
  const Problem& p = run.problem;
  const TileLayout layout(1, p.in_channels);
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    WinogradInputBlock block = p.inputs().block(run.x, tiles.subspan(i), floats, layout);
    block.tile_count = 1;
    block.fetch_x = !p.fused();  // there the products prefetch it
    block.pad_h = p.pad_h;
    block.pad_w = p.pad_w;
    run.kernels.winograd4x4.input_transform(block);
    inputs.set(run.int16, first++,
               {.first = 0,
                .count = kWinogradPoints,
                .channels = p.in_channels,
                .x = floats,
                .stride = layout.point_stride});
  }
}

// M[point] for some tiles and output channels [column, column + columns).
Int16Block product(const Run& run, const QuantizedTiles& inputs, std::int64_t point,
                   SortedTiles::Range tiles, std::int64_t column, std::int64_t columns, float* m,
                   const std::int64_t* m_row_offset) {
  Int16Block block{};
  inputs.set_factor(block, point, tiles);
  run.filters.set_factor(block, run.packed, point, column, columns);
  block.c = m;
  block.c_row_offset = m_row_offset + tiles.begin;
  return block;
}

SortedTiles::Range tiles_needing(const SortedTiles& tiles, std::int64_t point) {
  return tiles.needing(point / kWinogradInput, point % kWinogradInput);
}

// A block of tiles, from the input's transform to the stored outputs, in one task.
void run_fused(ExecContext& context, const Run& run) {
  const Problem& p = run.problem;
  const std::int64_t group = std::min(kFusedColumns, p.out_channels);
  const TileLayout one_tile(1, p.in_channels);
  const TileLayout m_layout(p.block_tiles(), group);
  const std::vector<std::int64_t> m_row_offset = row_offsets(p.block_tiles(), m_layout.tile_stride);
  const QuantizedTiles shape(p.block_tiles(), p.in_channels);
  const auto run_block = [&](std::int64_t b, std::int64_t next) {
    const std::vector<WinogradTile> tiles = p.block(b);
    const SortedTiles::Range all{0, static_cast<std::int64_t>(tiles.size())};
    QuantizedTiles inputs = shape;
    float* floats = thread_scratch(one_tile.floats() + m_layout.floats() + inputs.floats());
    float* m = floats + one_tile.floats();
    inputs.lie_at(m + m_layout.floats());
    transform_inputs(run, tiles, 0, floats, inputs);
    std::vector<const float*> rows;  // to prefetch: this block's outputs, then the next's pixels
    for (std::int64_t column = 0; column < p.out_channels; column += group) {
      rows.clear();
      if (column == 0) {
        run.outputs.images.add_rows(run.outputs.y, tiles, rows);
        run.outputs.images.add_rows(run.outputs.epilogue.residual, tiles, rows);
      }
      if (column + group >= p.out_channels) p.inputs().add_rows(run.x, p.block(next), rows);
      const std::int64_t columns = std::min(group, p.out_channels - column);
      for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
        Int16Block block = product(run, inputs, point, all, column, columns,
                                   m + point * m_layout.point_stride, m_row_offset.data());
        fetch_share(rows, point, kWinogradPoints, block);
        block.fetch_bytes = 4 * kWinogradTile * std::max(p.in_channels, p.out_channels);
        multiply(run.int16, block);
      }
      run.kernels.winograd4x4.output_transform(
          run.outputs.block(tiles, column, columns, m, m_layout, b));
    }
  };
  winograd_tiles::run_fused_blocks(context.pool, p, run_block);
}

void run_panels(ExecContext& context, const Run& run) {
  const Problem& p = run.problem;
  const TileLayout one_tile(1, p.in_channels);
  const std::int64_t group = kPanelsOfTask * kPanelColumns;
  const TileLayout m_layout(p.block_tiles(), group);
  const std::vector<std::int64_t> m_row_offset = row_offsets(p.block_tiles(), m_layout.tile_stride);
  Workspace::Scope scope(context.workspace);
  QuantizedTiles inputs(p.block_tiles(), p.in_channels);
  auto* memory = scope.take_array<float>(inputs.floats());
  p.blocks() == 1 ? inputs.lie_at_shared(context.pool, memory) : inputs.lie_at(memory);
  for (std::int64_t b = 0; b < p.blocks(); ++b) {
    const SortedTiles tiles(p.block(b));
    context.pool.run_blocks(tiles.count(), kStagedGroup,
                            [&](std::int64_t first, std::int64_t last) {
                              transform_inputs(run, tiles.part(first, last), first,
                                               thread_scratch(one_tile.floats()), inputs);
                            });
    context.pool.run(divide_up(p.out_channels, group), [&](std::int64_t part) {
      const std::int64_t column = part * group;
      const std::int64_t columns = std::min(group, p.out_channels - column);
      float* m = thread_scratch(m_layout.floats());
      for (std::int64_t point = 0; point < kWinogradPoints; ++point) {
        multiply(run.int16,
                 product(run, inputs, point, tiles_needing(tiles, point), column, columns,
                         m + point * m_layout.point_stride, m_row_offset.data()));
      }
      for (std::int64_t first = 0; first < tiles.count(); first += kStagedGroup) {
        run.kernels.winograd4x4.output_transform(
            run.outputs.block(tiles.part(first, std::min(first + kStagedGroup, tiles.count())),
                              column, columns, m + first * m_layout.tile_stride, m_layout,
                              b * p.moment_groups_per_block() + first / kStagedGroup));
      }
    });
  }
}

void run_schedule(ExecContext& context, const Run& run) {
  run.problem.fused() ? run_fused(context, run) : run_panels(context, run);
}

void forward(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
             const float* x, const Conv2dWeights& w, const Epilogue& epilogue, float* y) {
  const Problem p = problem_of(Conv2dPass::Forward, shape);
  Workspace::Scope scope(context.workspace);
  const Outputs outputs{{p.out_h, p.out_w, p.out_channels},
                        y,
                        tile_epilogue(epilogue),
                        take_moments(scope, epilogue, p.moment_groups(), p.out_channels)};
  run_schedule(context,
               {kernels, int16_kernels_for(kernels), p, filters_of(p), x, w.packed, outputs});
  if (!outputs.moments.mean) return;
  combine_moments(outputs.moments, winograd_tiles::moment_rows(p, outputs.images),
                  epilogue.bn_mean_var.f32());
}

void backward_data(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                   const float* dy, const Conv2dWeights& w, float* dx) {
  const Problem p = problem_of(Conv2dPass::BackwardData, shape);
  const Outputs outputs{{p.out_h, p.out_w, p.out_channels}, dx, tile_epilogue({}), {}};
  run_schedule(context,
               {kernels, int16_kernels_for(kernels), p, filters_of(p), dy, w.packed, outputs});
}

std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) {
  if (pass == Conv2dPass::BackwardWeights) return backward_weights_workspace_bytes(shape);
  const Problem p = problem_of(pass, shape);
  std::int64_t floats = 0;
  if (!p.fused()) floats = QuantizedTiles(p.block_tiles(), p.in_channels).floats();
  if (pass == Conv2dPass::Forward) floats += 2 * p.moment_groups() * p.out_channels;
  return static_cast<std::size_t>(floats) * sizeof(float);
}

// Only where the caller allows it: a choice of algorithms for floats (finetune --autotune) must not
// find it.
bool fits(const Conv2dShape& shape) {
  return shape.int16 != 0 && winograd_tiles::fits_3x3_stride1(shape);
}

}  // namespace

const Conv2dDriver driver = {
    .name = "winograd4x4_int16",
    .fits = fits,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .stores_bf16 = true,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};

}  // namespace hanok::cpu::winograd4x4_int16
