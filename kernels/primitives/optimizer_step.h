// Optimisers: one fused sweep over all parameters. What changes from step to step is read from the
// device.
#pragma once

#include <vector>

#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

/// One parameter of a sweep; all views are f32 and of equal shape. Undefined state views are not
/// used.
struct OptimizerSlot {
  View parameter;
  ConstView gradient;
  View state_a{};  // SGD: momentum buffer. Adam: first moment
  View state_b{};  // Adam: second moment

  static void operands(auto& slots, const auto& visit) {
    for (auto& slot : slots) {
      visit.updates(slot.parameter, Elements::F32);
      visit.reads(slot.gradient, Elements::F32);
      visit.updates(slot.state_a, Elements::F32);
      visit.updates(slot.state_b, Elements::F32);
    }
  }
};

inline double count_of(const std::vector<OptimizerSlot>& slots) {
  double count = 0;
  for (const OptimizerSlot& slot : slots) count += count_of(slot.parameter);
  return count;
}

struct SgdStep {
  static constexpr const char* kName = "sgd_step";
  static constexpr bool kUpdatesParameters = true;
  ConstView learning_rate;  // f32 [1]
  ConstView step;           // i64 [1]: 1 for the first step (which initialises the momentum buffer)
  ConstView skip{};         // f32 [1]: unless it is 0, nothing is written; undefined: 0
  double momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
  std::vector<OptimizerSlot> slots;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.learning_rate, Elements::F32);
    visit.reads(op.skip, Elements::F32);
    visit.reads(op.step, Elements::I64);
    OptimizerSlot::operands(op.slots, visit);
  }
  double flop() const { return 6 * count_of(slots); }
  std::string shape_text() const { return std::to_string(slots.size()) + " parameters"; }
};

struct AdamStep {
  static constexpr const char* kName = "adam_step";
  static constexpr bool kUpdatesParameters = true;
  ConstView learning_rate;  // f32 [1]
  ConstView step;           // i64 [1]: 1 for the first step
  ConstView skip{};         // f32 [1]: unless it is 0, nothing is written; undefined: 0
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
  bool decoupled = false;  // true: AdamW
  std::vector<OptimizerSlot> slots;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.learning_rate, Elements::F32);
    visit.reads(op.skip, Elements::F32);
    visit.reads(op.step, Elements::I64);
    OptimizerSlot::operands(op.slots, visit);
  }
  double flop() const { return 12 * count_of(slots); }
  std::string shape_text() const { return std::to_string(slots.size()) + " parameters"; }
};

namespace cpu {
void run(const Call& call, const SgdStep& op);
void run(const Call& call, const AdamStep& op);
}  // namespace cpu

namespace cuda {
void run(ExecContext& ctx, const SgdStep& op);
void run(ExecContext& ctx, const AdamStep& op);
}  // namespace cuda

}  // namespace hanok
#pragma GCC visibility pop
