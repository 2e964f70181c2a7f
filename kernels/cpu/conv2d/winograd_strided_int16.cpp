// 3x3 convolutions with stride 2 by Winograd over phases, with products in dynamic fixed point: the
// schedule of winograd_strided.cpp with one step more. A tile is transformed in floats; then each
// of its 25 points is quantised with one scale for all of the point's phases and channels.
//
// Forward:
//   for each block of about 128 tiles (a tile is 4x4 outputs)
//     V[point] = transformed phases of x      [25][tiles, up to 4 * C] i16    6 tiles a task
//     for each 32 filters                                                         one task
//       M[point] = V[point] * U[point]        [25][tiles, 32] f32          422 KB, L2
//       y        = transformed M, epilogue, stored
//
// Backward data: V[point] = transformed dy [25][tiles, K], common to all phases; a task takes 32
// input channels of one phase through its products and stores every other pixel of dx.
//
// U is packed, unlike in floats: as integers, 81 numbers of 9 weights are 4.5 times as many bytes,
// and reading them is no slower than transforming the filters again for each block. In inference
// they are packed once.
#include "hanok/kernels/cpu/conv2d/winograd_strided_int16.h"

#include <algorithm>
#include <vector>

#include "hanok/kernels/cpu/conv2d/winograd_int16.h"
#include "hanok/kernels/cpu/conv2d/winograd_strided.h"
#include "hanok/kernels/cpu/gemm.h"

namespace hanok::cpu::winograd_strided_int16 {
namespace {

using quantized::multiply;
using winograd_int16::QuantizedFilters;
using winograd_int16::QuantizedTiles;
using winograd_strided::kTransformTiles;
using winograd_strided::tile_blocks;
using winograd_strided::TileBlocks;
using winograd_strided::tiles_needing;
using winograd_tiles::Outputs;
using winograd_tiles::row_offsets;
using winograd_tiles::SortedTiles;
using winograd_tiles::TiledImages;
using winograd_tiles::TileLayout;
using winograd_tiles::Tiles;

constexpr std::int64_t kTaskColumns = 2 * kPanelColumns;

// ---- packed weights ----

// Products of one phase, and of all phases before it.
constexpr std::int64_t products_of(StridedPhase phase) {
  return strided_rows(phase) * strided_columns(phase);
}
constexpr std::int64_t products_before(std::int64_t phase) {
  return phase == 0 ? 0 : products_before(phase - 1) + products_of(strided_phase(phase - 1));
}
static_assert(products_before(kStridedPhases) == kStridedProducts);

// Forward: a matrix for each point, over its phases and their channels. Backward data: one for each
// point of each phase.
QuantizedFilters filters_of(Conv2dPass pass, const Conv2dShape& s) {
  if (pass == Conv2dPass::BackwardData) {
    return {s.c, std::vector<std::int64_t>(kStridedProducts, s.k)};
  }
  std::vector<std::int64_t> rows;
  for (std::int64_t point = 0; point < kStridedPoints; ++point) {
    rows.push_back(strided_phases(point) * s.c);
  }
  return {s.k, rows};
}

std::size_t packed_bytes(Conv2dPass pass, const Conv2dShape& s) {
  return filters_of(pass, s).bytes();
}

void pack_forward(const IsaKernels& kernels, const Conv2dShape& s, const float* w,
                  QuantizedFilters::Panel& panel) {
  float* u = thread_scratch(strided_u_floats(s.c));
  kernels.winograd_strided.pack_forward(w + panel.column * 9 * s.c, s.c, s.c, panel.columns, u);
  for (std::int64_t point = 0; point < kStridedPoints; ++point) {
    panel.set(point, u + strided_u_offset(point, s.c));
  }
}

// The panel's taps lie side by side first: the phases read them from L2.
void pack_backward_data(const IsaKernels& kernels, const Conv2dShape& s, const float* w,
                        QuantizedFilters::Panel& panel) {
  float* u = thread_scratch(kStridedPoints * winograd_point_floats(s.k) + 9 * s.k * kPanelColumns);
  float* taps = u + kStridedPoints * winograd_point_floats(s.k);
  kernels.gemm.copy_rows(w + panel.column, s.c, 9 * s.k, panel.columns, taps, kPanelColumns);
  for (std::int64_t p = 0; p < kStridedPhases; ++p) {
    const StridedPhase phase = strided_phase(p);
    kernels.winograd_strided.pack_backward_data(taps, kPanelColumns, s.k, panel.columns, phase, u);
    for (std::int64_t i = 0; i < products_of(phase); ++i) {
      panel.set(products_before(p) + i, u + i * winograd_point_floats(s.k));
    }
  }
}

void pack(ExecContext& context, const IsaKernels& kernels, Conv2dPass pass, const Conv2dShape& s,
          const float* w, float* packed) {
  filters_of(pass, s).pack(
      context.pool, int16_kernels_for(kernels), packed, [&](QuantizedFilters::Panel& panel) {
        (pass == Conv2dPass::Forward ? pack_forward : pack_backward_data)(kernels, s, w, panel);
      });
}

// ---- the passes ----

QuantizedTiles tiles_of(Conv2dPass pass, const Conv2dShape& s) {
  return {tile_blocks(s).block_tiles, pass == Conv2dPass::Forward ? kStridedPhases * s.c : s.k,
          kStridedPoints};
}

// What every step of one convolution needs.
struct Run {
  const IsaKernels& kernels;
  const Int16Kernels& int16;
  const Conv2dShape& shape;
  const TileBlocks blocks;
  const QuantizedFilters filters;
  const float* packed;
  QuantizedTiles v;
  const TileLayout m_layout;
  const std::vector<std::int64_t> m_row_offset;

  Run(ExecContext& context, const IsaKernels& kernels, Conv2dPass pass, const Conv2dShape& s,
      const float* packed, Workspace::Scope& scope)
      : kernels(kernels),
        int16(int16_kernels_for(kernels)),
        shape(s),
        blocks(tile_blocks(s)),
        filters(filters_of(pass, s)),
        packed(packed),
        v(tiles_of(pass, s)),
        m_layout(blocks.block_tiles, kTaskColumns, kStridedPoints),
        m_row_offset(row_offsets(blocks.block_tiles, m_layout.tile_stride)) {
    auto* memory = scope.take_array<float>(v.floats());
    blocks.blocks() == 1 ? v.lie_at_shared(context.pool, memory) : v.lie_at(memory);
  }
};

// M[index] = V[point] * U[matrix] for the tiles that need the point.
struct Product {
  std::int64_t point, matrix, index;
};
void multiply_tiles(const Run& run, const SortedTiles& tiles, const Product& product,
                    std::int64_t column, std::int64_t columns, float* m) {
  const SortedTiles::Range range = tiles_needing(tiles, product.point);
  Int16Block block{};
  run.v.set_factor(block, product.point, range);
  run.filters.set_factor(block, run.packed, product.matrix, column, columns);
  block.c = m + product.index * run.m_layout.point_stride;
  block.c_row_offset = run.m_row_offset.data() + range.begin;
  multiply(run.int16, block);
}

// Tiles of a block, from `first` on: transformed one by one in scratch, then quantised.
template <typename F>
void for_tiles(ExecContext& context, const SortedTiles& tiles, F transform) {
  context.pool.run_blocks(tiles.count(), kTransformTiles,
                          [&](std::int64_t begin, std::int64_t end) {
                            for (std::int64_t t = begin; t < end; ++t)
                              transform(tiles.part(t, end), t);
                          });
}

// `tiles` begins with the tile; the next ones are prefetched.
void transform_input(const Run& run, const float* x, Tiles tiles, std::int64_t tile) {
  const Conv2dShape& s = run.shape;
  const TileLayout layout(1, kStridedPhases * s.c, kStridedPoints);
  float* floats = thread_scratch(layout.floats());
  WinogradInputBlock block = TiledImages{s.h, s.w, s.c}.block(x, tiles, floats, layout);
  block.tile_count = 1;
  block.fetch_x = true;
  run.kernels.winograd_strided.input_transform(block, {s.c, s.c});
  for (std::int64_t i = 0; i < kStridedSide; ++i) {
    // The last point of an axis has one phase there, the others have two.
    const std::int64_t first = i * kStridedSide;
    const std::int64_t last = first + kStridedSide - 1;
    for (const auto& [begin, end] : {std::pair{first, last}, {last, last + 1}}) {
      run.v.set(run.int16, tile,
                {.first = begin,
                 .count = end - begin,
                 .channels = strided_phases(begin) * s.c,
                 .x = floats + begin * layout.point_stride,
                 .stride = layout.point_stride});
    }
  }
}

void transform_gradient(const Run& run, const float* dy, Tiles tiles, std::int64_t tile) {
  const Conv2dShape& s = run.shape;
  const TileLayout layout(1, s.k, kStridedPoints);
  float* floats = thread_scratch(layout.floats());
  WinogradInputBlock block = TiledImages{s.p(), s.q(), s.k}.block(dy, tiles, floats, layout);
  block.tile_count = 1;
  block.fetch_x = true;
  run.kernels.winograd_strided.gradient_input_transform(block);
  run.v.set(run.int16, tile,
            {.first = 0,
             .count = kStridedPoints,
             .channels = s.k,
             .x = floats,
             .stride = layout.point_stride});
}

std::int64_t groups_per_block(const TileBlocks& blocks) {
  return divide_up(blocks.block_tiles, kTransformTiles);
}

void forward(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s, const float* x,
             const Conv2dWeights& weights, const Epilogue& epilogue, float* y) {
  Workspace::Scope scope(context.workspace);
  const Run run(context, kernels, Conv2dPass::Forward, s, weights.packed, scope);
  const TileBlocks& blocks = run.blocks;
  const std::int64_t groups = groups_per_block(blocks);
  const Outputs outputs{{s.p(), s.q(), s.k},
                        y,
                        tile_epilogue(epilogue),
                        take_moments(scope, epilogue, blocks.blocks() * groups, s.k)};
  std::vector<std::int64_t> group_pixels;
  for (std::int64_t b = 0; b < blocks.blocks(); ++b) {
    const SortedTiles tiles = blocks.block(b);
    for_tiles(context, tiles,
              [&](Tiles part, std::int64_t t) { transform_input(run, x, part, t); });
    const auto group = [&](std::int64_t first) {
      return tiles.part(first, std::min(first + kTransformTiles, tiles.count()));
    };
    context.pool.run(divide_up(s.k, kTaskColumns), [&](std::int64_t task) {
      const std::int64_t column = task * kTaskColumns;
      const std::int64_t columns = std::min(kTaskColumns, s.k - column);
      float* m = thread_scratch(run.m_layout.floats());
      for (std::int64_t point = 0; point < kStridedPoints; ++point) {
        multiply_tiles(run, tiles, {point, point, point}, column, columns, m);
      }
      for (std::int64_t first = 0; first < tiles.count(); first += kTransformTiles) {
        kernels.winograd_strided.output_transform(
            outputs.block(group(first), column, columns, m + first * run.m_layout.tile_stride,
                          run.m_layout, b * groups + first / kTransformTiles));
      }
    });
    for (std::int64_t first = 0; first < tiles.count(); first += kTransformTiles) {
      group_pixels.push_back(outputs.images.pixels(group(first)));
    }
  }
  if (outputs.moments.mean) {
    combine_moments(outputs.moments, group_pixels, epilogue.bn_mean_var.f32());
  }
}

void backward_data(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                   const float* dy, const Conv2dWeights& weights, float* dx) {
  Workspace::Scope scope(context.workspace);
  const Run run(context, kernels, Conv2dPass::BackwardData, s, weights.packed, scope);
  const Outputs outputs{{s.h, s.w, s.c}, dx, {}, {}};
  const std::int64_t parts = divide_up(s.c, kTaskColumns);
  for (std::int64_t b = 0; b < run.blocks.blocks(); ++b) {
    const SortedTiles tiles = run.blocks.block(b);
    for_tiles(context, tiles,
              [&](Tiles part, std::int64_t t) { transform_gradient(run, dy, part, t); });
    context.pool.run(kStridedPhases * parts, [&](std::int64_t task) {
      const StridedPhase phase = strided_phase(task / parts);
      const std::int64_t column = task % parts * kTaskColumns;
      const std::int64_t columns = std::min(kTaskColumns, s.c - column);
      float* m = thread_scratch(run.m_layout.floats());
      for (std::int64_t index = 0; index < products_of(phase); ++index) {
        const std::int64_t i = index / strided_columns(phase);
        const std::int64_t j = index % strided_columns(phase);
        multiply_tiles(run, tiles,
                       {i * kStridedSide + j, products_before(task / parts) + index, index}, column,
                       columns, m);
      }
      kernels.winograd_strided.phase_output_transform(
          outputs.block(tiles.all(), column, columns, m, run.m_layout, 0), phase);
    });
  }
}

std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& s) {
  if (pass == Conv2dPass::BackwardWeights) return backward_weights_workspace_bytes(s);
  const TileBlocks blocks = tile_blocks(s);
  const std::size_t bytes = static_cast<std::size_t>(tiles_of(pass, s).floats()) * sizeof(float);
  return pass == Conv2dPass::Forward
             ? bytes + block_moments_bytes(blocks.blocks() * groups_per_block(blocks), s.k)
             : bytes;
}

// Only where the caller allows it, as winograd4x4_int16.
bool fits(const Conv2dShape& s) { return s.int16 != 0 && winograd_strided::driver.fits(s); }

}  // namespace

const Conv2dDriver driver = {
    .name = "winograd_strided_int16",
    .fits = fits,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};

}  // namespace hanok::cpu::winograd_strided_int16
