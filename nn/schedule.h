// Learning-rate schedules: pure functions of the step, times each group's base rate.
#pragma once

#include <cstdint>
#include <memory>

#include "nn/optim.h"

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

}  // namespace hanok::nn
