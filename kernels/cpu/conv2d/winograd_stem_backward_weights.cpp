// Weight gradient of the stem's convolution by Winograd F(3x3, 4x4) over cells (winograd_stem.cpp):
//   dg = G^T [ sum over tiles of (A dy A^T) . (B^T cells B) ] G      dy: 3x3, cells: 6x6, dg: 4x4
//
// where dg holds the gradient of each tap of the cells, which is where dw takes it from. 48
// multiply-adds an output and filter instead of 147 (RGB, 7x7).
//
//   for each slice of the rows of tiles of all images                               one task
//     for each of its rows
//       vertical transform of 12 rows of pixels                       34 KB at 224 pixels
//       for each part of the row, up to 40 tiles
//         horizontal transform        V [36][tiles, 12]               87 KB
//         gradient's transform        Y [36][tiles, K]               438 KB at K = 64
//         36 products                 dU += V^T * Y   [36][12, K]    111 KB
//   sum the slices' dU in index order, one inverse transform
//
// A whole row at a time (38 tiles at 224 pixels) because each part reads and writes all of dU. V, Y
// and dU stay in L2, and the products prefetch the next part's dy. Slices depend on the sizes
// alone.
//
// Roofline: a tile takes 36 * 12 * K / 8 vector multiply-adds (1728 cycles at K = 64 and two a
// cycle) beside about 500 of the gradient's transform and 200 of the input's; dy, 4 * 9 * K bytes
// a tile, comes from memory once.
#include <algorithm>
#include <array>
#include <vector>

#include "hanok/kernels/cpu/conv2d/winograd_stem.h"
#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"

namespace hanok::cpu::winograd_stem {
namespace {

using winograd_tiles::fetch_share;
using winograd_tiles::row_offsets;
using winograd_tiles::TiledImages;
using winograd_tiles::TileLayout;

constexpr std::int64_t kMostTiles = 40;  // of a row, transformed before their products run
constexpr std::int64_t kSlices = kWantedTasks;
constexpr std::int64_t kPoints = kWinogradPoints;

struct Cut {
  std::int64_t rows;       // of tiles, over all images
  std::int64_t row_parts;  // pieces of a row
  std::int64_t slice_rows, slices;
  std::int64_t du_floats;  // of a slice
};

Cut cut_work(const Conv2dShape& s) {
  const Cells cells{s};
  Cut cut{};
  cut.rows = s.n * cells.tiles_h();
  cut.row_parts = std::max<std::int64_t>(divide_up(cells.tiles_w(), kMostTiles), 1);
  cut.slice_rows = std::max<std::int64_t>(divide_up(cut.rows, kSlices), 1);
  cut.slices = std::max<std::int64_t>(divide_up(cut.rows, cut.slice_rows), 1);
  cut.du_floats = kPoints * cells.channels() * s.k;
  return cut;
}

// What every task of one convolution needs.
struct Run {
  const IsaKernels& kernels;
  const Conv2dShape& s;
  const Cells cells;
  const Cut& cut;
  const float* x;
  const float* dy;
  TileLayout v_layout, y_layout;
  std::vector<std::int64_t> du_row_offset;

  TiledImages gradients() const { return {s.p(), s.q(), s.k, kStemTile}; }
  std::int64_t part_begin(std::int64_t part) const {
    return part * cells.tiles_w() / cut.row_parts;
  }
  std::vector<WinogradTile> tiles(std::int64_t tile_row, std::int64_t part) const {
    const std::int64_t first = tile_row * cells.tiles_w();
    return cells.grid().tiles(first + part_begin(part), first + part_begin(part + 1));
  }
};

// A part of a row of tiles -> V and Y.
void transform_tiles(const Run& run, const float* rows, std::int64_t tile_row, std::int64_t part,
                     float* v, float* y) {
  StemTiles tiles{};
  tiles.rows = rows;
  tiles.row_floats = run.cells.row_floats();
  tiles.channels = run.s.c;
  tiles.tile_begin = run.part_begin(part);
  tiles.tile_end = run.part_begin(part + 1);
  tiles.out = v;
  tiles.point_stride = run.v_layout.point_stride;
  tiles.tile_stride = run.v_layout.tile_stride;
  run.kernels.winograd_stem.transform_tiles(tiles);
  run.kernels.winograd_stem.gradient_transform(
      run.gradients().block(run.dy, run.tiles(tile_row, part), y, run.y_layout));
}

// dU[point] (+)= V[point]^T * Y[point] for all points; prefetches dy's `next` rows meanwhile.
void multiply(const Run& run, std::int64_t tiles, const float* v, const float* y, bool accumulate,
              const std::vector<const float*>& next, float* du) {
  GemmBlock block{};
  block.rows = run.cells.channels();
  block.columns = run.s.k;
  block.k = tiles;
  block.a_row_stride = 1;
  block.a_k_stride = run.v_layout.tile_stride;
  block.b_panel_stride = kPanelColumns;
  block.b_k_stride = run.y_layout.tile_stride;
  block.c_row_offset = run.du_row_offset.data();
  block.accumulate = accumulate;
  block.fetch_bytes = 4 * kStemTile * run.s.k;
  for (std::int64_t point = 0; point < kPoints; ++point) {
    block.a = v + point * run.v_layout.point_stride;
    block.b = y + point * run.y_layout.point_stride;
    block.c = du + point * run.cells.channels() * run.s.k;
    fetch_share(next, point, kPoints, block);
    run.kernels.gemm.multiply(block);
  }
}

void run_slice(const Run& run, std::int64_t slice, float* du) {
  const std::int64_t row_floats = run.cells.row_floats();
  float* lines = thread_scratch(24 * row_floats + run.v_layout.floats() + run.y_layout.floats());
  float* rows = lines + 12 * row_floats;
  float* v = rows + 12 * row_floats;
  float* y = v + run.v_layout.floats();
  const std::int64_t begin = slice * run.cut.slice_rows;
  const std::int64_t end = std::min(begin + run.cut.slice_rows, run.cut.rows);
  if (begin >= end) std::fill(du, du + run.cut.du_floats, 0.0F);  // an empty batch
  std::vector<const float*> next;
  for (std::int64_t row = begin; row < end; ++row) {
    run.cells.transform_rows(run.kernels.winograd_stem, run.x, row, lines, rows);
    for (std::int64_t part = 0; part < run.cut.row_parts; ++part) {
      transform_tiles(run, rows, row, part, v, y);
      const bool row_ends = part + 1 == run.cut.row_parts;
      const std::int64_t next_row = row_ends ? row + 1 : row;
      const std::int64_t next_part = row_ends ? 0 : part + 1;
      next.clear();
      if (next_row < end) {
        run.gradients().add_rows(run.dy, run.tiles(next_row, next_part), next);
      }
      multiply(run, run.part_begin(part + 1) - run.part_begin(part), v, y, row > begin || part > 0,
               next, du);
    }
  }
}

// G^T u of F(3, 4): 6 points -> 4 taps, the transpose of winograd_stem.cpp's G.
std::array<double, kTaps> map_filter_gradient(const std::array<double, 6>& u) {
  const double even1 = u[1] + u[2];
  const double odd1 = u[1] - u[2];
  const double even2 = u[3] + u[4];
  const double odd2 = u[3] - u[4];
  return {u[0] + 81.0 / 130 * even1 + 8.0 / 65 * even2, 27.0 / 65 * odd1 + 12.0 / 65 * odd2,
          18.0 / 65 * (even1 + even2), 12.0 / 65 * odd1 + 27.0 / 65 * odd2 + u[5]};
}

// dU of filter k -> its part of dw.
void store_filter(const Run& run, const float* du, std::int64_t k, float* dw) {
  for (std::int64_t channel = 0; channel < run.cells.channels(); ++channel) {
    std::array<std::array<double, 6>, kTaps> columns{};  // [tap down][point across]
    for (std::size_t q = 0; q < 6; ++q) {
      std::array<double, 6> u{};
      for (std::size_t p = 0; p < 6; ++p) {
        const auto point = static_cast<std::int64_t>(6 * p + q);
        u[p] = du[(point * run.cells.channels() + channel) * run.s.k + k];
      }
      const auto taps = map_filter_gradient(u);
      for (std::size_t a = 0; a < kTaps; ++a) columns[a][q] = taps[a];
    }
    for (std::int64_t a = 0; a < kTaps; ++a) {
      const auto taps = map_filter_gradient(columns[static_cast<std::size_t>(a)]);
      for (std::int64_t b = 0; b < kTaps; ++b) {
        const std::int64_t index = run.cells.weight_index(k, a, b, channel);
        if (index >= 0) dw[index] = static_cast<float>(taps[static_cast<std::size_t>(b)]);
      }
    }
  }
}

}  // namespace

std::size_t backward_weights_workspace_bytes(const Conv2dShape& s) {
  const Cut cut = cut_work(s);
  return static_cast<std::size_t>(cut.slices * cut.du_floats) * sizeof(float);
}

void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                      const float* x, const float* dy, float* dw) {
  const Cells cells{s};
  const Cut cut = cut_work(s);
  const std::int64_t tiles = divide_up(cells.tiles_w(), cut.row_parts);
  const Run run{kernels,
                s,
                cells,
                cut,
                x,
                dy,
                TileLayout(tiles, cells.channels()),
                TileLayout(tiles, s.k),
                row_offsets(cells.channels(), s.k)};
  Workspace::Scope scope(context.workspace);
  auto* du = scope.take_array<float>(cut.slices * cut.du_floats);
  context.pool.run(cut.slices,
                   [&](std::int64_t slice) { run_slice(run, slice, du + slice * cut.du_floats); });
  if (cut.slices > 1) {
    context.pool.run_blocks(cut.du_floats, 4096, [&](std::int64_t begin, std::int64_t end) {
      kernels.gemm.add_parts(du + cut.du_floats + begin, cut.slices - 1, cut.du_floats, end - begin,
                             du + begin);
    });
  }
  context.pool.run_blocks(s.k, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) store_filter(run, du, k, dw);
  });
}

}  // namespace hanok::cpu::winograd_stem
