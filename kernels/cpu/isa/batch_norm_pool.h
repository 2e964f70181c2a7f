// Batch norm, ReLU and max pooling at once, over the taps of one pixel (pool.h).
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/batch_norm.h"
#include "hanok/kernels/cpu/isa/pool.h"

namespace hanok::cpu {

/// Means "no tap: ReLU let nothing pass" where the number of a window's maximum is kept.
constexpr uint8_t kNothingPassed = 255;

/// A window backward: its taps (values: x), its gradient and the numbers of its maxima.
struct PooledWindow {
  const PoolTap* taps = nullptr;
  int64_t count = 0;
  const float* dy = nullptr;         // [channels]
  const uint8_t* indices = nullptr;  // [channels]
};

struct BatchNormPoolKernels {
  /// y[c] = activation(maximum over taps of (x - mean) * scale + shift); indices[c] = the tap's
  /// number, kNothingPassed where ReLU made it 0 (`indices` may be null).
  void (*apply)(const PoolTap* taps, int64_t count, int64_t channels, const BatchNormChannels& k,
                bool relu, float* y, uint8_t* indices);
  /// sum_g[c] += dy, sum_gx[c] += dy * (x - mean) over the maxima of up to 16 windows.
  void (*backward_sums)(const PooledWindow* windows, int64_t count, int64_t channels,
                        const float* mean, double* sum_g, double* sum_gx);
  /// With g[c] = sum of values[c] over the windows `taps` whose maximum this pixel is:
  /// dx = scale * (g - offset - (x - mean) * slope), or without a slope scale * g. dx may be x.
  void (*backward_apply)(const PoolTap* taps, int64_t count, int64_t channels,
                         const BatchNormChannels& k, const float* x, float* dx);
};

}  // namespace hanok::cpu
