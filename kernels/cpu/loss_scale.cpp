#include "hanok/kernels/cpu/loss_scale.h"

#include <cmath>

namespace hanok::cpu {

void unscale(const std::vector<View>& gradients, ConstView scale, View found) {
  const float inverse = 1.0F / *scale.f32();
  bool finite = true;
  for (const View& gradient : gradients) {
    float* g = gradient.f32();
    for (std::int64_t i = 0; i < gradient.numel(); ++i) {
      finite = finite && std::isfinite(g[i]);
      g[i] *= inverse;
    }
  }
  *found.f32() = finite ? 0.0F : 1.0F;
}

void update_loss_scale(const LossScaleRule& rule, ConstView found, View scale, View good_steps) {
  float& s = *scale.f32();
  auto& steps = *good_steps.as<std::int64_t>();
  if (*found.f32() != 0.0F) {
    s *= static_cast<float>(rule.backoff);
    steps = 0;
    return;
  }
  if (++steps < rule.interval) return;
  const float grown = s * static_cast<float>(rule.growth);
  if (std::isfinite(grown)) s = grown;
  steps = 0;
}

}  // namespace hanok::cpu
