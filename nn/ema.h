// Exponential moving average (EMA) of a module's values, which often scores better than the values
// themselves (Polyak and Juditsky 1992).
#pragma once

#include "hanok/nn/module.h"
#include "hanok/nn/state.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

class Ema {
 public:
  /// Starts from the module's current values. The module must outlive this object and keep its
  /// structure. Throws ValueError unless 0 <= decay < 1.
  explicit Ema(Module& module, double decay = 0.999);

  /// After an optimiser step: average = decay * average + (1 - decay) * value for parameters and
  /// f32 buffers (PyTorch's AveragedModel with use_buffers); other buffers are copied.
  void update();
  /// Swaps the module's values with the averages; a second call swaps them back. Parameters keep
  /// their identity, so optimisers remain valid. In between, update() throws ValueError.
  void swap();
  bool swapped() const { return swapped_; }

  /// A snapshot (copies) of the averages.
  State state() const;
  /// The same without copies, to be written at once: the next update changes it.
  State shared_state() const;
  /// Throws ValueError or ShapeError, without changing anything, if `state` belongs to another
  /// module.
  void load_state(const State& state);

 private:
  StateDict values() const;  // the module's own tensors; tied ones once, under their first name

  Module& module_;
  double decay_;
  StateDict averages_;
  Tensor scratch_;  // f32, as large as the largest value: an update does not allocate
  bool swapped_ = false;
};

/// While alive, the averages are swapped in, for validation.
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
#pragma GCC visibility pop
