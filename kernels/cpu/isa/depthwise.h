// Depthwise convolution of a run of pixels: all channels over a list of taps.
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/gemm_kernels.h"

namespace hanok::cpu {

/// One tap of a run of output pixels.
struct DepthwiseTap {
  const float* x = nullptr;  // source pixel of the run's first output pixel: [channels]
  const float* w = nullptr;  // the tap's weights: [channels]
  float* dw = nullptr;       // the tap's weight gradients: [channels]
};

/// Output pixels of one row that lie side by side and have the same taps inside the source.
struct DepthwiseRun {
  const DepthwiseTap* taps = nullptr;
  int64_t tap_count = 0;
  int64_t pixels = 0;
  int64_t channels = 0;
  int64_t x_step = 0;  // floats from one pixel's source to the next one's
  int64_t y_step = 0;  // floats from one output pixel to the next
  // What will be needed soon.
  const float* ahead = nullptr;  // the source row below all taps, at the first pixel's column
  int64_t ahead_rows = 0;        // that many source rows from there on
  int64_t x_row = 0;             // floats from one source row to the next
  int64_t y_row = 0;             // floats from one output row to the next
  int64_t step_w = 0;            // source pixels from one output pixel to the next
};

struct DepthwiseKernels {
  /// y[i][c] = epilogue(sum over taps of w[c] * x[i * x_step + c]); the epilogue's residual points
  /// at the run's first pixel, like y.
  void (*convolve)(const DepthwiseRun& run, const TileEpilogue& epilogue, float* y);
  /// For each tap dw[c] += sum over pixels of dy[i * y_step + c] * x[i * x_step + c].
  void (*add_gradients)(const DepthwiseRun& run, const float* dy);
};

}  // namespace hanok::cpu
