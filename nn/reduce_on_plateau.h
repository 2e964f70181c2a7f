// Reduction of the learning rate when a metric stops improving.
#pragma once

#include <cstdint>

#include "hanok/nn/optim.h"
#include "hanok/nn/state.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// PyTorch's ReduceLROnPlateau with a relative threshold, and without `eps`: every reduction
/// counts, however small. Not a Schedule, since it has state.
class ReduceOnPlateau {
 public:
  struct Options {
    bool smaller_is_better = true;  // a loss; false: a score
    double factor = 0.1;            // in (0,1): what each reduction multiplies
    std::int64_t patience = 10;     // observations without improvement before a reduction
    double threshold = 1e-4;        // minimum relative improvement
    std::int64_t cooldown = 0;      // observations that are ignored after a reduction
    double minimum_factor = 0;      // lower limit of the factor
  };
  /// Throws ValueError for options out of range.
  explicit ReduceOnPlateau(const Options& options);
  /// Call after each epoch with the metric. Returns true if it reduced the factor.
  bool observe(double metric);
  /// The factor on the base rates, to be multiplied with a schedule's.
  double factor() const { return factor_; }
  /// Sets every group's learning rate.
  void apply(Optimizer& optimizer) const;

  State state() const;
  /// Throws ValueError, without changing anything, if `state` is incomplete or of a newer version.
  void load_state(const State& state);

 private:
  Options options_;
  double factor_ = 1;
  double best_;
  std::int64_t bad_ = 0;      // observations without improvement
  std::int64_t cooling_ = 0;  // observations left to ignore
};

}  // namespace hanok::nn
#pragma GCC visibility pop
