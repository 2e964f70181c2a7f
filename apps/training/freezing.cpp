#include "hanok/apps/training/freezing.h"

#include <algorithm>
#include <fmt/format.h>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/layers.h"

namespace hanok::training {
namespace {

std::vector<FreezingPlan::Part> cut_into_parts(nn::Module& model, const std::string& head) {
  std::vector<FreezingPlan::Part> parts;
  const bool nested_head = head.find('.') != std::string::npos;
  for (const nn::ChildSlot* slot : model.children()) {
    nn::Module* child = slot->module();
    if (child == nullptr || child->parameters().empty()) continue;
    if (slot->name() == head) continue;
    const bool joins = dynamic_cast<const nn::BatchNorm*>(child) != nullptr && !parts.empty();
    if (joins) {
      parts.back().name += "+" + slot->name();
      parts.back().modules.push_back(slot->name());
    } else {
      parts.push_back({slot->name(), {slot->name()}, 0});
    }
  }
  parts.push_back({nested_head ? head + " (head)" : head, {head}, 0});
  std::reverse(parts.begin(), parts.end());
  return parts;
}

bool below(const std::string& parameter, const std::string& module) {
  return parameter == module || parameter.rfind(module + ".", 0) == 0;
}

}  // namespace

FreezingRules freezing_rules(const Options& options) {
  return {.mode = options.mode,
          .epochs = options.epochs,
          .freeze = options.freeze,
          .unfreeze_at = options.unfreeze_at};
}

FreezingPlan::FreezingPlan(nn::Module& model, const std::string& head, FreezingRules rules)
    : parts_(cut_into_parts(model, head)), head_(head), rules_(std::move(rules)) {
  const auto count = static_cast<std::int64_t>(parts_.size());
  for (std::int64_t i = 1; i < count; ++i) {
    Part& part = parts_[static_cast<std::size_t>(i)];
    switch (rules_.mode) {
      case FreezingMode::FeatureExtraction:
        part.first_epoch = -1;
        break;
      case FreezingMode::Gradual:
        part.first_epoch = i * rules_.epochs / count;
        break;
      case FreezingMode::Finetune:
        part.first_epoch = 0;
        break;
    }
  }
  apply(model, 0);
}

bool FreezingPlan::apply(nn::Module& model, std::int64_t epoch) const {
  model.unfreeze("*");
  for (const Part& part : parts_) {
    if (part.first_epoch >= 0 && part.first_epoch <= epoch) continue;
    for (const std::string& module : part.modules) model.freeze(module);
  }
  model.unfreeze(head_);  // also where the head lies inside a frozen part
  for (const EpochGlob& rule : rules_.unfreeze_at) {
    if (epoch + 1 < rule.epoch) {
      model.freeze(rule.glob);
    } else {
      model.unfreeze(rule.glob);
    }
  }
  for (const std::string& glob : rules_.freeze) model.freeze(glob);
  return std::any_of(parts_.begin(), parts_.end(),
                     [epoch](const Part& part) { return part.first_epoch == epoch; }) ||
         std::any_of(rules_.unfreeze_at.begin(), rules_.unfreeze_at.end(),
                     [epoch](const EpochGlob& rule) { return rule.epoch == epoch + 1; });
}

std::size_t FreezingPlan::part_of(const std::string& parameter) const {
  const auto found = std::find_if(parts_.begin(), parts_.end(), [&parameter](const Part& part) {
    return std::any_of(part.modules.begin(), part.modules.end(),
                       [&](const std::string& module) { return below(parameter, module); });
  });
  if (found == parts_.end()) {
    throw ValueError(
        fmt::format("freezing: \"{}\" does not belong to any part of the network", parameter));
  }
  return static_cast<std::size_t>(found - parts_.begin());
}

std::vector<nn::ParameterGroup> FreezingPlan::parameter_groups(nn::Module& model) const {
  std::vector<nn::ParameterGroup> groups;
  for (const Part& part : parts_) groups.push_back({part.name, {}, -1, -1});
  for (const nn::NamedTensor& parameter : model.named_parameters()) {
    groups[part_of(parameter.name)].parameters.push_back(parameter.tensor);
  }
  return groups;
}

std::string FreezingPlan::table(nn::Module& model) const {
  const std::vector<nn::ParameterGroup> groups = parameter_groups(model);
  std::string out =
      fmt::format("{:<16}{:>14}{:>14}  {}\n", "part", "parameters", "trainable", "learns");
  std::int64_t total = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::int64_t all = 0;
    std::int64_t trainable = 0;
    for (const Tensor& parameter : groups[i].parameters) {
      all += parameter.numel();
      if (parameter.requires_grad()) trainable += parameter.numel();
    }
    total += all;
    const std::int64_t first = parts_[i].first_epoch;
    std::string when = "from the start";
    if (first < 0 || (first == 0 && trainable == 0)) when = "never (frozen)";
    if (first == 0 && trainable > 0 && trainable < all) when = "in part (--freeze)";
    if (!rules_.unfreeze_at.empty() && trainable < all) when += "; see --unfreeze-at";
    if (first > 0) when = fmt::format("from epoch {}", first + 1);
    out += fmt::format("{:<16}{:>14}{:>14}  {}\n", groups[i].name, all, trainable, when);
  }
  out += fmt::format("{:<16}{:>14}{:>14}\n", "all", total, trainable_parameters(model));
  for (const EpochGlob& rule : rules_.unfreeze_at) {
    out += fmt::format("{} learns from epoch {}\n", rule.glob, rule.epoch);
  }
  return out;
}

std::int64_t trainable_parameters(nn::Module& model) {
  std::int64_t count = 0;
  for (const Tensor& parameter : model.parameters()) {
    if (parameter.requires_grad()) count += parameter.numel();
  }
  return count;
}

}  // namespace hanok::training
