// Elementwise loops over contiguous floats; outputs may be inputs (in place).
#pragma once

#include <stdint.h>

#include "hanok/kernels/op_kind.h"

namespace hanok::cpu {

struct ElementwiseKernels {
  void (*unary)(UnaryOp op, float alpha, float beta, const float* x, float* y, int64_t count);
  /// dx = dy * f'(x); y or x may be null where the derivative does not need it (backend.h).
  void (*unary_backward)(UnaryOp op, float alpha, float beta, const float* x, const float* y,
                         const float* dy, float* dx, int64_t count);
  /// out[i] = a[i * step_a] op b[i * step_b]
  void (*binary)(BinaryOp op, const float* a, int64_t step_a, const float* b, int64_t step_b,
                 float* out, int64_t count);
  /// y[i] = x[i] where x[i] > 0, else slope[i] * x[i]
  void (*prelu)(const float* x, const float* slope, float* y, int64_t count);
  /// Its backward: dx and what each element adds to the gradient of its slope; either may be null.
  void (*prelu_backward)(const float* x, const float* slope, const float* dy, float* dx,
                         float* slope_terms, int64_t count);
  /// y += alpha * x
  void (*add_scaled)(float alpha, const float* x, float* y, int64_t count);
  void (*fill)(float value, float* y, int64_t count);
  /// y = x rounded to bf16.
  void (*to_bf16)(const float* x, uint16_t* y, int64_t count);
};

}  // namespace hanok::cpu
