#include "hanok/apps/training/freezing.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/containers.h"
#include "hanok/nn/layers.h"
#include "hanok/nn/norms.h"

namespace hanok::training {
namespace {

using Part = FreezingPlan::Part;
using Group = FreezingPlan::Group;

template <typename Base>
bool is_a(const nn::Module& module) {
  return dynamic_cast<const Base*>(&module) != nullptr;
}

bool is_norm(const nn::Module& module) {
  return is_a<nn::BatchNorm>(module) || is_a<nn::LayerNorm>(module) ||
         is_a<nn::LayerNorm2d>(module) || is_a<nn::GroupNorm>(module);
}

bool is_pooling(const nn::Module& module) {
  return is_a<nn::MaxPool2d>(module) || is_a<nn::AvgPool2d>(module);
}

bool below(const std::string& parameter, const std::string& module) {
  return parameter == module || parameter.rfind(module + ".", 0) == 0;
}

/// Children with parameters, in order; where the head is one of them, without it.
std::vector<const nn::ChildSlot*> body_of(const nn::Module& model, const std::string& head) {
  std::vector<const nn::ChildSlot*> body;
  for (const nn::ChildSlot* slot : model.children()) {
    nn::Module* child = slot->module();
    if (child == nullptr || child->parameters().empty() || slot->name() == head) continue;
    body.push_back(slot);
  }
  return body;
}

std::vector<Group> make_groups(const nn::Module& model, const std::string& head) {
  std::vector<Group> groups;
  for (const nn::ChildSlot* slot : body_of(model, head)) {
    if (is_a<nn::BatchNorm>(*slot->module()) && !groups.empty()) {
      groups.back().name += "+" + slot->name();
      groups.back().modules.push_back(slot->name());
    } else {
      groups.push_back({slot->name(), {slot->name()}});
    }
  }
  const bool nested_head = head.find('.') != std::string::npos;
  groups.push_back({nested_head ? head + " (head)" : head, {head}});
  std::reverse(groups.begin(), groups.end());
  return groups;
}

/// Cuts a network, from the stem to the head.
class Cutter {
 public:
  Cutter(const nn::Module& model, std::string head) : head_(std::move(head)) {
    const std::vector<const nn::ChildSlot*> body = body_of(model, head_);
    const auto holds_head = [this](const nn::ChildSlot* slot) {
      return below(head_, slot->name());
    };
    const bool one_body = body.size() - std::count_if(body.begin(), body.end(), holds_head) == 1;
    for (const nn::ChildSlot* slot : body) {
      nn::Module& child = *slot->module();
      if (is_a<nn::Sequential>(child) && (one_body || holds_head(slot))) {
        cut_chain(slot->name(), child);
      } else {
        add_block(slot->name(), child);
      }
    }
    parts_.push_back({.name = head_, .modules = {head_}});
  }

  std::vector<Part> parts() && { return std::move(parts_); }

 private:
  void add_block(const std::string& path, const nn::Module& module) {
    if (is_norm(module) && !parts_.empty()) {
      join_last(path);
    } else {
      parts_.push_back({.name = path, .modules = {path}});
    }
  }

  /// "conv1+bn1", and in a chain "features.0-4".
  void join_last(const std::string& path) {
    Part& last = parts_.back();
    const std::string& first = last.modules.front();
    const std::size_t dot = path.rfind('.');
    const bool in_chain =
        dot != std::string::npos && first.compare(0, dot + 1, path, 0, dot + 1) == 0;
    last.name = in_chain ? first + "-" + path.substr(dot + 1) : last.name + "+" + path;
    last.modules.push_back(path);
  }

  void cut_chain(const std::string& chain, const nn::Module& module) {
    const std::vector<nn::ChildSlot*> elements = module.children();
    const bool by_pooling =
        std::any_of(elements.begin(), elements.end(),
                    [](const nn::ChildSlot* slot) { return is_pooling(*slot->module()); });
    bool in_block = false;
    for (const nn::ChildSlot* slot : elements) {
      nn::Module& element = *slot->module();
      const std::string path = chain + "." + slot->name();
      if (is_pooling(element)) in_block = false;
      if (path == head_ || element.parameters().empty()) continue;
      if (by_pooling && in_block) {
        join_last(path);
      } else {
        add_block(path, element);
      }
      in_block = true;
    }
  }

  std::string head_;
  std::vector<Part> parts_;
};

std::vector<Part> cut_into_parts(const nn::Module& model, const std::string& head) {
  std::vector<Part> parts = Cutter(model, head).parts();
  std::reverse(parts.begin(), parts.end());
  return parts;
}

/// The number of the first of `pieces` with a module that holds the parameter.
template <typename Piece>
std::size_t piece_of(const std::vector<Piece>& pieces, const std::string& parameter) {
  const auto found = std::find_if(pieces.begin(), pieces.end(), [&](const Piece& piece) {
    return std::any_of(piece.modules.begin(), piece.modules.end(),
                       [&](const std::string& module) { return below(parameter, module); });
  });
  if (found == pieces.end()) {
    throw ValueError(
        fmt::format("freezing: \"{}\" does not belong to any part of the network", parameter));
  }
  return static_cast<std::size_t>(found - pieces.begin());
}

}  // namespace

FreezingRules freezing_rules(const Options& options) {
  return {.mode = options.mode,
          .epochs = options.epochs,
          .freeze = options.freeze,
          .unfreeze_at = options.unfreeze_at};
}

FreezingPlan::FreezingPlan(nn::Module& model, const std::string& head, FreezingRules rules)
    : parts_(cut_into_parts(model, head)),
      groups_(make_groups(model, head)),
      head_(head),
      rules_(std::move(rules)) {
  const auto count = static_cast<std::int64_t>(parts_.size());
  for (std::int64_t i = 1; i < count; ++i) {
    Part& part = parts_[static_cast<std::size_t>(i)];
    switch (rules_.mode) {
      case FreezingMode::FeatureExtraction:
        part.first_epoch = -1;
        break;
      case FreezingMode::Gradual:
        // The head has the first epoch for itself, also where there are more parts than epochs.
        part.first_epoch = rules_.epochs >= count
                               ? i * rules_.epochs / count
                               : (i * (rules_.epochs - 1) + count - 2) / (count - 1);
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
  return piece_of(parts_, parameter);
}

std::size_t FreezingPlan::group_of(const std::string& parameter) const {
  return piece_of(groups_, parameter);
}

std::vector<nn::ParameterGroup> FreezingPlan::parameter_groups(nn::Module& model) const {
  std::vector<nn::ParameterGroup> groups;
  for (const Group& group : groups_) groups.push_back({group.name, {}, -1, -1});
  for (const nn::NamedTensor& parameter : model.named_parameters()) {
    groups[group_of(parameter.name)].parameters.push_back(parameter.tensor);
  }
  return groups;
}

std::string FreezingPlan::table(nn::Module& model) const {
  struct Row {
    std::int64_t all = 0, trainable = 0;
  };
  std::vector<Row> rows(parts_.size());
  Row total;
  for (const nn::NamedTensor& parameter : model.named_parameters()) {
    for (Row* row : {&rows[part_of(parameter.name)], &total}) {
      row->all += parameter.tensor.numel();
      if (parameter.tensor.requires_grad()) row->trainable += parameter.tensor.numel();
    }
  }
  std::size_t width = 16;
  for (const Part& part : parts_) width = std::max(width, part.name.size() + 2);
  std::string out =
      fmt::format("{:<{}}{:>14}{:>14}  {}\n", "part", width, "parameters", "trainable", "learns");
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const auto [all, trainable] = rows[i];
    const std::int64_t first = parts_[i].first_epoch;
    std::string when = "from the start";
    if (first < 0 || (first == 0 && trainable == 0)) when = "never (frozen)";
    if (first == 0 && trainable > 0 && trainable < all) when = "in part (--freeze)";
    if (!rules_.unfreeze_at.empty() && trainable < all) when += "; see --unfreeze-at";
    if (first > 0) when = fmt::format("from epoch {}", first + 1);
    out += fmt::format("{:<{}}{:>14}{:>14}  {}\n", parts_[i].name, width, all, trainable, when);
  }
  out += fmt::format("{:<{}}{:>14}{:>14}\n", "all", width, total.all, total.trainable);
  for (const EpochGlob& rule : rules_.unfreeze_at) {
    out += fmt::format("{} learns from epoch {}\n", rule.glob, rule.epoch);
  }
  return out;
}

std::string stages_table(nn::Module& model, const std::string& head) {
  const std::vector<Part> parts = cut_into_parts(model, head);
  std::vector<std::int64_t> counts(parts.size());
  for (const nn::NamedTensor& parameter : model.named_parameters()) {
    counts[piece_of(parts, parameter.name)] += parameter.tensor.numel();
  }
  std::size_t width = 16;
  for (const Part& part : parts) width = std::max(width, part.name.size() + 2);
  std::string out = fmt::format("{:>5}  {:<{}}{:>14}\n", "stage", "part", width, "parameters");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    out += fmt::format("{:>5}  {:<{}}{:>14}\n", i + 1, parts[i].name, width, counts[i]);
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
