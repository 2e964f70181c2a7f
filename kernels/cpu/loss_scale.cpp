// Plain loops: the CPU has no f16 to need loss scaling. Here for tests and for code that is the
// same on all devices.
#include "hanok/kernels/primitives/loss_scale.h"

#include <cmath>

#include "hanok/kernels/cpu/call.h"

namespace hanok::cpu {

void run(const Call& /*call*/, const Unscale& op) {
  const float inverse = 1.0F / *op.scale.f32();
  bool finite = true;
  for (const View& gradient : op.gradients) {
    float* g = gradient.f32();
    for (std::int64_t i = 0; i < gradient.numel(); ++i) {
      finite = finite && std::isfinite(g[i]);
      g[i] *= inverse;
    }
  }
  *op.found.f32() = finite ? 0.0F : 1.0F;
}

void run(const Call& /*call*/, const UpdateLossScale& op) {
  float& s = *op.scale.f32();
  auto& steps = *op.good_steps.as<std::int64_t>();
  if (*op.found.f32() != 0.0F) {
    s *= static_cast<float>(op.rule.backoff);
    steps = 0;
    return;
  }
  if (++steps < op.rule.interval) return;
  const float grown = s * static_cast<float>(op.rule.growth);
  if (std::isfinite(grown)) s = grown;
  steps = 0;
}

}  // namespace hanok::cpu
