// 3x3 convolutions with stride 2 and padding 1 with about half of the multiplications: Winograd
// F(4x4, 2x2) over the four phases of the image's rows and columns. Numerics and transforms:
// kernels/cpu/isa/winograd_strided.cpp. One group, dilation 1, channels in multiples of 8.
#pragma once

#include "hanok/kernels/cpu/conv2d/driver.h"
#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/winograd_strided.h"

namespace hanok::cpu::winograd_strided {

extern const Conv2dDriver driver;

// In winograd_strided_backward_weights.cpp.
std::size_t backward_weights_workspace_bytes(const Conv2dShape& shape);
void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                      const float* x, const float* dy, float* dw);

// ---- shared by the passes ----

/// Tiles of y, or of the pairs of rows and columns of x that belong to them, in blocks that take
/// the steps of a pass together.
struct TileBlocks {
  winograd_tiles::TileGrid grid;
  std::int64_t count;        // of tiles, over all images
  std::int64_t block_tiles;  // equal for all blocks but the last
  std::int64_t blocks() const { return divide_up(count, block_tiles); }
  winograd_tiles::SortedTiles block(std::int64_t b) const;
};
TileBlocks tile_blocks(const Conv2dShape& shape);

/// How the input's transform lies: 81 products a channel, at the points' rows of 4 * C.
StridedChannels channels_of(const Conv2dShape& shape);
winograd_tiles::TileLayout input_layout(const TileBlocks& blocks, const Conv2dShape& shape);
/// `v` begins with the first of the tiles.
void transform_input(const IsaKernels& kernels, const Conv2dShape& shape, const float* x,
                     winograd_tiles::Tiles tiles, float* v,
                     const winograd_tiles::TileLayout& layout);

/// Tiles of a block that a task transforms.
constexpr std::int64_t kTransformTiles = 6;

/// The pieces that the weight gradient's dU is cut into: filters, channels, phases. Each is
/// [points of the phase][kPieceRows][channels], point_floats() a point.
struct Pieces {
  static constexpr std::int64_t kRows = 48;  // filters

  const Conv2dShape& s;
  StridedChannels channels;

  std::int64_t rows() const { return divide_up(s.k, kRows); }
  std::int64_t columns() const { return divide_up(s.c, channels.block); }
  std::int64_t count() const { return rows() * columns() * kStridedPhases; }
  std::int64_t row_stride() const { return packed_row_stride(channels.block); }
  std::int64_t point_floats() const { return kRows * row_stride() + kPanelColumns; }
  std::int64_t floats() const { return kStridedPoints * point_floats(); }

  struct Piece {
    StridedPhase phase;
    std::int64_t row, rows, column, columns;
  };
  Piece piece(std::int64_t i) const;
  /// dw's part from a complete piece.
  void finish(const IsaKernels& kernels, const Piece& piece, const float* du, float* dw) const;
};

/// The tiles that need point (i, j).
inline winograd_tiles::SortedTiles::Range tiles_needing(const winograd_tiles::SortedTiles& tiles,
                                                        std::int64_t point) {
  return tiles.needing(point / kStridedSide, point % kStridedSide);
}

}  // namespace hanok::cpu::winograd_strided
