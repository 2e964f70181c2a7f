#include "hanok/nn/schedule.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numbers>

#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

void check_positive(const char* schedule, const char* name, std::int64_t value) {
  if (value < 1) {
    throw ValueError(fmt::format("{}: {} must be positive, got {}", schedule, name, value));
  }
}

void check_not_negative(const char* schedule, const char* name, double value) {
  if (!(value >= 0)) {
    throw ValueError(fmt::format("{}: {} must be 0 or more, got {}", schedule, name, value));
  }
}

/// A schedule given by one formula.
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

/// Half a cosine from `start` (at t=0) to `end` (at t=1).
double cosine_between(double start, double end, double t) {
  return end + (start - end) * (1 + std::cos(std::numbers::pi * t)) / 2;
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

void Schedule::apply(Optimizer& optimizer, std::int64_t step) const {
  const double now = factor(step);
  for (std::size_t g = 0; g < optimizer.group_count(); ++g) {
    optimizer.set_learning_rate(g, optimizer.base_learning_rate(g) * now);
  }
}

std::unique_ptr<Schedule> make_constant() {
  return schedule_of([](std::int64_t) { return 1.0; });
}

std::unique_ptr<Schedule> make_cosine(std::int64_t total_steps, double final_factor) {
  check_positive("make_cosine", "total_steps", total_steps);
  check_not_negative("make_cosine", "final_factor", final_factor);
  return schedule_of([=](std::int64_t step) {
    return cosine_between(1, final_factor,
                          static_cast<double>(step) / static_cast<double>(total_steps));
  });
}

std::unique_ptr<Schedule> make_one_cycle(std::int64_t total_steps, double warm_fraction,
                                         double div_factor, double final_div_factor) {
  check_positive("make_one_cycle", "total_steps", total_steps);
  if (!(warm_fraction >= 0 && warm_fraction <= 1) || !(div_factor > 0) || !(final_div_factor > 0)) {
    throw ValueError(
        fmt::format("make_one_cycle: warm_fraction must be in [0,1] and the divisors positive, "
                    "got {}, {} and {}",
                    warm_fraction, div_factor, final_div_factor));
  }
  // The step of the peak, in general not an integer, and the last step.
  const double warm_end = warm_fraction * static_cast<double>(total_steps) - 1;
  const double end = static_cast<double>(total_steps) - 1;
  const double initial_factor = 1 / div_factor;
  const double final_factor = initial_factor / final_div_factor;
  return schedule_of([=](std::int64_t step) {
    if (step < 0 || step > total_steps) {
      throw ValueError(
          fmt::format("one_cycle: step {} is outside its {} steps", step, total_steps));
    }
    const auto at = static_cast<double>(step);
    // With one step or a (nearly) empty warm-up a phase has no length and counts as finished.
    if (at <= warm_end) return cosine_between(initial_factor, 1, warm_end > 0 ? at / warm_end : 1);
    return cosine_between(1, final_factor, end > warm_end ? (at - warm_end) / (end - warm_end) : 1);
  });
}

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
    throw ValueError(fmt::format("make_multi_step: milestones must be in ascending order, got {}",
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
    return cosine_between(1, final_factor, static_cast<double>(at) / static_cast<double>(period));
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
      throw ValueError(
          fmt::format("make_sequential: starts must be above 0 and in ascending order, got {}",
                      fmt::join(starts, ",")));
    }
    last = start;
  }
  return std::make_unique<Sequence>(std::move(schedules), std::move(starts));
}

}  // namespace hanok::nn
