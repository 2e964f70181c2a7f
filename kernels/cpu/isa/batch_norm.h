// Batch norm over a block of rows of x [rows, channels].
//
// x, what batch norm normalises, may be kept for the backward pass in bf16, in half the memory.
// Then it is rounded before it is normalised: forward, backward and the recomputation of y all read
// the same 16-bit values, so ReLU's gate, computed again from x, is the one that the forward pass
// used. A gate from a rounded x beside a y of the exact one would let gradients pass where y is 0.
// bf16 is the upper half of a float: reading it is a shift, and all arithmetic stays in f32.
#pragma once

#include <stdint.h>

namespace hanok::cpu {

/// Pointers of one block; those that an op lacks are null. X: float, or uint16_t for bf16.
template <typename X>
struct BatchNormBlock {
  int64_t rows = 0, channels = 0;
  const X* x = nullptr;
  const float* y = nullptr;  // where ReLU gates the gradient by what it gave
  const float* dy = nullptr;
  const float* residual = nullptr;
  float* out = nullptr;  // y forward, dx backward
  float* dresidual = nullptr;
};

/// Vectors over the channels; those that an op lacks are null.
struct BatchNormChannels {
  const float* mean = nullptr;
  const float* scale = nullptr;   // gamma * invstd
  const float* shift = nullptr;   // beta: backward computes ReLU's gate again from x
  const float* offset = nullptr;  // dbeta / rows
  const float* slope = nullptr;   // invstd * dgamma / rows
};

/// The passes over an x of one type.
template <typename X>
struct BatchNormPasses {
  /// out = activation((x - mean) * scale + shift + residual)
  void (*apply)(const BatchNormBlock<X>& block, const BatchNormChannels& channels, bool relu);
  // Backward: g = dy where y > 0 or, with a shift, where (x - mean) * scale + shift > 0; with
  // neither, g = dy.
  /// sum_g[c] = sum of g, sum_gx[c] = sum of g * (x - mean); without x the latter is 0.
  void (*backward_sums)(const BatchNormBlock<X>& block, const BatchNormChannels& channels,
                        double* sum_g, double* sum_gx);
  /// dx = scale * (g - offset - (x - mean) * slope), or without a slope (frozen statistics)
  /// scale * g; dresidual = g.
  void (*backward_apply)(const BatchNormBlock<X>& block, const BatchNormChannels& channels);
};

struct BatchNormKernels {
  /// mean[c] and m2[c] = sum of (x - mean)^2 over the block's rows.
  void (*statistics)(const float* x, int64_t rows, int64_t channels, double* mean, double* m2);
  BatchNormPasses<float> f32;
  BatchNormPasses<uint16_t> bf16;

  template <typename X>
  const BatchNormPasses<X>& passes() const;
};
template <>
inline const BatchNormPasses<float>& BatchNormKernels::passes<float>() const {
  return f32;
}
template <>
inline const BatchNormPasses<uint16_t>& BatchNormKernels::passes<uint16_t>() const {
  return bf16;
}

}  // namespace hanok::cpu
