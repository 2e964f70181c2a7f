#include "hanok/nn/schedule.h"

#include <cmath>
#include <fmt/format.h>
#include <numbers>

#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

// Half a cosine from `start` (at t=0) to `end` (at t=1).
double cosine_between(double start, double end, double t) {
  return end + (start - end) * (1 + std::cos(std::numbers::pi * t)) / 2;
}

class Constant final : public Schedule {
 public:
  double factor(std::int64_t) const override { return 1; }
};

class Cosine final : public Schedule {
 public:
  Cosine(std::int64_t total_steps, double final_factor)
      : total_steps_(total_steps), final_factor_(final_factor) {
    if (total_steps < 1) {
      throw ValueError(
          fmt::format("make_cosine: total_steps must be positive, got {}", total_steps));
    }
    if (!(final_factor >= 0)) {
      throw ValueError(
          fmt::format("make_cosine: final_factor must be 0 or more, got {}", final_factor));
    }
  }
  double factor(std::int64_t step) const override {
    return cosine_between(1, final_factor_,
                          static_cast<double>(step) / static_cast<double>(total_steps_));
  }

 private:
  std::int64_t total_steps_;
  double final_factor_;
};

class OneCycle final : public Schedule {
 public:
  OneCycle(std::int64_t total_steps, double warm_fraction, double div_factor,
           double final_div_factor)
      : total_steps_(total_steps),
        warm_end_(warm_fraction * static_cast<double>(total_steps) - 1),
        initial_(1 / div_factor),
        final_(initial_ / final_div_factor) {
    if (total_steps < 1) {
      throw ValueError(
          fmt::format("make_one_cycle: total_steps must be positive, got {}", total_steps));
    }
    if (!(warm_fraction >= 0 && warm_fraction <= 1) || !(div_factor > 0) ||
        !(final_div_factor > 0)) {
      throw ValueError(
          fmt::format("make_one_cycle: warm_fraction must be in [0,1] and the divisors positive, "
                      "got {}, {} and {}",
                      warm_fraction, div_factor, final_div_factor));
    }
  }
  double factor(std::int64_t step) const override {
    if (step < 0 || step > total_steps_) {
      throw ValueError(
          fmt::format("one_cycle: step {} is outside its {} steps", step, total_steps_));
    }
    const auto at = static_cast<double>(step);
    const double end = static_cast<double>(total_steps_) - 1;
    // With one step or a warm-up of (nearly) nothing a phase has no length: it counts as over.
    if (at <= warm_end_) return cosine_between(initial_, 1, warm_end_ > 0 ? at / warm_end_ : 1);
    return cosine_between(1, final_, end > warm_end_ ? (at - warm_end_) / (end - warm_end_) : 1);
  }

 private:
  std::int64_t total_steps_;
  double warm_end_;  // the step of the peak; not whole in general
  double initial_, final_;
};

}  // namespace

void Schedule::apply(Optimizer& optimizer, std::int64_t step) const {
  const double now = factor(step);
  for (std::size_t g = 0; g < optimizer.group_count(); ++g) {
    optimizer.set_learning_rate(g, optimizer.base_learning_rate(g) * now);
  }
}

std::unique_ptr<Schedule> make_constant() { return std::make_unique<Constant>(); }

std::unique_ptr<Schedule> make_cosine(std::int64_t total_steps, double final_factor) {
  return std::make_unique<Cosine>(total_steps, final_factor);
}

std::unique_ptr<Schedule> make_one_cycle(std::int64_t total_steps, double warm_fraction,
                                         double div_factor, double final_div_factor) {
  return std::make_unique<OneCycle>(total_steps, warm_fraction, div_factor, final_div_factor);
}

}  // namespace hanok::nn
