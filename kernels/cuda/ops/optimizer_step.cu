// Optimiser steps over all parameters at once, with the formulas and the order of roundings of
// kernels/cpu/optimizer_step.cpp.
//
// A one-thread kernel first computes this step's constants from the learning rate and the step
// count, which are in device memory, so that a captured step sees new values. Then one sweep: a
// list of tensors is a kernel parameter, a block finds its tensor by bisection, and a thread moves
// 16 bytes of each operand at a time.
//
// Roofline: memory. Adam reads p, g, m, v and writes p, m, v: 28 bytes for about 15 operations
// (11.7 M parameters of ResNet18: 327 MB, 98 us at 3.35 TB/s).
#include "hanok/kernels/cuda/ops/storage.h"
#include "hanok/kernels/cuda/ops/tensor_list.h"
#include "hanok/kernels/cuda/runtime/launch.h"
#include "hanok/kernels/primitives/optimizer_step.h"

namespace hanok::cuda {
namespace {

constexpr int kPack = kListPack;

struct SlotItem {
  float* parameter;
  const float* gradient;
  float* state_a;
  float* state_b;
  bool aligned;
};

/// The host's constants of a step, rounded once from double.
struct SgdOptions {
  float momentum, one_minus_dampening, weight_decay;
  bool nesterov;
};
struct AdamOptions {
  double beta1, beta2, weight_decay;
  float one_minus_beta1, one_minus_beta2, epsilon;
  bool decoupled;
};
/// The device's constants.
struct AdamConstants {
  float decay, negative_step_size, sqrt_bias_correction2;
};

/// base^exponent by repeated squaring, with the CPU's bits.
__device__ double whole_power(double base, std::int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent >>= 1, base *= base) {
    if ((exponent & 1) != 0) result *= base;
  }
  return result;
}

/// One thread.
__global__ void adam_constants_kernel(AdamOptions options, const float* learning_rate,
                                      const std::int64_t* step, AdamConstants* constants) {
  const double rate = *learning_rate;
  AdamConstants k;
  k.decay = options.decoupled ? static_cast<float>(1.0 - rate * options.weight_decay) : 1.0F;
  k.negative_step_size = static_cast<float>(-rate / (1.0 - whole_power(options.beta1, *step)));
  k.sqrt_bias_correction2 = static_cast<float>(sqrt(1.0 - whole_power(options.beta2, *step)));
  *constants = k;
}

/// Whether to skip the step.
__device__ bool is_skipped(const float* skip) { return skip != nullptr && *skip != 0.0F; }

__global__ void sgd_kernel(TensorList<SlotItem> list, SgdOptions k, const float* learning_rate,
                           const std::int64_t* step, const float* skip) {
  if (is_skipped(skip)) return;
  const int which = list.find(static_cast<int>(blockIdx.x));
  const SlotItem slot = list.items[which];
  const float rate = *learning_rate;
  const bool first_step = *step <= 1;
  for_packs(list, which, [&](std::int64_t i, int count) {
    float p[kPack];
    float d[kPack];
    load_some(slot.parameter + i, slot.aligned, count, p);
    load_some(slot.gradient + i, slot.aligned, count, d);
    for (int j = 0; j < kPack; ++j) d[j] += k.weight_decay * p[j];
    if (slot.state_a != nullptr) {
      float buffer[kPack];
      if (first_step) {  // ignores the buffer's content
        for (int j = 0; j < kPack; ++j) buffer[j] = d[j];
      } else {
        load_some(slot.state_a + i, slot.aligned, count, buffer);
        for (int j = 0; j < kPack; ++j) {
          buffer[j] = buffer[j] * k.momentum + k.one_minus_dampening * d[j];
        }
      }
      store_some(buffer, slot.aligned, count, slot.state_a + i);
      for (int j = 0; j < kPack; ++j) {
        d[j] = k.nesterov ? d[j] + k.momentum * buffer[j] : buffer[j];
      }
    }
    for (int j = 0; j < kPack; ++j) p[j] -= rate * d[j];
    store_some(p, slot.aligned, count, slot.parameter + i);
  });
}

__global__ void adam_kernel(TensorList<SlotItem> list, AdamOptions options,
                            const AdamConstants* constants, const float* skip) {
  if (is_skipped(skip)) return;
  const int which = list.find(static_cast<int>(blockIdx.x));
  const SlotItem slot = list.items[which];
  const AdamConstants k = *constants;
  const float weight_decay = options.decoupled ? 0.0F : static_cast<float>(options.weight_decay);
  const auto beta2 = static_cast<float>(options.beta2);
  for_packs(list, which, [&](std::int64_t i, int count) {
    float p[kPack];
    float d[kPack];
    float m[kPack];
    float v[kPack];
    load_some(slot.parameter + i, slot.aligned, count, p);
    load_some(slot.gradient + i, slot.aligned, count, d);
    load_some(slot.state_a + i, slot.aligned, count, m);
    load_some(slot.state_b + i, slot.aligned, count, v);
    for (int j = 0; j < kPack; ++j) {
      p[j] *= k.decay;
      d[j] += weight_decay * p[j];
      m[j] += options.one_minus_beta1 * (d[j] - m[j]);
      v[j] = v[j] * beta2 + options.one_minus_beta2 * d[j] * d[j];
      const float denominator = sqrtf(v[j]) / k.sqrt_bias_correction2 + options.epsilon;
      p[j] += k.negative_step_size * m[j] / denominator;
    }
    store_some(p, slot.aligned, count, slot.parameter + i);
    store_some(m, slot.aligned, count, slot.state_a + i);
    store_some(v, slot.aligned, count, slot.state_b + i);
  });
}

/// Calls use(list) for all slots, in lists that fit into a kernel's parameters.
template <typename Use>
void for_slots(const std::vector<OptimizerSlot>& slots, bool with_state, const Use& use) {
  for_tensor_lists<SlotItem>(
      slots, kListBlock, [](const OptimizerSlot& slot) { return slot.parameter.numel(); },
      [&](const OptimizerSlot& slot) {
        SlotItem item{slot.parameter.f32(), slot.gradient.f32(), nullptr, nullptr, false};
        if (with_state) {
          item.state_a = slot.state_a.f32();
          item.state_b = slot.state_b.f32();
        }
        item.aligned = aligned16(item.parameter, item.gradient, item.state_a, item.state_b);
        return item;
      },
      use);
}

}  // namespace

void run(ExecContext& ctx, const SgdStep& op) {
  const SgdOptions options{static_cast<float>(op.momentum), static_cast<float>(1.0 - op.dampening),
                           static_cast<float>(op.weight_decay), op.nesterov};
  for_slots(op.slots, op.momentum != 0, [&](const TensorList<SlotItem>& list) {
    launch(sgd_kernel, grid_for(list.blocks(), 1), dim3(kListThreads), 0, stream_of(ctx), list,
           options, op.learning_rate.f32(), op.step.as<std::int64_t>(), op.skip.f32());
  });
}

void run(ExecContext& ctx, const AdamStep& op) {
  const AdamOptions options{op.beta1,
                            op.beta2,
                            op.weight_decay,
                            static_cast<float>(1.0 - op.beta1),
                            static_cast<float>(1.0 - op.beta2),
                            static_cast<float>(op.epsilon),
                            op.decoupled};
  Workspace::Scope scope(ctx.workspace);
  auto* constants = scope.take_array<AdamConstants>(1);
  launch(adam_constants_kernel, grid_for(1, 1), dim3(1), 0, stream_of(ctx), options,
         op.learning_rate.f32(), op.step.as<std::int64_t>(), constants);
  for_slots(op.slots, true, [&](const TensorList<SlotItem>& list) {
    launch(adam_kernel, grid_for(list.blocks(), 1), dim3(kListThreads), 0, stream_of(ctx), list,
           options, constants, op.skip.f32());
  });
}

}  // namespace hanok::cuda
