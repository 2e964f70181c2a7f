// What a convolution or GEMM does to each output before it is stored. The same struct on every
// device.
#pragma once

#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

enum class Activation {
  None,
  Relu,   // max(x, 0)
  Relu6,  // min(max(x, 0), 6); only where Backend::fuses_relu6() says so
};

/// y = activation(accumulator * scale[channel] + shift[channel] + residual). Undefined views are
/// skipped.
struct Epilogue {
  ConstView scale{};     // f32 [K]
  ConstView shift{};     // f32 [K] (a bias is a shift without scale)
  ConstView residual{};  // same shape and layout as y
  Activation activation = Activation::None;
  /// Training batch norm: where defined, receives per-channel mean and biased variance of the
  /// y, before it is rounded to its type, over all of N,P,Q: f32 [2,K]. Blocks are combined in
  /// double in a fixed order.
  View bn_mean_var{};
  /// For the CPU's own use: where its drivers store a y of bf16.
  View bf16{};

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.scale, Elements::F32);
    visit.reads(op.shift, Elements::F32);
    visit.reads(op.residual, Elements::DataOrF32);
    visit.writes(op.bn_mean_var, Elements::F32);
  }
  /// Operations on each output.
  double flop_per_output() const {
    return (scale.defined() ? 1 : 0) + (shift.defined() ? 1 : 0) + (residual.defined() ? 1 : 0) +
           (activation != Activation::None ? 1 : 0) + (bn_mean_var.defined() ? 3 : 0);
  }
};

}  // namespace hanok
#pragma GCC visibility pop
