// Softmax and the loss that is built on it; f32.
#pragma once

#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Along the lanes of x.
struct Softmax {
  static constexpr const char* kName = "softmax";
  bool log = false;  // its logarithm
  ConstView x;
  Lanes lanes;
  View y;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x, Elements::F32);
    visit.writes(op.y, Elements::F32);
  }
  double flop() const { return 4 * count_of(x); }
  std::string shape_text() const { return x.shape.to_string(); }
};

struct SoftmaxBackward {
  static constexpr const char* kName = "softmax_backward";
  bool log = false;
  ConstView y, dy;
  Lanes lanes;
  View dx;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.y, Elements::F32);
    visit.reads(op.dy, Elements::F32);
    visit.writes(op.dx, Elements::F32);
  }
  double flop() const { return 4 * count_of(y); }
  std::string shape_text() const { return y.shape.to_string(); }
};

/// The inputs of the loss.
struct CrossEntropyLoss {
  ConstView logits;           // f32 [N,C]
  ConstView targets;          // i64 [N], or f32 [N,C] probabilities (soft targets)
  ConstView class_weights{};  // f32 [C]; undefined: 1
  float label_smoothing = 0;
  float focal_gamma = 0;             // multiplies each class's term by (1 - p_c)^gamma
  std::int64_t ignore_index = -100;  // this target has loss 0 and weight 0
  bool count_targets = false;        // weight 1 for every target, whatever its class

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.logits, Elements::F32);
    visit.reads(op.class_weights, Elements::F32);
    visit.reads(op.targets, Elements::Targets);
  }
};

/// Per-sample losses [N] and per-sample weights [N] (class weight of the target; 1 for soft
/// targets), as PyTorch defines them. A target that is neither in 0..C-1 nor ignore_index is a
/// ValueError on the CPU; a CUDA kernel cannot throw and makes the sample's loss, weight and
/// gradient NaN.
struct CrossEntropy {
  static constexpr const char* kName = "cross_entropy";
  CrossEntropyLoss loss;
  View losses, weights;

  static void operands(auto& op, const auto& visit) {
    CrossEntropyLoss::operands(op.loss, visit);
    visit.writes(op.losses, Elements::F32);
    visit.writes(op.weights, Elements::F32);
  }
  double flop() const { return 4 * count_of(loss.logits); }
  std::string shape_text() const { return loss.logits.shape.to_string(); }
};

/// dlogits [N,C] = d(losses[i]) / d(logits) * scale[i]; scale f32 [N].
struct CrossEntropyBackward {
  static constexpr const char* kName = "cross_entropy_backward";
  CrossEntropyLoss loss;
  ConstView scale;
  View dlogits;

  static void operands(auto& op, const auto& visit) {
    CrossEntropyLoss::operands(op.loss, visit);
    visit.reads(op.scale, Elements::F32);
    visit.writes(op.dlogits, Elements::F32);
  }
  double flop() const { return 4 * count_of(dlogits); }
  std::string shape_text() const { return dlogits.shape.to_string(); }
};

namespace cpu {
void run(const Call& call, const Softmax& op);
void run(const Call& call, const SoftmaxBackward& op);
void run(const Call& call, const CrossEntropy& op);
void run(const Call& call, const CrossEntropyBackward& op);
}  // namespace cpu

namespace cuda {
void run(ExecContext& ctx, const Softmax& op);
void run(ExecContext& ctx, const SoftmaxBackward& op);
void run(ExecContext& ctx, const CrossEntropy& op);
void run(ExecContext& ctx, const CrossEntropyBackward& op);
}  // namespace cuda

}  // namespace hanok
#pragma GCC visibility pop
