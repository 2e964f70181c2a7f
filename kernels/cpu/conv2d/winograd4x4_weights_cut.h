// How the weight gradient of Winograd F(4x4, 3x3) is cut into tasks: shared by its floating-point
// and its integer products. winograd4x4_backward_weights.cpp says why.
#pragma once

#include <cstdint>

#include "hanok/kernels/conv2d.h"
#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu::winograd_tiles {

// Pieces of dU in deep layers, [36][48][64] and a little more a point: 454 KB.
constexpr std::int64_t kPieceRows = 48;
constexpr std::int64_t kPieceColumns = 64;
constexpr std::int64_t kPiecePointFloats = (kPieceRows + 1) * kPieceColumns + kPanelColumns;
constexpr std::int64_t kPieceFloats = kWinogradPoints * kPiecePointFloats;

/// Rows and columns of dU.
struct Piece {
  std::int64_t row, rows, column, columns;
};

struct WeightsCut {
  TileGrid grid;
  std::int64_t tiles;
  bool sliced;              // early layers: slices with a dU each; else one dU in pieces
  std::int64_t step_tiles;  // transformed before their products run
  std::int64_t slices;
  std::int64_t slice_tiles;
  std::int64_t du_floats;  // of a slice; 0: pieces are transformed as soon as they are complete

  std::int64_t pieces(const Conv2dShape& s) const {
    return divide_up(s.k, kPieceRows) * divide_up(s.c, kPieceColumns);
  }
  Piece piece(const Conv2dShape& s, std::int64_t i) const;
};

/// In slices, by steps of `step_tiles`.
WeightsCut cut_into_slices(const Conv2dShape& shape, std::int64_t step_tiles);
/// In pieces, by equal steps of about `block_tiles`.
WeightsCut cut_into_pieces(const Conv2dShape& shape, std::int64_t block_tiles);

/// dw from the slices' dU, which are added in index order into the first.
void finish_slices(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                   const WeightsCut& cut, float* du, float* dw);
/// dw's part from a complete piece of dU.
void finish_piece(const IsaKernels& kernels, const Conv2dShape& shape, const Piece& piece,
                  const float* du, float* dw);

}  // namespace hanok::cpu::winograd_tiles
