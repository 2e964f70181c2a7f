// Learning-rate schedules: pure functions of the step, times each group's base rate.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "hanok/nn/optim.h"
#include "hanok/nn/state.h"

namespace hanok::nn {

class Schedule {
 public:
  virtual ~Schedule() = default;
  /// The factor on the base rate at `step` (0 is the first step).
  virtual double factor(std::int64_t step) const = 0;
  /// Sets every group's learning rate for `step`.
  void apply(Optimizer& optimizer, std::int64_t step) const;
};

std::unique_ptr<Schedule> make_constant();
/// From 1 to `final_factor` along half a cosine over `total_steps`.
std::unique_ptr<Schedule> make_cosine(std::int64_t total_steps, double final_factor = 0);
/// Smith and Topin 2018, as PyTorch's OneCycleLR (cosine annealing): base rate is the maximum;
/// starts at 1/div_factor of it, rises over warm_fraction of the steps, falls to
/// 1/(div_factor*final_div_factor).
std::unique_ptr<Schedule> make_one_cycle(std::int64_t total_steps, double warm_fraction = 0.3,
                                         double div_factor = 25, double final_div_factor = 1e4);

/// gamma^floor(step / period): StepLR.
std::unique_ptr<Schedule> make_step(std::int64_t period, double gamma = 0.1);
/// gamma to the number of milestones reached: MultiStepLR. Milestones must not fall.
std::unique_ptr<Schedule> make_multi_step(std::vector<std::int64_t> milestones, double gamma = 0.1);
/// gamma^step: ExponentialLR.
std::unique_ptr<Schedule> make_exponential(double gamma);
/// Cosine from 1 to `final_factor` over `first_period` steps, then again over periods that grow by
/// `growth` each time (Loshchilov and Hutter 2016): CosineAnnealingWarmRestarts.
std::unique_ptr<Schedule> make_cosine_restarts(std::int64_t first_period, std::int64_t growth = 1,
                                               double final_factor = 0);
/// From `start_factor` to 1 in a straight line over `steps`, then 1: LinearLR.
std::unique_ptr<Schedule> make_linear_warm_up(std::int64_t steps, double start_factor = 1.0 / 3);
/// The product of all factors: ChainedScheduler.
std::unique_ptr<Schedule> make_chained(std::vector<std::unique_ptr<Schedule>> schedules);
/// One schedule after the other, each counting from its own start: SequentialLR. The first starts
/// at step 0, the others at `starts`, which must rise.
std::unique_ptr<Schedule> make_sequential(std::vector<std::unique_ptr<Schedule>> schedules,
                                          std::vector<std::int64_t> starts);

/// Lowers the rate when a figure stops improving: PyTorch's ReduceLROnPlateau. Not a Schedule: it
/// depends on what it saw, so it has state.
class ReduceOnPlateau {
 public:
  struct Options {
    bool smaller_is_better = true;  // a loss; false: a score
    double factor = 0.1;            // in (0,1): what each reduction multiplies
    std::int64_t patience = 10;     // observations without improvement that are borne
    double threshold = 1e-4;        // relative improvement that counts
    std::int64_t cooldown = 0;      // observations after a reduction that count nothing
    double minimum_factor = 0;      // the factor never falls below this
  };
  explicit ReduceOnPlateau(const Options& options);
  /// After each epoch. Returns true if this reduced the factor.
  bool observe(double figure);
  /// The factor on the base rates, to be multiplied into a schedule's.
  double factor() const { return factor_; }
  void apply(Optimizer& optimizer) const;

  State state() const;
  void load_state(const State& state);

 private:
  Options options_;
  double factor_ = 1;
  double best_;
  std::int64_t bad_ = 0;
  std::int64_t cooling_ = 0;
};

}  // namespace hanok::nn
