// Depthwise 3x3 convolution of one row of output pixels, the filter of nearly every depthwise
// layer.
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/gemm_kernels.h"

namespace hanok::cpu {

/// One row of outputs. Without dilation, with one pixel of padding at the sides, so that a pixel's
/// middle tap always lies inside the source.
struct Depthwise3x3Row {
  // The filter's rows that lie inside the source, 1..3 of them.
  int64_t rows = 0;
  const float* x[3] = {};  // source pixel under the first output pixel's middle tap: [channels]
  const float* w[3] = {};  // weights of the row's left tap: [channels]
  float* dw[3] = {};       // their gradients, likewise
  int64_t tap_step = 0;    // floats from one tap's weights to those of the tap to its right
  int64_t stride = 1;      // source pixels from one output pixel to the next: 1 or 2
  int64_t pixels = 0;
  bool right_inside = false;  // the last pixel's right tap lies inside the source
  int64_t channels = 0;       // floats from one pixel to the next, of the source and of the outputs
  // What will be needed soon: the source row below these at x's column, or null, and at stride 2
  // another one x_row floats further; the row of outputs y_row floats further.
  const float* ahead = nullptr;
  int64_t x_row = 0;
  int64_t y_row = 0;
};

struct Depthwise3x3Kernels {
  /// y[i][c] = epilogue(sum over taps of w[c] * x[c]), one pixel after the other from `y` on. The
  /// epilogue's scale is multiplied into the weights and its shift starts the sum; its residual
  /// points at the first pixel, like y.
  void (*convolve)(const Depthwise3x3Row& row, const TileEpilogue& epilogue, float* y);
  /// For each tap dw[c] += sum over pixels of dy[c] * x[c].
  void (*add_gradients)(const Depthwise3x3Row& row, const float* dy);
};

}  // namespace hanok::cpu
