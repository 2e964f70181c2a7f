// Winograd F(2x2, 3x3) (Lavin, Gray, CVPR 2016, section 4.1; transforms: isa/winograd2x2.cpp) for
// layers with many weights and few pixels: ResNet's 512 x 7 x 7 and one image. There the weights
// come from memory once for each use, so their size matters:
//
//   512 x 512, one image of 7x7     weights    multiply-adds
//     direct                         9.4 MB      116 M
//     F(2x2, 3x3)                   16.8 MB       67 M     16 tiles, 16 points
//     F(4x4, 3x3)                   37.7 MB       38 M      4 tiles, 36 points
//
//   all tiles: transform input                 V [16][tiles, C]         0.5 MB, L2 and L3
//   for each 16 filters                                                             one task
//     for each point
//       M[point] = V[point] * U[point]         U [K/16][16][C][16]      32 KB at C = 512
//     transform M [16][tiles, 16], epilogue, store                      16 KB, L1
//
// A task reads its part of U, 16 * C * 64 bytes in a row, exactly once; while a block of it is
// multiplied, the register tiles of the rows after the first six prefetch the next one.
//
// Roofline: at two multiply-adds of 8 a cycle the products of a layer take 2.1 M cycles on two
// cores, 0.63 ms at 3.3 GHz; its weights take 0.56 ms at 30 GB/s.
#include "hanok/kernels/cpu/conv2d/winograd2x2.h"

#include <algorithm>
#include <vector>

#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/winograd2x2.h"

namespace hanok::cpu::winograd2x2 {
namespace {

using winograd_tiles::Outputs;
using winograd_tiles::row_offsets;
using winograd_tiles::TiledImages;
using winograd_tiles::TileGrid;
using winograd_tiles::TileLayout;
using winograd_tiles::Tiles;

constexpr std::int64_t kTransformTiles = 4;  // tiles per task of the input's transform

TileGrid grid_of(const Conv2dShape& s) { return {s.p(), s.q(), kWinograd2Tile}; }

std::int64_t tile_count(const Conv2dShape& s) { return s.n * grid_of(s).per_image(); }

std::int64_t panel_floats(const Conv2dShape& s) {
  return kWinograd2Points * winograd_point_floats(s.c);
}

TileLayout layout_of(std::int64_t tiles, std::int64_t channels) {
  return {tiles, channels, kWinograd2Points};
}

// What every task of one convolution needs.
struct Run {
  const IsaKernels& kernels;
  const Conv2dShape& s;
  const float* packed;
  Outputs outputs;
  const float* v;
  const TileLayout& v_layout;
};

// `v` begins with the first of the tiles.
void transform_input(const IsaKernels& kernels, const Conv2dShape& s, const float* x, Tiles tiles,
                     float* v, const TileLayout& layout) {
  WinogradInputBlock block = TiledImages{s.h, s.w, s.c}.block(x, tiles, v, layout);
  block.pad_h = s.window.pad_h;
  block.pad_w = s.window.pad_w;
  kernels.winograd2x2.input_transform(block);
}

// M = V * U for one panel of filters. `next` is the part of U that this thread will most likely
// need afterwards.
void multiply_panel(const Run& run, const float* u, const float* next, float* m,
                    const TileLayout& m_layout, const std::vector<std::int64_t>& m_row_offset) {
  const std::int64_t c = run.s.c;
  const std::int64_t k_block = k_block_size(c);
  GemmBlock block{};
  block.rows = static_cast<std::int64_t>(m_row_offset.size());
  block.columns = kPanelColumns;
  block.a_row_stride = run.v_layout.tile_stride;
  block.a_k_stride = 1;
  block.b_k_stride = kPanelColumns;
  block.c_row_offset = m_row_offset.data();
  // The next block of U in as many parts as there are register tiles to prefetch them.
  const std::int64_t parts =
      std::clamp<std::int64_t>(divide_up(block.rows, run.kernels.gemm.tile_rows) - 1, 0, 8);
  std::vector<const float*> rows(static_cast<std::size_t>(parts));
  block.fetch_rows = rows.data();
  block.fetch_count = parts;
  for (std::int64_t point = 0; point < kWinograd2Points; ++point) {
    for (std::int64_t k0 = 0; k0 < c; k0 += k_block) {
      block.k = std::min(k_block, c - k0);
      block.a = run.v + point * run.v_layout.point_stride + k0;
      block.b = u + point * winograd_point_floats(c) + k0 * kPanelColumns;
      block.c = m + point * m_layout.point_stride;
      block.accumulate = k0 > 0;
      const bool last_k = k0 + block.k >= c;
      const float* following = !last_k ? block.b + block.k * kPanelColumns
                               : point + 1 < kWinograd2Points
                                   ? u + (point + 1) * winograd_point_floats(c)
                                   : next;
      for (std::int64_t part = 0; part < parts; ++part) {
        rows[static_cast<std::size_t>(part)] = following + part * k_block / parts * kPanelColumns;
      }
      block.fetch_bytes = parts > 0 ? divide_up(k_block, parts) * 4 * kPanelColumns : 0;
      run.kernels.gemm.multiply(block);
    }
  }
}

std::size_t packed_bytes(Conv2dPass /*pass*/, const Conv2dShape& s) {
  return static_cast<std::size_t>(divide_up(s.k, kPanelColumns) * panel_floats(s)) * sizeof(float);
}

void pack(ExecContext& context, const IsaKernels& kernels, Conv2dPass /*pass*/,
          const Conv2dShape& s, const float* w, float* packed) {
  context.pool.run(divide_up(s.k, kPanelColumns), [&](std::int64_t panel) {
    const std::int64_t column = panel * kPanelColumns;
    kernels.winograd2x2.pack(w + column * 9 * s.c, s.c, std::min(kPanelColumns, s.k - column),
                             packed + panel * panel_floats(s));
  });
}

std::size_t workspace_bytes(Conv2dPass /*pass*/, const Conv2dShape& s) {
  return static_cast<std::size_t>(layout_of(tile_count(s), s.c).floats()) * sizeof(float) +
         block_moments_bytes(1, s.k);
}

void forward(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s, const float* x,
             const Conv2dWeights& w, const Epilogue& epilogue, float* y) {
  const float* packed = w.packed;
  const std::vector<WinogradTile> tiles = grid_of(s).tiles(0, tile_count(s));
  const TileLayout v_layout = layout_of(tile_count(s), s.c);
  const TileLayout m_layout = layout_of(tile_count(s), kPanelColumns);
  Workspace::Scope scope(context.workspace);
  auto* v = scope.take_array<float>(v_layout.floats());
  const Outputs outputs{{s.p(), s.q(), s.k, kWinograd2Tile},
                        y,
                        tile_epilogue(epilogue),
                        take_moments(scope, epilogue, 1, s.k)};
  const Run run{kernels, s, packed, outputs, v, v_layout};
  const auto m_row_offset = row_offsets(tile_count(s), m_layout.tile_stride);
  context.pool.run_blocks(
      tile_count(s), kTransformTiles, [&](std::int64_t begin, std::int64_t end) {
        transform_input(kernels, s, x,
                        Tiles(tiles).subspan(static_cast<std::size_t>(begin),
                                             static_cast<std::size_t>(end - begin)),
                        v + begin * v_layout.tile_stride, v_layout);
      });
  const std::int64_t panels = divide_up(s.k, kPanelColumns);
  context.pool.run(panels, [&](std::int64_t panel) {
    float* m = thread_scratch(m_layout.floats());
    const std::int64_t next = std::min(panel + 1, panels - 1);
    multiply_panel(run, packed + panel * panel_floats(s), packed + next * panel_floats(s), m,
                   m_layout, m_row_offset);
    const std::int64_t column = panel * kPanelColumns;
    kernels.winograd2x2.output_transform(
        outputs.block(tiles, column, std::min(kPanelColumns, s.k - column), m, m_layout, 0));
  });
  if (outputs.moments.mean) {
    combine_moments(outputs.moments, {s.n * s.p() * s.q()}, epilogue.bn_mean_var.f32());
  }
}

}  // namespace

const Conv2dDriver driver = {
    .name = "winograd2x2",
    .fits = winograd_tiles::fits_3x3_stride1,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
};

}  // namespace hanok::cpu::winograd2x2
