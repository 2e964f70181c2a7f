#include "hanok/kernels/cpu/conv2d/winograd4x4_weights_cut.h"

#include <algorithm>

#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu::winograd_tiles {
namespace {

constexpr std::int64_t kMinSliceTiles = 192;  // of a slice, so that adding slices is cheap

}  // namespace

Piece WeightsCut::piece(const Conv2dShape& s, std::int64_t i) const {
  const std::int64_t column_blocks = divide_up(s.c, kPieceColumns);
  const std::int64_t row = i / column_blocks * kPieceRows;
  const std::int64_t column = i % column_blocks * kPieceColumns;
  return {row, std::min(kPieceRows, s.k - row), column, std::min(kPieceColumns, s.c - column)};
}

WeightsCut cut_into_slices(const Conv2dShape& s, std::int64_t step_tiles) {
  WeightsCut cut{};
  cut.sliced = true;
  cut.grid = {s.p(), s.q(), kWinogradTile, false};
  cut.tiles = s.n * cut.grid.per_image();
  cut.du_floats = kWinogradPoints * s.k * s.c;
  cut.step_tiles = step_tiles;
  const std::int64_t wanted =
      std::clamp<std::int64_t>(cut.tiles / kMinSliceTiles, 1, kWantedTasks / 2);
  cut.slice_tiles = std::max(round_up(divide_up(cut.tiles, wanted), step_tiles), step_tiles);
  cut.slices = std::max<std::int64_t>(divide_up(cut.tiles, cut.slice_tiles), 1);
  return cut;
}

WeightsCut cut_into_pieces(const Conv2dShape& s, std::int64_t block_tiles) {
  WeightsCut cut{};
  cut.grid = {s.p(), s.q(), kWinogradTile, true};
  cut.tiles = s.n * cut.grid.per_image();
  const std::int64_t blocks = std::max<std::int64_t>(divide_up(cut.tiles, block_tiles), 1);
  cut.step_tiles = std::max<std::int64_t>(divide_up(cut.tiles, blocks), 1);
  cut.slices = 1;
  cut.slice_tiles = cut.tiles;
  cut.du_floats = blocks == 1 ? 0 : cut.pieces(s) * kPieceFloats;
  return cut;
}

void finish_slices(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                   const WeightsCut& cut, float* du, float* dw) {
  if (cut.slices > 1) {
    context.pool.run_blocks(cut.du_floats, 8192, [&](std::int64_t begin, std::int64_t end) {
      kernels.gemm.add_parts(du + cut.du_floats + begin, cut.slices - 1, cut.du_floats, end - begin,
                             du + begin);
    });
  }
  context.pool.run_blocks(s.k, 8, [&](std::int64_t begin, std::int64_t end) {
    kernels.winograd4x4.weights_transform(du + begin * s.c, s.k * s.c, s.c, end - begin, s.c,
                                          dw + begin * 9 * s.c, s.c);
  });
}

void finish_piece(const IsaKernels& kernels, const Conv2dShape& s, const Piece& piece,
                  const float* du, float* dw) {
  kernels.winograd4x4.weights_transform(du, kPiecePointFloats, kPieceColumns, piece.rows,
                                        piece.columns, dw + piece.row * 9 * s.c + piece.column,
                                        s.c);
}

}  // namespace hanok::cpu::winograd_tiles
