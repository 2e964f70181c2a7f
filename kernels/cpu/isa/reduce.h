// Sums of contiguous floats in double.
#pragma once

#include <stdint.h>

namespace hanok::cpu {

struct ReduceKernels {
  double (*sum)(const float* x, int64_t count);
  double (*sum_squares)(const float* x, int64_t count);
  /// sums[i] += x[i]
  void (*accumulate)(const float* x, double* sums, int64_t count);
};

}  // namespace hanok::cpu
