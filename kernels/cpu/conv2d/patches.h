// Which source pixels a convolution's patches hold: the one place that knows the index arithmetic
// of strides, padding and dilation, for all three passes.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/kernels/conv2d.h"
#include "hanok/kernels/cpu/isa/gemm_kernels.h"

namespace hanok::cpu {

/// The patches of one grid of output pixels.
struct Patches {
  std::vector<PatchRun> runs;      // neighbours in memory joined
  std::vector<std::int64_t> taps;  // r * S + s of each tap, in patch order
  std::int64_t grid_h = 0, grid_w = 0;
  std::int64_t step_h = 1, step_w = 1;
  /// First pixel and pixel distance of the grid within the full output.
  std::int64_t begin_h = 0, begin_w = 0, stride_h = 1, stride_w = 1;

  /// How they are read from one group's channels of images [batch, height, width, pixel_stride];
  /// refers to `runs`.
  PatchSource source(const float* data, std::int64_t height, std::int64_t width,
                     std::int64_t pixel_stride, std::int64_t channels) const;
};

/// Forward (and backward-weights): y(p,q) reads x(p*stride - pad + r*dilation, ...).
Patches forward_patches(const Conv2dShape& shape);

/// Backward data: dx(h,w) sums dy((h + pad - r*dilation) / stride, ...) over the taps for which
/// that divides. Pixels with the same h % stride and w % stride share their taps, so each of these
/// stride_h * stride_w phases is a dense stride-1 convolution of dy and no multiplication by zero
/// is ever made. A phase without taps (1x1, stride 2) is all zeros.
std::vector<Patches> backward_data_patches(const Conv2dShape& shape);

}  // namespace hanok::cpu
