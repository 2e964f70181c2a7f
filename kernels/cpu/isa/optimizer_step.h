// Optimiser updates of a run of parameters; formulas in kernels/cpu/optimizer_step.cpp.
#pragma once

#include <stdint.h>

namespace hanok::cpu {

struct SgdConstants {
  float learning_rate, momentum, one_minus_dampening, weight_decay;
  bool nesterov, first_step;
};

struct AdamConstants {
  float decay;         // decoupled: 1 - lr * weight_decay; otherwise 1
  float weight_decay;  // coupled; otherwise 0
  float beta2, one_minus_beta1, one_minus_beta2;
  float negative_step_size;     // -lr / (1 - beta1^t)
  float sqrt_bias_correction2;  // sqrt(1 - beta2^t)
  float epsilon;
};

struct OptimizerKernels {
  /// `momentum` is null where the momentum is 0.
  void (*sgd)(const SgdConstants& k, float* parameter, const float* gradient, float* momentum,
              int64_t count);
  void (*adam)(const AdamConstants& k, float* parameter, const float* gradient, float* moment1,
               float* moment2, int64_t count);
};

}  // namespace hanok::cpu
