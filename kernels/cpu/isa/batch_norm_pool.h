// Batch norm, ReLU and max pooling at once, over the taps of one pixel (pool.h).
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/batch_norm.h"
#include "hanok/kernels/cpu/isa/pool.h"

namespace hanok::cpu {

/// Means "no tap: ReLU let nothing pass" where the number of a window's maximum is kept.
constexpr uint8_t kNothingPassed = 255;

/// A tap whose values are x, what batch norm normalises: float, or uint16_t for bf16.
template <typename X>
struct NormTap {
  const X* values = nullptr;  // [channels]
  uint8_t number = 0;         // within its window
};

/// A window backward: its taps (values: x), its gradient and the numbers of its maxima.
template <typename X>
struct PooledWindow {
  const NormTap<X>* taps = nullptr;
  int64_t count = 0;
  const float* dy = nullptr;         // [channels]
  const uint8_t* indices = nullptr;  // [channels]
};

/// The passes over an x of one type.
template <typename X>
struct BatchNormPoolPasses {
  /// y[c] = activation(maximum over taps of (x - mean) * scale + shift); indices[c] = the tap's
  /// number, kNothingPassed where ReLU made it 0 (`indices` may be null). chosen[c] = x of the
  /// maximum (null: not wanted).
  void (*apply)(const NormTap<X>* taps, int64_t count, int64_t channels, const BatchNormChannels& k,
                bool relu, float* y, uint8_t* indices, X* chosen);
  /// sum_g[c] += dy, sum_gx[c] += dy * (x - mean) over the maxima of up to 16 windows.
  void (*backward_sums)(const PooledWindow<X>* windows, int64_t count, int64_t channels,
                        const float* mean, double* sum_g, double* sum_gx);
  /// With g[c] = sum of values[c] over the windows `taps` whose maximum this pixel is:
  /// dx = scale * (g - offset - (x - mean) * slope), or without a slope scale * g. dx may be an f32
  /// x.
  void (*backward_apply)(const PoolTap* taps, int64_t count, int64_t channels,
                         const BatchNormChannels& k, const X* x, float* dx);
};

struct BatchNormPoolKernels {
  BatchNormPoolPasses<float> f32;
  BatchNormPoolPasses<uint16_t> bf16;

  template <typename X>
  const BatchNormPoolPasses<X>& passes() const;
};
template <>
inline const BatchNormPoolPasses<float>& BatchNormPoolKernels::passes<float>() const {
  return f32;
}
template <>
inline const BatchNormPoolPasses<uint16_t>& BatchNormPoolKernels::passes<uint16_t>() const {
  return bf16;
}

}  // namespace hanok::cpu
