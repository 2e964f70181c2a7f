// Schedules by steps, restarts, warm-up and combination, and the reduction on a plateau.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <numbers>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/schedule.h"

namespace hanok::nn {
namespace {

constexpr std::int64_t kStateVersion = 1;

void check_positive(const char* schedule, const char* what, std::int64_t value) {
  if (value < 1) {
    throw ValueError(fmt::format("{}: {} must be positive, got {}", schedule, what, value));
  }
}
void check_not_negative(const char* schedule, const char* what, double value) {
  if (!(value >= 0)) {
    throw ValueError(fmt::format("{}: {} must be 0 or more, got {}", schedule, what, value));
  }
}

// A schedule that is one formula.
template <typename Formula>
class FormulaSchedule final : public Schedule {
 public:
  explicit FormulaSchedule(Formula formula) : formula_(std::move(formula)) {}
  double factor(std::int64_t step) const override { return formula_(step); }

 private:
  Formula formula_;
};

template <typename Formula>
std::unique_ptr<Schedule> schedule_of(Formula formula) {
  return std::make_unique<FormulaSchedule<Formula>>(std::move(formula));
}

class Chained final : public Schedule {
 public:
  explicit Chained(std::vector<std::unique_ptr<Schedule>> schedules)
      : schedules_(std::move(schedules)) {}
  double factor(std::int64_t step) const override {
    double product = 1;
    for (const auto& schedule : schedules_) product *= schedule->factor(step);
    return product;
  }

 private:
  std::vector<std::unique_ptr<Schedule>> schedules_;
};

class Sequence final : public Schedule {
 public:
  Sequence(std::vector<std::unique_ptr<Schedule>> schedules, std::vector<std::int64_t> starts)
      : schedules_(std::move(schedules)), starts_(std::move(starts)) {}
  double factor(std::int64_t step) const override {
    const auto running = std::upper_bound(starts_.begin(), starts_.end(), step) - starts_.begin();
    const std::int64_t start = running == 0 ? 0 : starts_[static_cast<std::size_t>(running - 1)];
    return schedules_[static_cast<std::size_t>(running)]->factor(step - start);
  }

 private:
  std::vector<std::unique_ptr<Schedule>> schedules_;
  std::vector<std::int64_t> starts_;
};

}  // namespace

std::unique_ptr<Schedule> make_step(std::int64_t period, double gamma) {
  check_positive("make_step", "period", period);
  check_not_negative("make_step", "gamma", gamma);
  return schedule_of([=](std::int64_t step) {
    const std::int64_t periods = step / period;
    return std::pow(gamma, static_cast<double>(periods));
  });
}

std::unique_ptr<Schedule> make_multi_step(std::vector<std::int64_t> milestones, double gamma) {
  check_not_negative("make_multi_step", "gamma", gamma);
  if (!std::is_sorted(milestones.begin(), milestones.end())) {
    throw ValueError(fmt::format("make_multi_step: milestones must not fall, got {}",
                                 fmt::join(milestones, ",")));
  }
  return schedule_of([=](std::int64_t step) {
    const auto reached = std::upper_bound(milestones.begin(), milestones.end(), step);
    return std::pow(gamma, static_cast<double>(reached - milestones.begin()));
  });
}

std::unique_ptr<Schedule> make_exponential(double gamma) {
  check_not_negative("make_exponential", "gamma", gamma);
  return schedule_of([=](std::int64_t step) { return std::pow(gamma, static_cast<double>(step)); });
}

std::unique_ptr<Schedule> make_cosine_restarts(std::int64_t first_period, std::int64_t growth,
                                               double final_factor) {
  check_positive("make_cosine_restarts", "first_period", first_period);
  check_positive("make_cosine_restarts", "growth", growth);
  check_not_negative("make_cosine_restarts", "final_factor", final_factor);
  return schedule_of([=](std::int64_t step) {
    std::int64_t period = first_period, at = step;
    if (growth == 1) {
      at %= period;
    } else {
      while (at >= period) {
        at -= period;
        period *= growth;
      }
    }
    const double t = static_cast<double>(at) / static_cast<double>(period);
    return final_factor + (1 - final_factor) * (1 + std::cos(std::numbers::pi * t)) / 2;
  });
}

std::unique_ptr<Schedule> make_linear_warm_up(std::int64_t steps, double start_factor) {
  check_positive("make_linear_warm_up", "steps", steps);
  check_not_negative("make_linear_warm_up", "start_factor", start_factor);
  return schedule_of([=](std::int64_t step) {
    const double t = static_cast<double>(std::min(step, steps)) / static_cast<double>(steps);
    return start_factor + (1 - start_factor) * t;
  });
}

std::unique_ptr<Schedule> make_chained(std::vector<std::unique_ptr<Schedule>> schedules) {
  return std::make_unique<Chained>(std::move(schedules));
}

std::unique_ptr<Schedule> make_sequential(std::vector<std::unique_ptr<Schedule>> schedules,
                                          std::vector<std::int64_t> starts) {
  if (schedules.size() != starts.size() + 1) {
    throw ValueError(fmt::format("make_sequential: {} schedules need {} starts, got {}",
                                 schedules.size(), schedules.size() - 1, starts.size()));
  }
  std::int64_t last = 0;
  for (const std::int64_t start : starts) {
    if (start <= last) {
      throw ValueError(fmt::format("make_sequential: starts must rise from above 0, got {}",
                                   fmt::join(starts, ",")));
    }
    last = start;
  }
  return std::make_unique<Sequence>(std::move(schedules), std::move(starts));
}

// ---- reduction on a plateau ----

ReduceOnPlateau::ReduceOnPlateau(const Options& options)
    : options_(options),
      best_(options.smaller_is_better ? std::numeric_limits<double>::infinity()
                                      : -std::numeric_limits<double>::infinity()) {
  if (!(options.factor > 0 && options.factor < 1)) {
    throw ValueError(
        fmt::format("ReduceOnPlateau: factor must be in (0,1), got {}", options.factor));
  }
  check_not_negative("ReduceOnPlateau", "patience", static_cast<double>(options.patience));
  check_not_negative("ReduceOnPlateau", "cooldown", static_cast<double>(options.cooldown));
  check_not_negative("ReduceOnPlateau", "threshold", options.threshold);
  check_not_negative("ReduceOnPlateau", "minimum_factor", options.minimum_factor);
}

bool ReduceOnPlateau::observe(double figure) {
  const bool better = options_.smaller_is_better ? figure < best_ * (1 - options_.threshold)
                                                 : figure > best_ * (1 + options_.threshold);
  if (better) {
    best_ = figure;
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
