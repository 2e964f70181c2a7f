// The stem's convolution: 7x7 with stride 2 over few channels, as Winograd F(3x3, 4x4).
//
// Winograd needs stride 1, so the image is read as cells of 2x2 pixels, each with 4 * C channels
// (space to depth). Over cells the convolution has stride 1 and 4x4 taps; those that no pixel of
// the 7x7 filter falls on are 0 (192 instead of 147 products at C = 3):
//
//   y(p, q) = sum over a, b in 0..3 and the cell's channels of g(a, b) * cell(p + a, q + b)
//
// Cells start at pixel -pad, or one before where pad is odd, so that an output's first tap lies in
// the upper left of a cell or one pixel further. F(3x3, 4x4) needs 36 products for 9 outputs of 16
// taps: 36 * 12 / 9 = 48 multiply-adds an output and filter instead of 147. Its points, and so its
// input transform and its accuracy, are those of F(4x4, 3x3) (isa/winograd4x4.cpp).
//
//   for each row of tiles of an image                                           one task
//     vertical transform of 12 rows of pixels, tiles overlapping      34 KB at 224 pixels
//     for each 12 tiles of the row
//       horizontal transform        V [36][12 tiles, 12]                           30 KB
//       for each 64 filters
//         36 products               M [36][12 tiles, 64]     U [36][12, 64]  2 * 110 KB
//         output transform, epilogue, store
//
// Measured with 16, 32 and 64 filters of one M: whole pixels of y, stored in one go, gain more than
// an M that fits into L1.
//
// Roofline: a tile of 9 outputs takes 36 * 12 * K / 8 vector multiply-adds (1728 cycles at K = 64
// and two a cycle), beside about 150 cycles of input and 400 of output transforms; the direct
// algorithm takes 5292. Then the output, 4 * K bytes a pixel, matters as well: the products
// prefetch the next block's part of y.
#include "hanok/kernels/cpu/conv2d/winograd_stem.h"

#include <algorithm>
#include <array>
#include <vector>

#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"
#include "hanok/kernels/cpu/gemm.h"

namespace hanok::cpu::winograd_stem {
namespace {

using winograd_tiles::fetch_share;
using winograd_tiles::Outputs;
using winograd_tiles::row_offsets;
using winograd_tiles::TiledImages;
using winograd_tiles::TileLayout;

constexpr std::int64_t kBlockTiles = 12;    // 2 register tiles; a row's last block has up to 23
constexpr std::int64_t kBlockColumns = 64;  // filters of one M
constexpr std::int64_t kPoints = kWinogradPoints;

// 1 where the padding is odd: the filter's first tap is the second pixel of a cell.
std::int64_t shift_of(std::int64_t pad) { return pad % 2; }

std::int64_t blocks_per_row(const Conv2dShape& s) {
  return std::max<std::int64_t>(Cells{s}.tiles_w() / kBlockTiles, 1);
}
std::int64_t blocks(const Conv2dShape& s) { return s.n * Cells{s}.tiles_h() * blocks_per_row(s); }

std::int64_t panel_floats(const Conv2dShape& s) {
  return kPoints * winograd_point_floats(Cells{s}.channels());
}

// Tiles of a row that block b computes.
struct Block {
  std::int64_t begin, end;
  Block(const Conv2dShape& s, std::int64_t b)
      : begin(b * kBlockTiles),
        end(b + 1 == blocks_per_row(s) ? Cells{s}.tiles_w() : (b + 1) * kBlockTiles) {}
};

// G of F(3, 4): 4 taps -> 6 points 0, 2/3, -2/3, 3/2, -3/2, infinity.
std::array<double, 6> map_filter(const std::array<double, kTaps>& g) {
  const double even1 = 81.0 / 130 * g[0] + 18.0 / 65 * g[2];
  const double odd1 = 27.0 / 65 * g[1] + 12.0 / 65 * g[3];
  const double even2 = 8.0 / 65 * g[0] + 18.0 / 65 * g[2];
  const double odd2 = 12.0 / 65 * g[1] + 27.0 / 65 * g[3];
  return {g[0], even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2, g[3]};
}

// G g G^T of one filter and one channel of a cell.
void transform_filter(const std::array<std::array<double, kTaps>, kTaps>& g, float* out,
                      std::int64_t point_stride) {
  std::array<std::array<double, 6>, kTaps> rows{};
  for (std::size_t a = 0; a < kTaps; ++a) rows[a] = map_filter(g[a]);
  for (std::size_t q = 0; q < 6; ++q) {
    const auto column = map_filter({rows[0][q], rows[1][q], rows[2][q], rows[3][q]});
    for (std::size_t p = 0; p < 6; ++p) {
      out[static_cast<std::int64_t>(p * 6 + q) * point_stride] = static_cast<float>(column[p]);
    }
  }
}

// The taps of filter k that fall on one channel of the cells.
std::array<std::array<double, kTaps>, kTaps> cell_taps(const Cells& cells, const float* w,
                                                       std::int64_t k, std::int64_t channel) {
  std::array<std::array<double, kTaps>, kTaps> taps{};
  for (std::int64_t a = 0; a < kTaps; ++a) {
    for (std::int64_t b = 0; b < kTaps; ++b) {
      const std::int64_t index = cells.weight_index(k, a, b, channel);
      if (index >= 0) taps[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)] = w[index];
    }
  }
  return taps;
}

// What every task of one convolution needs.
struct Run {
  const IsaKernels& kernels;
  const Conv2dShape& s;
  const Cells cells;
  const float* x;
  const float* packed;
  Outputs outputs;
};

std::vector<WinogradTile> tiles_of(const Cells& cells, std::int64_t tile_row, std::int64_t b) {
  const Block block(cells.s, b);
  const std::int64_t first = tile_row * cells.tiles_w();
  return cells.grid().tiles(first + block.begin, first + block.end);
}

// Rows of y's pixels that block b of a row of tiles owns; rows are counted over all images.
std::vector<const float*> pixel_rows(const Run& run, std::int64_t tile_row, std::int64_t b) {
  std::vector<const float*> rows;
  if (tile_row >= run.s.n * run.cells.tiles_h()) return rows;
  run.outputs.images.add_rows(run.outputs.y, tiles_of(run.cells, tile_row, b), rows);
  return rows;
}

// M[point] = V[point] * U[point] for one panel of filters; prefetches a share of
// `y_rows` meanwhile.
void multiply(const Run& run, std::int64_t tiles, std::int64_t column, const float* v,
              const TileLayout& v_layout, float* m, const TileLayout& m_layout,
              const std::int64_t* m_row_offset, const std::vector<const float*>& y_rows) {
  const std::int64_t rows = run.cells.channels();
  GemmBlock block{};
  block.rows = tiles;
  block.columns = std::min(kBlockColumns, run.s.k - column);
  block.b_panel_stride = panel_floats(run.s);
  block.k = rows;
  block.a_row_stride = v_layout.tile_stride;
  block.a_k_stride = 1;
  block.b_k_stride = kPanelColumns;
  block.c_row_offset = m_row_offset;
  block.fetch_bytes = 4 * kStemTile * run.s.k;
  const float* u = run.packed + column / kPanelColumns * panel_floats(run.s);
  const std::int64_t groups = divide_up(run.s.k, kBlockColumns);
  for (std::int64_t point = 0; point < kPoints; ++point) {
    block.a = v + point * v_layout.point_stride;
    block.b = u + point * winograd_point_floats(rows);
    block.c = m + point * m_layout.point_stride;
    fetch_share(y_rows, column / kBlockColumns * kPoints + point, groups * kPoints, block);
    run.kernels.gemm.multiply(block);
  }
}

// A row of tiles, counted over all images. `next_row` is the one that this thread will most likely
// be given next.
void run_row(const Run& run, std::int64_t tile_row, std::int64_t next_row) {
  const Conv2dShape& s = run.s;
  const TileLayout v_layout(2 * kBlockTiles, run.cells.channels());
  const TileLayout m_layout(2 * kBlockTiles, kBlockColumns);
  const auto m_row_offset = row_offsets(2 * kBlockTiles, m_layout.tile_stride);
  const std::int64_t row_floats = run.cells.row_floats();
  float* lines = thread_scratch(24 * row_floats + v_layout.floats() + m_layout.floats());
  float* rows = lines + 12 * row_floats;
  float* v = rows + 12 * row_floats;
  float* m = v + v_layout.floats();
  run.cells.transform_rows(run.kernels.winograd_stem, run.x, tile_row, lines, rows);
  for (std::int64_t b = 0; b < blocks_per_row(s); ++b) {
    const Block block(s, b);
    StemTiles tiles{};
    tiles.rows = rows;
    tiles.row_floats = row_floats;
    tiles.channels = s.c;
    tiles.tile_begin = block.begin;
    tiles.tile_end = block.end;
    tiles.out = v;
    tiles.point_stride = v_layout.point_stride;
    tiles.tile_stride = v_layout.tile_stride;
    run.kernels.winograd_stem.transform_tiles(tiles);
    const bool last = b + 1 == blocks_per_row(s);
    const auto y_rows = pixel_rows(run, last ? next_row : tile_row, last ? 0 : b + 1);
    const auto here = tiles_of(run.cells, tile_row, b);
    for (std::int64_t column = 0; column < s.k; column += kBlockColumns) {
      multiply(run, block.end - block.begin, column, v, v_layout, m, m_layout, m_row_offset.data(),
               y_rows);
      run.kernels.winograd_stem.output_transform(
          run.outputs.block(here, column, std::min(kBlockColumns, s.k - column), m, m_layout,
                            tile_row * blocks_per_row(s) + b));
    }
  }
}

// Outputs of each block, in order.
std::vector<std::int64_t> block_pixels(const Cells& cells, const TiledImages& outputs) {
  std::vector<std::int64_t> pixels;
  for (std::int64_t row = 0; row < cells.s.n * cells.tiles_h(); ++row) {
    for (std::int64_t b = 0; b < blocks_per_row(cells.s); ++b) {
      pixels.push_back(outputs.pixels(tiles_of(cells, row, b)));
    }
  }
  return pixels;
}

}  // namespace

std::int64_t Cells::weight_index(std::int64_t k, std::int64_t a, std::int64_t b,
                                 std::int64_t channel) const {
  // A cell's channels: [2 rows][2 pixels][C].
  const std::int64_t r = 2 * a + channel / (2 * s.c) - shift_of(s.window.pad_h);
  const std::int64_t t = 2 * b + channel / s.c % 2 - shift_of(s.window.pad_w);
  if (r < 0 || r >= s.r || t < 0 || t >= s.s) return -1;
  return ((k * s.r + r) * s.s + t) * s.c + channel % s.c;
}

void Cells::transform_rows(const WinogradStemKernels& kernels, const float* x,
                           std::int64_t tile_row, float* lines, float* out) const {
  StemRows rows{};
  rows.image = x + tile_row / tiles_h() * s.h * s.w * s.c;
  rows.height = s.h;
  rows.width = s.w;
  rows.channels = s.c;
  rows.h0 = tile_row % tiles_h() * 2 * kStemTile - s.window.pad_h - shift_of(s.window.pad_h);
  rows.w0 = -s.window.pad_w - shift_of(s.window.pad_w);
  rows.cells = cells();
  rows.row_floats = row_floats();
  rows.lines = lines;
  rows.out = out;
  kernels.transform_rows(rows);
}

namespace {

std::size_t packed_bytes(Conv2dPass /*pass*/, const Conv2dShape& s) {
  return static_cast<std::size_t>(divide_up(s.k, kPanelColumns) * panel_floats(s)) * sizeof(float);
}

void pack(ExecContext& context, const IsaKernels& /*kernels*/, Conv2dPass /*pass*/,
          const Conv2dShape& s, const float* w, float* packed) {
  const Cells cells{s};
  const std::int64_t point_floats = winograd_point_floats(cells.channels());
  context.pool.run(divide_up(s.k, kPanelColumns), [&](std::int64_t panel) {
    float* out = packed + panel * panel_floats(s);
    std::fill(out, out + panel_floats(s), 0.0F);
    const std::int64_t begin = panel * kPanelColumns;
    for (std::int64_t k = begin; k < std::min(begin + kPanelColumns, s.k); ++k) {
      for (std::int64_t channel = 0; channel < cells.channels(); ++channel) {
        transform_filter(cell_taps(cells, w, k, channel),
                         out + channel * kPanelColumns + (k - begin), point_floats);
      }
    }
  });
}

std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& s) {
  return pass == Conv2dPass::Forward ? block_moments_bytes(blocks(s), s.k)
                                     : backward_weights_workspace_bytes(s);
}

void forward(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s, const float* x,
             const Conv2dWeights& w, const Epilogue& epilogue, float* y) {
  Workspace::Scope scope(context.workspace);
  const Cells cells{s};
  const Outputs outputs{{s.p(), s.q(), s.k, kStemTile},
                        y,
                        tile_epilogue(epilogue),
                        take_moments(scope, epilogue, blocks(s), s.k)};
  const Run run{kernels, s, cells, x, w.packed, outputs};
  context.pool.run(s.n * cells.tiles_h(), [&](std::int64_t task) { run_row(run, task, task + 1); });
  if (outputs.moments.mean) {
    combine_moments(outputs.moments, block_pixels(cells, outputs.images),
                    epilogue.bn_mean_var.f32());
  }
}

bool fits(const Conv2dShape& s) {
  const Window2d& w = s.window;
  return s.r >= 5 && s.r <= 7 && s.s >= 5 && s.s <= 7 && s.groups == 1 && w.stride_h == 2 &&
         w.stride_w == 2 && w.dilation_h == 1 && w.dilation_w == 1 && s.c <= 4 && s.k % 8 == 0;
}

// The order depends on whether the paddings are odd.
bool packs_by_window(Conv2dPass /*pass*/, const Conv2dShape& /*shape*/) { return true; }

}  // namespace

// No backward data: an image needs no gradient.
const Conv2dDriver driver = {
    .name = "winograd_stem",
    .fits = fits,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .packs_by_window = packs_by_window,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .stores_bf16 = true,
    .backward_weights = backward_weights,
};

}  // namespace hanok::cpu::winograd_stem
