// The parts of a training that options choose: network, optimiser groups, schedule, loader, order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/apps/options/options.h"
#include "hanok/apps/training/freezing.h"
#include "hanok/data/loader.h"
#include "hanok/nn/module.h"
#include "hanok/nn/optim.h"
#include "hanok/nn/schedule.h"

namespace hanok::training {

/// The network `model` with `hidden` layers (units each, ReLU behind them) in front of its head:
/// the head then is a sequence of Linear, ReLU, ..., Linear under the head's name. Throws
/// ValueError as nn::make_model.
std::unique_ptr<nn::Module> make_network(const std::string& model, std::int64_t classes,
                                         std::int64_t image_size,
                                         const std::vector<std::int64_t>& hidden);

/// Optimiser groups: one a part of the network, head first (FreezingPlan), where --head-lr and
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

/// The file of --weights to start from; empty for random weights. Throws where ImageNet's are not
/// on this machine.
std::string start_weights(const Options& options);

/// How images become input: what the checkpoint carries.
data::Preprocessing preprocessing(const Options& options);
data::LoaderOptions loader_options(const Options& options, bool training, bool drop_last);
/// What --cache-images means for a loader that reads `images` of the `all` images of a fold: its
/// share of the memory (at most a quarter of what tensors have left, all loaders together).
data::ImageCacheOptions image_cache(const Options& options, std::int64_t images, std::int64_t all,
                                    const std::string& spill_folder);

/// The order in which --sampler visits `samples` in `epoch`: indices into the data set.
std::vector<std::int64_t> training_order(const Options& options, const data::Dataset& dataset,
                                         const std::vector<std::int64_t>& samples,
                                         std::int64_t epoch);

}  // namespace hanok::training
