// Pooling of one pixel: all channels over a list of taps.
#pragma once

#include <stdint.h>

namespace hanok::cpu {

/// One pixel that takes part in a window, or one window that a pixel takes part in.
struct PoolTap {
  const float* values = nullptr;     // [channels]
  const uint8_t* indices = nullptr;  // [channels]; max pooling backward only
  float weight = 0;                  // average pooling
  uint8_t number = 0;                // max pooling: of the tap within its window
};

struct PoolKernels {
  /// y[c] = maximum over taps (NaN wins, the first one on ties), indices[c] = its number
  /// (`indices` may be null).
  void (*max)(const PoolTap* taps, int64_t count, int64_t channels, float* y, uint8_t* indices);
  /// dx[c] = sum of values[c] over the taps whose indices[c] is their number.
  void (*max_backward)(const PoolTap* taps, int64_t count, int64_t channels, float* dx);
  /// y[c] = sum of weight * values[c] over taps.
  void (*weighted_sum)(const PoolTap* taps, int64_t count, int64_t channels, float* y);
};

}  // namespace hanok::cpu
