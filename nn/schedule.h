// Learning-rate schedules: pure functions of the step that multiply each group's base rate.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hanok/nn/optim.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

class Schedule {
 public:
  virtual ~Schedule() = default;
  /// The factor on the base rate at `step`, counted from 0.
  virtual double factor(std::int64_t step) const = 0;
  /// Sets every group's learning rate for `step`.
  void apply(Optimizer& optimizer, std::int64_t step) const;
};

/// Always 1.
std::unique_ptr<Schedule> make_constant();
/// Half a cosine from 1 to `final_factor` over `total_steps`. All functions here throw ValueError
/// for arguments out of range.
std::unique_ptr<Schedule> make_cosine(std::int64_t total_steps, double final_factor = 0);
/// One cycle (Smith and Topin 2018), as PyTorch's OneCycleLR with cosine annealing; the base rate
/// is the maximum. Starts at 1/div_factor of it, rises over warm_fraction of the steps and falls to
/// 1/(div_factor*final_div_factor). Unlike PyTorch's, it leaves the momentum alone.
std::unique_ptr<Schedule> make_one_cycle(std::int64_t total_steps, double warm_fraction = 0.3,
                                         double div_factor = 25, double final_div_factor = 1e4);

/// gamma^floor(step / period): StepLR.
std::unique_ptr<Schedule> make_step(std::int64_t period, double gamma = 0.1);
/// gamma^(milestones reached): MultiStepLR. Milestones must be in ascending order.
std::unique_ptr<Schedule> make_multi_step(std::vector<std::int64_t> milestones, double gamma = 0.1);
/// gamma^step: ExponentialLR.
std::unique_ptr<Schedule> make_exponential(double gamma);
/// Cosine from 1 to `final_factor` over `first_period` steps, repeated over periods that grow by
/// the factor `growth` (Loshchilov and Hutter 2016): CosineAnnealingWarmRestarts.
std::unique_ptr<Schedule> make_cosine_restarts(std::int64_t first_period, std::int64_t growth = 1,
                                               double final_factor = 0);
/// Linear from `start_factor` to 1 over `steps`, then 1: LinearLR.
std::unique_ptr<Schedule> make_linear_warm_up(std::int64_t steps, double start_factor = 1.0 / 3);
/// The product of all schedules' factors: ChainedScheduler.
std::unique_ptr<Schedule> make_chained(std::vector<std::unique_ptr<Schedule>> schedules);
/// Schedules in sequence, each counting from its own start: SequentialLR. The first starts at step
/// 0, the others at `starts`, in ascending order.
std::unique_ptr<Schedule> make_sequential(std::vector<std::unique_ptr<Schedule>> schedules,
                                          std::vector<std::int64_t> starts);

}  // namespace hanok::nn
#pragma GCC visibility pop
