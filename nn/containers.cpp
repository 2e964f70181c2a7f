#include "hanok/nn/containers.h"

#include <algorithm>
#include <fmt/format.h>
#include <typeinfo>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/activations.h"
#include "hanok/nn/layers.h"

namespace hanok::nn {
namespace {

using Slots = std::vector<std::unique_ptr<Child<Module>>>;

void append_slot(Module& owner, Slots& slots, std::unique_ptr<Module> module) {
  if (module == nullptr) {
    throw ValueError(fmt::format("{}: cannot append a null pointer", owner.type_name()));
  }
  slots.push_back(
      std::make_unique<Child<Module>>(&owner, std::to_string(slots.size()), std::move(module)));
}

Module& module_at(const Module& owner, const Slots& slots, std::size_t i) {
  if (i >= slots.size()) {
    throw ValueError(
        fmt::format("{}: module {} of {} does not exist", owner.type_name(), i, slots.size()));
  }
  if (!*slots[i]) throw_empty_slot(slots[i]->name());
  return **slots[i];
}

template <typename Container>
std::unique_ptr<Container> clone_container(const Container& container) {
  auto copy = std::make_unique<Container>();
  copy->train(container.is_training());  // before the children are added: they keep their own modes
  for (std::size_t i = 0; i < container.size(); ++i) copy->append(container[i].clone());
  return copy;
}

}  // namespace

// ---- Sequential ----

Sequential::Sequential(std::vector<std::unique_ptr<Module>> modules) {
  for (auto& module : modules) append(std::move(module));
}

void Sequential::append(std::unique_ptr<Module> module) {
  append_slot(*this, slots_, std::move(module));
}

Module& Sequential::operator[](std::size_t i) const { return module_at(*this, slots_, i); }

// Fuses the modules from i on if they are a convolution, a batch norm, optionally ReLU or ReLU6,
// and a max-pool after a ReLU.
Sequential::Group Sequential::group_at(std::size_t i) const {
  const auto is = [&](std::size_t at, const std::type_info& type) {
    const Module* module = at < size() ? slots_[at]->module() : nullptr;
    return module != nullptr && typeid(*module) == type;
  };
  if (!is(i, typeid(Conv2d)) || !is(i + 1, typeid(BatchNorm2d))) return {.begin = i};
  const bool hooked = i + 2 < size() && (*this)[i + 2].has_forward_hooks();
  if (!hooked && is(i + 2, typeid(ReLU))) {
    const bool pooled = is(i + 3, typeid(MaxPool2d));
    return {.begin = i, .count = pooled ? 4U : 3U, .activation = Activation::Relu};
  }
  if (!hooked && is(i + 2, typeid(ReLU6))) {
    return {.begin = i, .count = 3, .activation = Activation::Relu6};
  }
  return {.begin = i, .count = 2};
}

Tensor Sequential::run(const Group& group, const Tensor& x) const {
  const std::size_t i = group.begin;
  if (group.count == 1) return (*this)[i](x);
  auto& conv = static_cast<Conv2d&>((*this)[i]);
  auto& norm = static_cast<BatchNorm2d&>((*this)[i + 1]);
  if (group.count == 4) {
    return conv_bn_relu_max_pool(x, conv, norm, static_cast<MaxPool2d&>((*this)[i + 3]));
  }
  return conv_bn_act(x, conv, norm, {}, group.activation);
}

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (std::size_t i = 0; i < size();) {
    const Group group = group_at(i);
    y = run(group, y);
    i += group.count;
  }
  return y;
}

std::vector<std::function<Tensor(const Tensor&)>> Sequential::blocks() const {
  std::vector<std::function<Tensor(const Tensor&)>> blocks;
  for (std::size_t i = 0; i < size();) {
    const Group group = group_at(i);
    blocks.emplace_back([this, group](const Tensor& x) { return run(group, x); });
    i += group.count;
  }
  return blocks;
}

std::unique_ptr<Module> Sequential::clone() const {
  auto copy = clone_container(*this);
  copy->keep_ties_of(*this);
  return copy;
}

// ---- ModuleList ----

ModuleList::ModuleList(std::vector<std::unique_ptr<Module>> modules) {
  for (auto& module : modules) append(std::move(module));
}

void ModuleList::append(std::unique_ptr<Module> module) {
  append_slot(*this, slots_, std::move(module));
}

Module& ModuleList::operator[](std::size_t i) const { return module_at(*this, slots_, i); }

Tensor ModuleList::forward(const Tensor& /*x*/) {
  throw ValueError("ModuleList: has no forward(); call its modules one by one");
}

std::unique_ptr<Module> ModuleList::clone() const {
  auto copy = clone_container(*this);
  copy->keep_ties_of(*this);
  return copy;
}

}  // namespace hanok::nn
