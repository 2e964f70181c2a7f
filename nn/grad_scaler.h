// Dynamic loss scaling, which f16 needs for small gradients (Micikevicius et al., "Mixed Precision
// Training", ICLR 2018). The rules are those of PyTorch's GradScaler.
//
//   optimizer.zero_grad();
//   loss.backward(scaler.scale());           // gradients are `scale` times too large
//   scaler.unscale(model.parameters());      // divides them, and records whether all are finite
//   ... clip, report norms ...
//   optimizer.set_skip(scaler.found());      // once, before the first step
//   optimizer.step();                        // changes nothing if one was not finite
//   scaler.update();                         // then halves the scale, else doubles it at intervals
//
// Scale, count and found() stay on the device: nothing synchronises, and a recorded step replays
// with their current values.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/engine/tensor.h"
#include "hanok/kernels/backend.h"
#include "hanok/nn/state.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

struct GradScalerOptions {
  double initial_scale = 65536;
  LossScaleRule rule{};  // growth 2, backoff 0.5, interval 2000 steps
};

class GradScaler {
 public:
  /// Throws ValueError unless scale, growth and backoff are powers of two (so that divisions are
  /// exact), growth is at least 1, backoff at most 1 and the interval at least 1.
  explicit GradScaler(Device device, const GradScalerOptions& options = {});

  /// f32 []: the gradient to pass to backward() instead of 1.
  const Tensor& scale() const { return scale_; }
  /// Divides the gradients by the scale, in place, and records whether all were finite. Throws
  /// ValueError if no parameter has a gradient.
  void unscale(const std::vector<Tensor>& parameters);
  /// f32 [1]: 1 if the last unscale() found an infinite or NaN gradient, else 0.
  const Tensor& found() const { return found_; }
  /// Adjusts the scale according to found(). Once per step, after the optimiser's step.
  void update();

  /// A snapshot of the scale and the count of good steps; synchronises with the device.
  State state() const;
  /// Throws ValueError, without changing anything, if `state` is incomplete or its scale is not a
  /// power of two.
  void load_state(const State& state);

 private:
  LossScaleRule rule_;
  Tensor scale_, found_, good_steps_;
};

}  // namespace hanok::nn
#pragma GCC visibility pop
