// Winograd F(2x2, 3x3) with products in dynamic fixed point, for layers with many weights and few
// pixels, whose packed weights come from memory once for each use:
//
//   512 x 512, one image of 7x7     weights in i16    multiply-adds
//     direct                              4.7 MB          116 M
//     F(2x2, 3x3)                         8.4 MB           67 M     16 tiles, 16 points
//     F(4x4, 3x3)                        18.9 MB           38 M      4 tiles, 36 points
//
//   all tiles: transform input, quantise           V [16][tiles, C] i16    262 KB, L2
//   for each 32 filters                                                      one task
//     M[point] = V[point] * U[point]               M [16][tiles, 32] f32    33 KB, L1
//     transform M, epilogue, store
//
// The hardware's prefetcher follows a task's weights, which lie in a row: prefetching the next
// point's by instructions gains nothing.
#include "hanok/kernels/cpu/conv2d/winograd2x2_int16.h"

#include <algorithm>
#include <vector>

#include "hanok/kernels/cpu/conv2d/winograd_int16.h"
#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/winograd2x2.h"

namespace hanok::cpu::winograd2x2_int16 {
namespace {

using winograd_int16::QuantizedFilters;
using winograd_int16::QuantizedTiles;
using winograd_tiles::Outputs;
using winograd_tiles::row_offsets;
using winograd_tiles::TiledImages;
using winograd_tiles::TileGrid;
using winograd_tiles::TileLayout;
using winograd_tiles::Tiles;

constexpr std::int64_t kTransformTiles = 4;  // tiles per task of the input's transform
constexpr std::int64_t kTaskColumns = 2 * kPanelColumns;

TileGrid grid_of(const Conv2dShape& s) { return {s.p(), s.q(), kWinograd2Tile}; }

std::int64_t tile_count(const Conv2dShape& s) { return s.n * grid_of(s).per_image(); }

QuantizedTiles tiles_of(const Conv2dShape& s) { return {tile_count(s), s.c, kWinograd2Points}; }

QuantizedFilters filters_of(const Conv2dShape& s) {
  return {s.k, std::vector<std::int64_t>(kWinograd2Points, s.c)};
}

std::size_t packed_bytes(Conv2dPass /*pass*/, const Conv2dShape& s) {
  return filters_of(s).bytes();
}

void pack(ExecContext& context, const IsaKernels& kernels, Conv2dPass /*pass*/,
          const Conv2dShape& s, const float* w, float* packed) {
  const auto transform = [&](QuantizedFilters::Panel& panel) {
    const std::int64_t u_floats = winograd_point_floats(s.c);
    float* u = thread_scratch(kWinograd2Points * u_floats);
    kernels.winograd2x2.pack(w + panel.column * 9 * s.c, s.c, panel.columns, u);
    for (std::int64_t point = 0; point < kWinograd2Points; ++point) {
      panel.set(point, u + point * u_floats);
    }
  };
  filters_of(s).pack(context.pool, int16_kernels_for(kernels), packed, transform);
}

std::size_t workspace_bytes(Conv2dPass /*pass*/, const Conv2dShape& s) {
  return static_cast<std::size_t>(tiles_of(s).floats()) * sizeof(float) +
         block_moments_bytes(1, s.k);
}

// `tiles` begins with the tile, number `index` of all.
void transform_input(const IsaKernels& kernels, const Conv2dShape& s, const float* x, Tiles tiles,
                     std::int64_t index, const QuantizedTiles& inputs) {
  const TileLayout layout(1, s.c, kWinograd2Points);
  float* floats = thread_scratch(layout.floats());
  WinogradInputBlock block = TiledImages{s.h, s.w, s.c}.block(x, tiles, floats, layout);
  block.tile_count = 1;
  block.fetch_x = true;
  block.pad_h = s.window.pad_h;
  block.pad_w = s.window.pad_w;
  kernels.winograd2x2.input_transform(block);
  inputs.set(int16_kernels_for(kernels), index,
             {.first = 0,
              .count = kWinograd2Points,
              .channels = s.c,
              .x = floats,
              .stride = layout.point_stride});
}

void forward(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s, const float* x,
             const Conv2dWeights& w, const Epilogue& epilogue, float* y) {
  const Int16Kernels& int16 = int16_kernels_for(kernels);
  const std::vector<WinogradTile> tiles = grid_of(s).tiles(0, tile_count(s));
  const QuantizedFilters filters = filters_of(s);
  const TileLayout m_layout(tile_count(s), kTaskColumns, kWinograd2Points);
  const std::vector<std::int64_t> m_row_offset = row_offsets(tile_count(s), m_layout.tile_stride);
  Workspace::Scope scope(context.workspace);
  QuantizedTiles inputs = tiles_of(s);
  inputs.lie_at_shared(context.pool, scope.take_array<float>(inputs.floats()));
  const Outputs outputs{{s.p(), s.q(), s.k, kWinograd2Tile},
                        y,
                        tile_epilogue(epilogue),
                        take_moments(scope, epilogue, 1, s.k)};
  context.pool.run_blocks(
      tile_count(s), kTransformTiles, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t t = begin; t < end; ++t) {
          const auto part =
              Tiles(tiles).subspan(static_cast<std::size_t>(t), static_cast<std::size_t>(end - t));
          transform_input(kernels, s, x, part, t, inputs);
        }
      });
  context.pool.run(divide_up(s.k, kTaskColumns), [&](std::int64_t task) {
    const std::int64_t column = task * kTaskColumns;
    const std::int64_t columns = std::min(kTaskColumns, s.k - column);
    float* m = thread_scratch(m_layout.floats());
    for (std::int64_t point = 0; point < kWinograd2Points; ++point) {
      Int16Block block{};
      inputs.set_factor(block, point, {0, tile_count(s)});
      filters.set_factor(block, w.packed, point, column, columns);
      block.c = m + point * m_layout.point_stride;
      block.c_row_offset = m_row_offset.data();
      quantized::multiply(int16, block);
    }
    kernels.winograd2x2.output_transform(outputs.block(tiles, column, columns, m, m_layout, 0));
  });
  if (outputs.moments.mean) {
    combine_moments(outputs.moments, {s.n * s.p() * s.q()}, epilogue.bn_mean_var.f32());
  }
}

// Only where the caller allows it, as winograd4x4_int16.
bool fits(const Conv2dShape& s) { return s.int16 != 0 && winograd_tiles::fits_3x3_stride1(s); }

}  // namespace

const Conv2dDriver driver = {
    .name = "winograd2x2_int16",
    .fits = fits,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .stores_bf16 = true,
};

}  // namespace hanok::cpu::winograd2x2_int16
