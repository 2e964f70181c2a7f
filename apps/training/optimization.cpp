#include "hanok/apps/training/optimization.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/state_dict.h"

namespace hanok::training {
namespace {

/// True if the glob matches a parameter's name or any module above it, as Module::freeze takes it.
bool glob_matches_path(const std::string& glob, const std::string& parameter) {
  for (std::size_t end = parameter.size(); end != std::string::npos && end > 0;
       end = parameter.rfind('.', end - 1)) {
    if (nn::glob_matches(glob, parameter.substr(0, end))) return true;
  }
  return false;
}

/// The rates that --head-lr and --lr-group give, by parameter.
std::map<std::string, double> own_rates(const Options& options,
                                        const std::vector<nn::NamedTensor>& parameters,
                                        const std::string& head) {
  std::map<std::string, double> rates;
  const auto give = [&](const std::string& glob, double rate) {
    bool any = false;
    std::vector<std::string> names;
    for (const nn::NamedTensor& parameter : parameters) {
      names.push_back(parameter.name);
      if (!glob_matches_path(glob, parameter.name)) continue;
      rates[parameter.name] = rate;
      any = true;
    }
    if (!any) {
      throw ValueError(fmt::format("\"{}\" matches no parameter; near names: {}", glob,
                                   fmt::join(nn::near_names(glob, names), ", ")));
    }
  };
  if (options.head_lr > 0) give(head, options.head_lr);
  for (const GlobRate& pair : options.lr_group) give(pair.glob, pair.rate);
  return rates;
}

}  // namespace

std::vector<nn::ParameterGroup> parameter_groups(const Options& options, nn::Module& model,
                                                 const FreezingPlan& freezing) {
  const std::vector<nn::NamedTensor> parameters = model.named_parameters();
  const std::map<std::string, double> rates = own_rates(options, parameters, freezing.head());
  if (rates.empty()) return freezing.parameter_groups(model);
  // By group, then by rate; a negative rate means --lr and comes first.
  std::map<std::pair<std::size_t, double>, nn::ParameterGroup> groups;
  for (const nn::NamedTensor& parameter : parameters) {
    const std::size_t place = freezing.group_of(parameter.name);
    const auto own = rates.find(parameter.name);
    const double rate = own == rates.end() ? -1 : own->second;
    nn::ParameterGroup& group = groups[{place, rate}];
    group.name = freezing.groups()[place].name;
    group.learning_rate = rate;
    group.parameters.push_back(parameter.tensor);
  }
  std::vector<nn::ParameterGroup> ordered;
  for (auto& [key, group] : groups) ordered.push_back(std::move(group));
  return ordered;
}

std::string rates_table(const std::vector<nn::ParameterGroup>& groups) {
  std::string out;
  for (const nn::ParameterGroup& group : groups) {
    if (group.learning_rate < 0) continue;
    std::int64_t count = 0;
    for (const Tensor& parameter : group.parameters) count += parameter.numel();
    out += fmt::format("learning rate {} for {} parameters of {}\n", group.learning_rate, count,
                       group.name);
  }
  return out;
}

std::unique_ptr<nn::Optimizer> make_optimizer(const Options& options,
                                              std::vector<nn::ParameterGroup> groups) {
  nn::AdamOptions adam;
  adam.learning_rate = options.lr;
  adam.weight_decay = options.weight_decay;
  switch (options.optimizer) {
    case OptimizerKind::AdamW:
      return nn::make_adamw(std::move(groups), adam);
    case OptimizerKind::Adam:
      return nn::make_adam(std::move(groups), adam);
    case OptimizerKind::Sgd: {
      nn::SgdOptions sgd;
      sgd.learning_rate = options.lr;
      sgd.momentum = 0.9;
      sgd.nesterov = true;
      sgd.weight_decay = options.weight_decay;
      return nn::make_sgd(std::move(groups), sgd);
    }
    case OptimizerKind::RmsProp:
      break;
  }
  nn::RmsPropOptions rmsprop;
  rmsprop.learning_rate = options.lr;
  rmsprop.weight_decay = options.weight_decay;
  return nn::make_rmsprop(std::move(groups), rmsprop);
}

std::unique_ptr<nn::Schedule> make_schedule(const Options& options, std::int64_t total_steps) {
  const std::int64_t warm_up = std::min(options.warmup, total_steps - 1);
  const std::int64_t rest = total_steps - std::max<std::int64_t>(0, warm_up);
  std::unique_ptr<nn::Schedule> course;
  switch (options.scheduler) {
    case ScheduleKind::OneCycle:
      course = nn::make_one_cycle(rest);
      break;
    case ScheduleKind::Cosine:
      course = nn::make_cosine(rest);
      break;
    case ScheduleKind::Constant:
      course = nn::make_constant();
      break;
  }
  if (warm_up <= 0) return course;
  std::vector<std::unique_ptr<nn::Schedule>> both;
  both.push_back(nn::make_linear_warm_up(warm_up, 1.0 / static_cast<double>(warm_up + 1)));
  both.push_back(std::move(course));
  return nn::make_sequential(std::move(both), {warm_up});
}

}  // namespace hanok::training
