// How weights are updated: optimiser, its parameter groups with their learning rates, schedule.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/apps/options/options.h"
#include "hanok/apps/training/freezing.h"
#include "hanok/nn/module.h"
#include "hanok/nn/optim.h"
#include "hanok/nn/schedule.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Optimiser groups: one a child of the network, head first (FreezingPlan::groups), where --head-lr
/// and
/// --lr-group do not say otherwise; what they name gets groups of its own with that rate. The last
/// --lr-group that matches a parameter counts. Throws ValueError with near names for a glob that
/// matches nothing.
std::vector<nn::ParameterGroup> parameter_groups(const Options& options, nn::Module& model,
                                                 const FreezingPlan& freezing);
/// Groups whose rate is not --lr, one line each: printable; empty without any.
std::string rates_table(const std::vector<nn::ParameterGroup>& groups);

std::unique_ptr<nn::Optimizer> make_optimizer(const Options& options,
                                              std::vector<nn::ParameterGroup> groups);
/// The course of the rate over `total_steps`, the first --warmup of which rise in a straight line.
std::unique_ptr<nn::Schedule> make_schedule(const Options& options, std::int64_t total_steps);

}  // namespace hanok::training
#pragma GCC visibility pop
