// PyTorch's formulas (torch.optim.SGD, Adam, AdamW), with its order of roundings.
//   SGD:   d = g + weight_decay p;  b = d at the first step, else momentum b + (1 - dampening) d;
//          p -= lr * (nesterov ? d + momentum b : b)
//   Adam:  d = g + weight_decay p  (AdamW: p *= 1 - lr weight_decay; d = g)
//          m += (1 - beta1) (d - m);  v = beta2 v + (1 - beta2) d^2
//          p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
// Constants are computed in double and rounded once.

#include "hanok/kernels/primitives/optimizer_step.h"

#include <algorithm>
#include <cmath>

#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/isa/optimizer_step.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGrain = 16384;  // parameters a task

/// base^exponent by repeated squaring: the same bits everywhere.
double whole_power(double base, std::int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent >>= 1, base *= base) {
    if ((exponent & 1) != 0) {
      result *= base;
    }
  }
  return result;
}

bool is_skipped(const ConstView& skip) { return skip.defined() && *skip.f32() != 0.0F; }

/// One sweep over all slots: calls block(slot, begin, end) for blocks of kGrain elements.
template <typename Block>
void for_blocks(ExecContext& ctx, const std::vector<OptimizerSlot>& slots, const Block& block) {
  std::vector<std::int64_t> first_task = {0};  // of each slot
  for (const OptimizerSlot& slot : slots) {
    first_task.push_back(first_task.back() + (slot.parameter.numel() + kGrain - 1) / kGrain);
  }
  ctx.pool.run(first_task.back(), [&](std::int64_t task) {
    const auto next = std::upper_bound(first_task.begin(), first_task.end(), task);
    const auto index = static_cast<std::size_t>(next - first_task.begin() - 1);
    const std::int64_t begin = (task - first_task[index]) * kGrain;
    const std::int64_t end = std::min(begin + kGrain, slots[index].parameter.numel());
    block(slots[index], begin, end);
  });
}

}  // namespace

void run(const Call& call, const SgdStep& op) {
  if (is_skipped(op.skip)) return;
  SgdConstants k{};
  k.learning_rate = *op.learning_rate.f32();
  k.momentum = static_cast<float>(op.momentum);
  k.one_minus_dampening = static_cast<float>(1.0 - op.dampening);
  k.weight_decay = static_cast<float>(op.weight_decay);
  k.nesterov = op.nesterov;
  k.first_step = *op.step.as<std::int64_t>() <= 1;
  for_blocks(
      call.ctx, op.slots, [&](const OptimizerSlot& slot, std::int64_t begin, std::int64_t end) {
        float* momentum =
            op.momentum != 0 && slot.state_a.defined() ? slot.state_a.f32() + begin : nullptr;
        kernels_of(call.isa).optimizer_step.sgd(k, slot.parameter.f32() + begin,
                                                slot.gradient.f32() + begin, momentum, end - begin);
      });
}

void run(const Call& call, const AdamStep& op) {
  if (is_skipped(op.skip)) return;
  const double learning_rate = *op.learning_rate.f32();
  const std::int64_t t = *op.step.as<std::int64_t>();
  AdamConstants k{};
  k.decay = static_cast<float>(op.decoupled ? 1.0 - learning_rate * op.weight_decay : 1.0);
  k.weight_decay = static_cast<float>(op.decoupled ? 0.0 : op.weight_decay);
  k.beta2 = static_cast<float>(op.beta2);
  k.one_minus_beta1 = static_cast<float>(1.0 - op.beta1);
  k.one_minus_beta2 = static_cast<float>(1.0 - op.beta2);
  k.negative_step_size = static_cast<float>(-learning_rate / (1.0 - whole_power(op.beta1, t)));
  k.sqrt_bias_correction2 = static_cast<float>(std::sqrt(1.0 - whole_power(op.beta2, t)));
  k.epsilon = static_cast<float>(op.epsilon);
  for_blocks(call.ctx, op.slots,
             [&](const OptimizerSlot& slot, std::int64_t begin, std::int64_t end) {
               kernels_of(call.isa).optimizer_step.adam(
                   k, slot.parameter.f32() + begin, slot.gradient.f32() + begin,
                   slot.state_a.f32() + begin, slot.state_b.f32() + begin, end - begin);
             });
}

}  // namespace hanok::cpu
