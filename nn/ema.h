// An exponential moving average of a module's values, which often scores better than the values
// themselves (Polyak and Juditsky 1992).
#pragma once

#include "hanok/nn/module.h"
#include "hanok/nn/state.h"

namespace hanok::nn {

class Ema {
 public:
  /// Starts from the module's present values. The module must outlive this and keep its structure.
  /// Throws ValueError unless 0 <= decay < 1.
  explicit Ema(Module& module, double decay = 0.999);

  /// After an optimiser's step: average = decay * average + (1 - decay) * value for parameters and
  /// f32 buffers; other buffers are copied.
  void update();
  /// Exchanges the module's values and the averages; twice is as never. Parameters keep their
  /// identity, so optimisers stay valid. update() is an error in between.
  void swap();
  bool swapped() const { return swapped_; }

  /// A snapshot (copies) of the averages.
  State state() const;
  /// Throws ValueError or ShapeError, and then changes nothing, if `state` is of another module.
  void load_state(const State& state);

 private:
  StateDict values() const;  // the module's own tensors

  Module& module_;
  double decay_;
  StateDict averages_;
  Tensor scratch_;  // f32, as long as the largest value: an update takes no memory
  bool swapped_ = false;
};

/// While alive, the module holds the averages: for validation.
class EmaScope {
 public:
  explicit EmaScope(Ema& ema) : ema_(ema) { ema_.swap(); }
  ~EmaScope() { ema_.swap(); }
  EmaScope(const EmaScope&) = delete;
  EmaScope& operator=(const EmaScope&) = delete;

 private:
  Ema& ema_;
};

}  // namespace hanok::nn
