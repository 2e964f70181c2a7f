// Backends that stand in front of the CPU's: one measures every convolution that passes, one
// computes convolutions in double precision.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench_precision/conv2d_errors.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/forwarding_backend.h"

namespace hanok::bench {

/// In front of the CPU's backend. MobileNetV2's fused block is not used: its convolutions come one
/// by one, which gives the same bits.
template <typename Derived>
class Front : public ForwardingBackend<Derived> {
 public:
  bool fuses_inverted_residual(const InvertedResidualShape& /*shape*/) const final { return false; }
};

/// While alive, a Front takes the place of the CPU's backend.
template <typename Backend>
class InFront {
 public:
  template <typename... Arguments>
  explicit InFront(Arguments&&... arguments) {
    auto front = std::make_unique<Backend>(std::forward<Arguments>(arguments)...);
    front_ = front.get();
    front_->set_inner(exchange_backend(Device::cpu(), std::move(front)));
  }
  ~InFront() { exchange_backend(Device::cpu(), front_->take_inner()); }
  InFront(const InFront&) = delete;
  InFront& operator=(const InFront&) = delete;
  Backend* operator->() { return front_; }

 private:
  Backend* front_;  // owned by the runtime while it is in front
};

/// Measures the convolutions that pass. Runs in one thread.
class ConvolutionMeter final : public Front<ConvolutionMeter> {
 public:
  struct Measured {
    const void* layer = nullptr;  // see layer_scope.h
    Conv2dErrors errors{};
  };
  const std::vector<Measured>& measured() const { return measured_; }

  template <Primitive Op>
  void each(ExecContext& context, const Op& op) {
    if constexpr (std::is_same_v<Op, Conv2dForward>) {
      measure(context, Conv2dPass::Forward, op.shape, {op.x.f32(), op.w.f32()});
    } else if constexpr (std::is_same_v<Op, Conv2dBackwardData>) {
      measure(context, Conv2dPass::BackwardData, op.shape, {op.dy.f32(), op.w.f32()});
    } else if constexpr (std::is_same_v<Op, Conv2dBackwardWeights>) {
      measure(context, Conv2dPass::BackwardWeights, op.shape, {op.x.f32(), op.dy.f32()});
    }
    inner().run(context, op);
  }

 private:
  /// Convolutions of one channel a group have few products, which no precision of hanok changes.
  void measure(ExecContext& context, Conv2dPass pass, const Conv2dShape& shape,
               const Conv2dFactors& factors);

  std::vector<Measured> measured_;
};

/// Computes the forward pass of convolutions in double, their epilogues too, and rounds the result
/// to f32. For evaluation: batch norms must be folded into scales and shifts.
class ExactConvolutions final : public Front<ExactConvolutions> {
 public:
  explicit ExactConvolutions(OperandsAre operands) : operands_(operands) {}

  template <Primitive Op>
  void each(ExecContext& context, const Op& op) {
    if constexpr (std::is_same_v<Op, Conv2dForward>) {
      forward(context, op);
    } else {
      inner().run(context, op);
    }
  }

 private:
  void forward(ExecContext& context, const Conv2dForward& op);

  OperandsAre operands_;
};

}  // namespace hanok::bench
