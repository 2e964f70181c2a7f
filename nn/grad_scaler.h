// Dynamic loss scaling: what f16 needs to hold small gradients (Micikevicius et al., "Mixed
// Precision Training", ICLR 2018). The rules are those of PyTorch's GradScaler.
//
//   optimizer.zero_grad();
//   loss.backward(scaler.scale());               // gradients are `scale` times too large
//   scaler.unscale(model.parameters());          // and now right, or some of them not finite
//   ... clip, look at norms ...
//   optimizer.set_skip(scaler.found());          // once, before the first step
//   optimizer.step();                            // leaves everything as it is if one was not
//   scaler.update();                             // halves the scale then, or doubles it in time
//
// Scale, count and finding stay on the device: nobody waits for them, and a recorded step replays
// with what they are then.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/engine/tensor.h"
#include "hanok/kernels/backend.h"
#include "hanok/nn/state.h"

namespace hanok::nn {

struct GradScalerOptions {
  double initial_scale = 65536;
  LossScaleRule rule;  // growth 2, backoff 0.5, every 2000 good steps
};

class GradScaler {
 public:
  /// Throws ValueError unless scale, growth and backoff are powers of two (divisions are exact
  /// then), growth is at least 1, backoff at most 1 and the interval at least 1.
  explicit GradScaler(Device device, const GradScalerOptions& options = {});

  /// f32 []: what to start backward() with, in place of 1.
  const Tensor& scale() const { return scale_; }
  /// Divides the gradients by it, in place, and notes whether all were finite. Throws ValueError if
  /// no parameter has a gradient.
  void unscale(const std::vector<Tensor>& parameters);
  /// f32 [1]: 1 if the last unscale() met an infinite or NaN gradient, else 0.
  const Tensor& found() const { return found_; }
  /// Follows what was found. Once a step, after the optimiser's.
  void update();

  /// A snapshot of scale and good steps; waits for the device.
  State state() const;
  void load_state(const State& state);

 private:
  LossScaleRule rule_;
  Tensor scale_, found_, good_steps_;
};

}  // namespace hanok::nn
