// The first convolution of image networks, 7x7 with stride 2 over 1 to 4 channels, with a third of
// the multiplications: Winograd F(3x3, 4x4) over cells of 2x2 pixels. Forward and weight gradient;
// stride 2, dilation 1, one group, kernels of 5 to 7 taps, at most 4 input channels, output
// channels in multiples of 8.
#pragma once

#include <cstdint>

#include "hanok/kernels/cpu/conv2d/driver.h"
#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/winograd_stem.h"

namespace hanok::cpu::winograd_stem {

extern const Conv2dDriver driver;

// In winograd_stem_backward_weights.cpp.
std::size_t backward_weights_workspace_bytes(const Conv2dShape& shape);
void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                      const float* x, const float* dy, float* dw);

// ---- shared by the passes ----

constexpr std::int64_t kTaps = 4;  // cells that an output reads, along each axis

/// A convolution as one over cells.
struct Cells {
  const Conv2dShape& s;

  winograd_tiles::TileGrid grid() const { return {s.p(), s.q(), kStemTile}; }
  std::int64_t tiles_h() const { return grid().rows(); }
  std::int64_t tiles_w() const { return grid().columns(); }
  std::int64_t channels() const { return 4 * s.c; }
  /// Of a row of tiles.
  std::int64_t cells() const { return tiles_w() * kStemTile + kTaps - 1; }
  /// Floats of a row of cells and at least a vector more, an odd number of cache lines.
  std::int64_t row_floats() const { return packed_row_stride(cells() * 2 * s.c + kStemFloats); }
  /// Where the weights [K,R,S,C] hold the tap at cell (a, b) of filter k for one channel of the
  /// cells; -1 where no pixel of the filter falls.
  std::int64_t weight_index(std::int64_t k, std::int64_t a, std::int64_t b,
                            std::int64_t channel) const;
  /// The vertical transform of row of tiles `tile_row`, counted over all images, into `out`;
  /// `lines` is scratch, each 12 * row_floats().
  void transform_rows(const WinogradStemKernels& kernels, const float* x, std::int64_t tile_row,
                      float* lines, float* out) const;
};

}  // namespace hanok::cpu::winograd_stem
