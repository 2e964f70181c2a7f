#include "hanok/nn/reduce_on_plateau.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

constexpr std::int64_t kStateVersion = 1;

void check_not_negative(const char* name, double value) {
  if (!(value >= 0)) {
    throw ValueError(fmt::format("ReduceOnPlateau: {} must be 0 or more, got {}", name, value));
  }
}

}  // namespace

ReduceOnPlateau::ReduceOnPlateau(const Options& options)
    : options_(options),
      best_(options.smaller_is_better ? std::numeric_limits<double>::infinity()
                                      : -std::numeric_limits<double>::infinity()) {
  if (!(options.factor > 0 && options.factor < 1)) {
    throw ValueError(
        fmt::format("ReduceOnPlateau: factor must be in (0,1), got {}", options.factor));
  }
  check_not_negative("patience", static_cast<double>(options.patience));
  check_not_negative("cooldown", static_cast<double>(options.cooldown));
  check_not_negative("threshold", options.threshold);
  check_not_negative("minimum_factor", options.minimum_factor);
}

bool ReduceOnPlateau::observe(double metric) {
  const bool better = options_.smaller_is_better ? metric < best_ * (1 - options_.threshold)
                                                 : metric > best_ * (1 + options_.threshold);
  if (better) {
    best_ = metric;
    bad_ = 0;
  } else {
    ++bad_;
  }
  if (cooling_ > 0) {
    --cooling_;
    bad_ = 0;
  }
  if (bad_ <= options_.patience) return false;
  bad_ = 0;
  cooling_ = options_.cooldown;
  const double reduced = std::max(factor_ * options_.factor, options_.minimum_factor);
  const bool changed = reduced < factor_;
  factor_ = std::min(factor_, reduced);
  return changed;
}

void ReduceOnPlateau::apply(Optimizer& optimizer) const {
  for (std::size_t g = 0; g < optimizer.group_count(); ++g) {
    optimizer.set_learning_rate(g, optimizer.base_learning_rate(g) * factor_);
  }
}

State ReduceOnPlateau::state() const {
  State state;
  state.integers["version"] = kStateVersion;
  state.integers["bad"] = bad_;
  state.integers["cooling"] = cooling_;
  state.numbers["factor"] = factor_;
  state.numbers["best"] = best_;
  return state;
}

void ReduceOnPlateau::load_state(const State& state) {
  state.check_version("ReduceOnPlateau", kStateVersion);
  const std::int64_t bad = state.integer("bad"), cooling = state.integer("cooling");
  const double factor = state.number("factor"), best = state.number("best");
  bad_ = bad;
  cooling_ = cooling;
  factor_ = factor;
  best_ = best;
}

}  // namespace hanok::nn
