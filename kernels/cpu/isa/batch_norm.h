// Batch norm over a block of rows of x [rows, channels].
#pragma once

#include <stdint.h>

namespace hanok::cpu {

/// Pointers of one block; those that an op lacks are null.
struct BatchNormBlock {
  int64_t rows = 0, channels = 0;
  const float* x = nullptr;
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

struct BatchNormKernels {
  /// mean[c] and m2[c] = sum of (x - mean)^2 over the block's rows.
  void (*statistics)(const float* x, int64_t rows, int64_t channels, double* mean, double* m2);
  /// out = activation((x - mean) * scale + shift + residual)
  void (*apply)(const BatchNormBlock& block, const BatchNormChannels& channels, bool relu);
  // Backward: g = dy where y > 0 or, with a shift, where (x - mean) * scale + shift > 0; with
  // neither, g = dy.
  /// sum_g[c] = sum of g, sum_gx[c] = sum of g * (x - mean); without x the latter is 0.
  void (*backward_sums)(const BatchNormBlock& block, const BatchNormChannels& channels,
                        double* sum_g, double* sum_gx);
  /// dx = scale * (g - offset - (x - mean) * slope), or without a slope (frozen statistics)
  /// scale * g; dresidual = g.
  void (*backward_apply)(const BatchNormBlock& block, const BatchNormChannels& channels);
};

}  // namespace hanok::cpu
