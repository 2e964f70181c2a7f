#include "hanok/apps/training/early_stopping.h"

#include <cmath>

namespace hanok::training {

EarlyStopping::EarlyStopping(Goal goal, std::int64_t patience, double min_delta)
    : goal_(goal), patience_(patience), min_delta_(min_delta) {}

EarlyStopping EarlyStopping::for_monitor(Monitor monitor, std::int64_t patience, double min_delta) {
  const Goal goal = monitor == Monitor::ValLoss ? Goal::Lowest : Goal::Highest;
  return {goal, patience, min_delta};
}

bool EarlyStopping::update(std::int64_t epoch, double value) {
  const double gain = goal_ == Goal::Lowest ? best_value_ - value : value - best_value_;
  const bool improved = std::isfinite(value) && (best_epoch_ < 0 || gain > min_delta_);
  if (improved) {
    best_epoch_ = epoch;
    best_value_ = value;
    waited_ = 0;
  } else {
    ++waited_;
  }
  return improved;
}

nn::State EarlyStopping::state() const {
  nn::State state;
  state.integers["version"] = 1;
  state.integers["best_epoch"] = best_epoch_;
  state.integers["waited"] = waited_;
  state.numbers["best_value"] = best_value_;
  return state;
}

void EarlyStopping::load_state(const nn::State& state) {
  state.check_version("early stopping", 1);
  best_epoch_ = state.integer("best_epoch");
  waited_ = state.integer("waited");
  best_value_ = state.number("best_value");
}

}  // namespace hanok::training
