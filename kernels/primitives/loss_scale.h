// Loss scaling: the loss was multiplied by a power of two, so that small gradients survive in f16;
// f32.
#pragma once

#include <vector>

#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Divides all gradients by `scale` [1], in place; found [1] = 1 if one was infinite or NaN, else
/// 0.
struct Unscale {
  static constexpr const char* kName = "unscale";
  std::vector<View> gradients;
  ConstView scale;
  View found;

  static void operands(auto& op, const auto& visit) {
    for (auto& gradient : op.gradients) visit.updates(gradient, Elements::F32);
    visit.reads(op.scale, Elements::F32);
    visit.writes(op.found, Elements::F32);
  }
  double flop() const {
    double count = 0;
    for (const View& gradient : gradients) count += count_of(gradient);
    return count;
  }
  std::string shape_text() const { return std::to_string(gradients.size()) + " tensors"; }
};

/// How a loss scale adapts to overflows.
struct LossScaleRule {
  double growth = 2, backoff = 0.5;
  std::int64_t interval = 2000;  // finite steps until it grows
};

/// found not 0: scale *= backoff, good_steps (i64 [1]) = 0. Else ++good_steps, and where that is
/// `interval`: scale *= growth unless that is infinite, good_steps = 0. PyTorch's GradScaler.
struct UpdateLossScale {
  static constexpr const char* kName = "update_loss_scale";
  LossScaleRule rule;
  ConstView found;
  View scale;
  View good_steps;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.found, Elements::F32);
    visit.updates(op.scale, Elements::F32);
    visit.updates(op.good_steps, Elements::I64);
  }
  double flop() const { return 1; }
  std::string shape_text() const { return scale.shape.to_string(); }
};

namespace cpu {
void run(const Call& call, const Unscale& op);
void run(const Call& call, const UpdateLossScale& op);
}  // namespace cpu

namespace cuda {
void run(ExecContext& ctx, const Unscale& op);
void run(ExecContext& ctx, const UpdateLossScale& op);
}  // namespace cuda

}  // namespace hanok
#pragma GCC visibility pop
