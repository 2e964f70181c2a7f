// One sweep: each value is loaded and stored once.
#include "hanok/kernels/cpu/isa/optimizer_step.h"

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

template <bool kFirst, bool kNesterov>
void sgd_momentum(const SgdConstants& constants, float* p, const float* g, float* m,
                  int64_t count) {
  const SgdConstants k = constants;
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) {
    const float d = g[i] + k.weight_decay * p[i];
    const float buffer = kFirst ? d : m[i] * k.momentum + k.one_minus_dampening * d;
    m[i] = buffer;
    const float direction = kNesterov ? d + k.momentum * buffer : buffer;
    p[i] -= k.learning_rate * direction;
  }
}

void sgd(const SgdConstants& constants, float* p, const float* g, float* m, int64_t count) {
  const SgdConstants k = constants;
  if (m != nullptr) {
    if (k.first_step) {
      k.nesterov ? sgd_momentum<true, true>(k, p, g, m, count)
                 : sgd_momentum<true, false>(k, p, g, m, count);
    } else {
      k.nesterov ? sgd_momentum<false, true>(k, p, g, m, count)
                 : sgd_momentum<false, false>(k, p, g, m, count);
    }
    return;
  }
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) {
    p[i] -= k.learning_rate * (g[i] + k.weight_decay * p[i]);
  }
}

void adam(const AdamConstants& constants, float* p, const float* g, float* m, float* v,
          int64_t count) {
  const AdamConstants k = constants;
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) {
    const float parameter = p[i] * k.decay;
    const float d = g[i] + k.weight_decay * parameter;
    const float first = m[i] + k.one_minus_beta1 * (d - m[i]);
    const float second = v[i] * k.beta2 + k.one_minus_beta2 * d * d;
    m[i] = first;
    v[i] = second;
    const float denominator = __builtin_sqrtf(second) / k.sqrt_bias_correction2 + k.epsilon;
    p[i] = parameter + k.negative_step_size * first / denominator;
  }
}

}  // namespace

const OptimizerKernels optimizer_step = {sgd, adam};

}  // namespace hanok::cpu::HANOK_ISA
