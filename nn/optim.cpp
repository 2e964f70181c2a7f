#include "hanok/nn/optim.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <utility>

#include "hanok/engine/allocator.h"
#include "hanok/engine/counter.h"
#include "hanok/engine/recording.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

constexpr std::int64_t kStateVersion = 1;

bool takes_part(const Tensor& parameter) {
  return parameter.requires_grad() && parameter.grad().defined();
}

Tensor zeros_like(const Tensor& tensor) {
  return Tensor::zeros(tensor.shape(), {tensor.dtype(), tensor.device()});
}

}  // namespace

void Optimizer::check_not_negative(const char* name, double value) {
  if (!(value >= 0)) {
    throw ValueError(fmt::format("optimizer: {} must be 0 or more, got {}", name, value));
  }
}

void Optimizer::check_below_one(const char* name, double value) {
  if (!(value >= 0 && value < 1)) {
    throw ValueError(fmt::format("optimizer: {} must be in [0,1), got {}", name, value));
  }
}

Optimizer::Optimizer(std::vector<ParameterGroup> groups, double learning_rate, double weight_decay)
    : groups_(std::move(groups)) {
  check_not_negative("learning_rate", learning_rate);
  check_not_negative("weight_decay", weight_decay);
  std::map<const TensorImpl*, std::size_t> group_of;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    ParameterGroup& group = groups_[g];
    if (group.learning_rate < 0) group.learning_rate = learning_rate;
    if (group.weight_decay < 0) group.weight_decay = weight_decay;
    base_learning_rates_.push_back(group.learning_rate);
    moments_.emplace_back(group.parameters.size());
    for (const Tensor& parameter : group.parameters) {
      if (!parameter.defined()) throw ValueError("optimizer: undefined parameter");
      if (!parameter.is_leaf()) {
        throw ValueError(
            fmt::format("optimizer: a parameter of shape {} is the result of an op, which gets no "
                        "gradient (use "
                        "detach())",
                        parameter.shape().to_string()));
      }
      if (!group_of.emplace(parameter.id(), g).second) {
        throw ValueError(fmt::format("optimizer: a parameter of shape {} is given twice",
                                     parameter.shape().to_string()));
      }
    }
  }
  if (group_of.empty()) throw ValueError("optimizer: no parameters");
}

std::size_t Optimizer::checked_group(std::size_t index) const {
  if (index < groups_.size()) return index;
  throw ValueError(
      fmt::format("optimizer: there is no parameter group {}, only {}", index, groups_.size()));
}

void Optimizer::set_learning_rate(std::size_t group, double value) {
  check_not_negative("learning_rate", value);
  groups_[checked_group(group)].learning_rate = value;
}

void Optimizer::zero_grad() {
  for (ParameterGroup& group : groups_) {
    for (Tensor& parameter : group.parameters) parameter.zero_grad();
  }
}

void Optimizer::step() {
  prepare_step();
  write_rates();
  enqueue_step();
  count_step();
}

bool Optimizer::Sweep::chooses_as(const Sweep& other) const {
  return group == other.group && moments == other.moments &&
         parameters.front().device() == other.parameters.front().device();
}

std::vector<Optimizer::Sweep> Optimizer::choose_sweeps() {
  std::vector<Sweep> sweeps;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    std::map<std::int64_t, Sweep> by_step;
    for (std::size_t i = 0; i < groups_[g].parameters.size(); ++i) {
      const Tensor& parameter = groups_[g].parameters[i];
      if (!takes_part(parameter)) continue;
      Sweep& sweep = by_step[moments_[g][i].step];
      sweep.group = g;
      sweep.parameters.push_back(parameter);
      sweep.moments.push_back(&moments_[g][i]);
    }
    for (auto& [step, sweep] : by_step) sweeps.push_back(std::move(sweep));
  }
  return sweeps;
}

void Optimizer::prepare_step() {
  const MemoryTag tag("optimizer");
  std::vector<Sweep> sweeps = choose_sweeps();
  if (std::equal(sweeps.begin(), sweeps.end(), sweeps_.begin(), sweeps_.end(),
                 [](const Sweep& a, const Sweep& b) { return a.chooses_as(b); })) {
    return;
  }
  // Parameters are grouped by their step counts, of which the device may have skipped some.
  if (skip_.defined() && !sweeps_.empty()) {
    read_steps();
    sweeps = choose_sweeps();
  }
  if (Recording::under_way()) {
    throw ValueError(
        "optimizer: recording a step needs an unrecorded step of the same parameters before "
        "it, which allocates their moments");
  }
  for (Sweep& sweep : sweeps) {
    for (std::size_t i = 0; i < sweep.moments.size(); ++i) {
      allocate(*sweep.moments[i], sweep.parameters[i]);
    }
    const Device device = sweep.parameters.front().device();
    sweep.learning_rate = Tensor::empty({1}, {DType::F32, device});
    const auto steps = static_cast<double>(sweep.moments.front()->step);
    sweep.step = Tensor::full({1}, steps, {DType::I64, device});
  }
  sweeps_ = std::move(sweeps);
  ++choice_;
}

void Optimizer::allocate(Moments& moments, const Tensor& parameter) const {
  if (moment_count() > 0 && !moments.a.defined()) moments.a = zeros_like(parameter);
  if (moment_count() > 1 && !moments.b.defined()) moments.b = zeros_like(parameter);
}

void Optimizer::allocate_moments() {
  const MemoryTag tag("optimizer");
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (std::size_t i = 0; i < groups_[g].parameters.size(); ++i) {
      const Tensor& parameter = groups_[g].parameters[i];
      if (parameter.requires_grad()) allocate(moments_[g][i], parameter);
    }
  }
}

void Optimizer::read_steps() const {
  for (const Sweep& sweep : sweeps_) {
    const auto steps = static_cast<std::int64_t>(sweep.step.item());
    for (Moments* moments : sweep.moments) moments->step = steps;
  }
}

void Optimizer::set_skip(const Tensor& skip) {
  if (skip.shape() != Shape{1} || skip.dtype() != DType::F32) {
    throw ValueError("optimizer: skip must be one f32, got " + skip.to_string());
  }
  skip_ = skip;
}

void Optimizer::write_rates() {
  for (Sweep& sweep : sweeps_) {
    const double rate = groups_[sweep.group].learning_rate;
    if (rate == sweep.rate_written) continue;
    const Device device = sweep.learning_rate.device();
    run_on(device, Fill{sweep.learning_rate.mutable_view(), rate});
    sweep.rate_written = rate;
  }
}

void Optimizer::enqueue_step() {
  for (Sweep& sweep : sweeps_) {
    count_up(sweep.step, skip_);
    update(sweep.group, sweep.parameters, sweep.moments, sweep.learning_rate, sweep.step);
  }
}

void Optimizer::count_step() {
  for (Sweep& sweep : sweeps_) {
    for (Moments* moments : sweep.moments) ++moments->step;
  }
  ++steps_;
}

// Keys: "steps", "group.G.learning_rate", "group.G.base_learning_rate",
// "parameter.G.I.{step,a,b}" for parameters that were updated at least once.
State Optimizer::state() const {
  State state = shared_state();
  for (auto& [name, tensor] : state.tensors) tensor = tensor.clone();
  return state;
}

State Optimizer::shared_state() const {
  if (skip_.defined()) read_steps();
  State state;
  state.integers["version"] = kStateVersion;
  state.texts["type"] = type_name();
  state.integers["steps"] = steps_;
  state.integers["groups"] = static_cast<std::int64_t>(groups_.size());
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const std::string group = fmt::format("group.{}.", g);
    state.numbers[group + "learning_rate"] = groups_[g].learning_rate;
    state.numbers[group + "base_learning_rate"] = base_learning_rates_[g];
    state.integers[group + "parameters"] = static_cast<std::int64_t>(moments_[g].size());
    for (std::size_t i = 0; i < moments_[g].size(); ++i) {
      const Moments& moments = moments_[g][i];
      if (moments.step == 0) continue;
      const std::string parameter = fmt::format("parameter.{}.{}.", g, i);
      state.integers[parameter + "step"] = moments.step;
      if (moments.a.defined()) state.tensors[parameter + "a"] = moments.a;
      if (moments.b.defined()) state.tensors[parameter + "b"] = moments.b;
    }
  }
  return state;
}

void Optimizer::load_state(const State& state) { load_state(State(state)); }

// NOLINTNEXTLINE(cppcoreguidelines-rvalue-reference-param-not-moved): taken piece by piece
void Optimizer::load_state(State&& state) {
  state.check_version("optimizer", kStateVersion);
  if (state.text("type") != type_name()) {
    throw ValueError(
        fmt::format("optimizer: state is of {}, this is {}", state.text("type"), type_name()));
  }
  if (state.integer("groups") != static_cast<std::int64_t>(groups_.size())) {
    throw ValueError(fmt::format("optimizer: state has {} groups, this has {}",
                                 state.integer("groups"), groups_.size()));
  }
  // Everything is read and checked before anything changes, so that an error leaves the optimiser
  // unchanged.
  const auto moment = [&](const std::string& key, const Tensor& parameter) {
    const Tensor saved = state.tensor(key);
    state.tensors.erase(key);
    if (!(saved.shape() == parameter.shape())) {
      throw ShapeError(fmt::format("optimizer: state '{}' has shape {}, its parameter {}", key,
                                   saved.shape().to_string(), parameter.shape().to_string()));
    }
    const Tensor copy = saved.to(parameter.device());
    return copy.storage() == saved.storage() ? copy.clone() : copy;
  };
  std::vector<std::vector<Moments>> loaded;
  std::vector<double> rates, base_rates;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const std::string group = fmt::format("group.{}.", g);
    const std::size_t count = groups_[g].parameters.size();
    if (state.integer(group + "parameters") != static_cast<std::int64_t>(count)) {
      throw ValueError(fmt::format("optimizer: group {} of the state has {} parameters, here {}", g,
                                   state.integer(group + "parameters"), count));
    }
    rates.push_back(state.number(group + "learning_rate"));
    base_rates.push_back(state.number(group + "base_learning_rate"));
    loaded.emplace_back(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string key = fmt::format("parameter.{}.{}.", g, i);
      if (state.integers.count(key + "step") == 0) continue;
      Moments& moments = loaded[g][i];
      moments.step = state.integer(key + "step");
      if (moment_count() > 0) moments.a = moment(key + "a", groups_[g].parameters[i]);
      if (moment_count() > 1) moments.b = moment(key + "b", groups_[g].parameters[i]);
    }
  }
  steps_ = state.integer("steps");
  sweeps_.clear();
  moments_ = std::move(loaded);
  base_learning_rates_ = std::move(base_rates);
  for (std::size_t g = 0; g < groups_.size(); ++g) groups_[g].learning_rate = rates[g];
}

std::vector<OptimizerSlot> Optimizer::slots(const std::vector<Tensor>& parameters,
                                            const std::vector<Moments*>& moments) {
  std::vector<OptimizerSlot> result;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    Tensor parameter = parameters[i];
    OptimizerSlot slot;
    slot.parameter = parameter.mutable_view();
    slot.gradient = parameter.grad().view();
    if (moments[i]->a.defined()) slot.state_a = moments[i]->a.mutable_view();
    if (moments[i]->b.defined()) slot.state_b = moments[i]->b.mutable_view();
    result.push_back(slot);
  }
  return result;
}

}  // namespace hanok::nn
