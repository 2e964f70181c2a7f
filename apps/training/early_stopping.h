// Ends training when the monitored value no longer improves, and records which epoch was best.
#pragma once

#include <cstdint>

#include "hanok/apps/options/choices.h"
#include "hanok/nn/state.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class EarlyStopping {
 public:
  enum class Goal { Lowest, Highest };

  /// Improvement: better than the best so far by more than `min_delta`. `patience` 0: never stop.
  EarlyStopping(Goal goal, std::int64_t patience, double min_delta);
  /// The loss is best where lowest, F1 where highest.
  static EarlyStopping for_monitor(Monitor monitor, std::int64_t patience, double min_delta);

  /// Takes the value of `epoch`; true if it is the best so far. A value that is not finite is worse
  /// than all others and never the best.
  bool update(std::int64_t epoch, double value);
  /// True after `patience` epochs in a row without improvement.
  bool should_stop() const { return patience_ > 0 && waited_ >= patience_; }
  /// -1 before the first improvement.
  std::int64_t best_epoch() const { return best_epoch_; }
  double best_value() const { return best_value_; }

  nn::State state() const;
  void load_state(const nn::State& state);

 private:
  Goal goal_;
  std::int64_t patience_;
  double min_delta_;
  std::int64_t best_epoch_ = -1;
  double best_value_ = 0;
  std::int64_t waited_ = 0;
};

}  // namespace hanok::training
#pragma GCC visibility pop
