// Softmax of contiguous rows.
#pragma once

#include <stdint.h>

namespace hanok::cpu {

struct SoftmaxKernels {
  /// y = e^(x - max) / sum, or its logarithm.
  void (*forward)(bool log, const float* x, float* y, int64_t length);
  void (*backward)(bool log, const float* y, const float* dy, float* dx, int64_t length);
};

}  // namespace hanok::cpu
