#include "nn/ema.h"

#include <fmt/format.h>

#include "engine/autograd.h"
#include "engine/ops.h"
#include "kernels/base/error.h"

namespace hanok::nn {
namespace {

constexpr std::int64_t kStateVersion = 1;

}  // namespace

StateDict Ema::values() const { return module_.state_dict(); }

Ema::Ema(Module& module, double decay) : module_(module), decay_(decay) {
  if (!(decay >= 0 && decay < 1)) {
    throw ValueError(fmt::format("Ema: decay must be in [0,1), got {}", decay));
  }
  for (const auto& [name, value] : values()) averages_.insert(name, value.clone());
}

void Ema::update() {
  if (swapped_) throw ValueError("Ema: update() while the module holds the averages");
  const NoGrad no_grad;
  const auto keep = static_cast<float>(decay_);
  const auto take = static_cast<float>(1 - decay_);
  for (const auto& [name, value] : values()) {
    Tensor average = averages_.at(name);
    average.copy_from(value.dtype() == DType::F32
                          ? ops::add(ops::affine(average, keep, 0), ops::affine(value, take, 0))
                          : value);
  }
}

void Ema::swap() {
  for (const auto& [name, value] : values()) {
    Tensor mine = averages_.at(name), theirs = value;
    const Tensor kept = mine.clone();
    mine.copy_from(theirs);
    theirs.copy_from(kept);
  }
  swapped_ = !swapped_;
}

State Ema::state() const {
  if (swapped_) throw ValueError("Ema: state() while the module holds the averages");
  State state;
  state.integers["version"] = kStateVersion;
  for (const auto& [name, average] : averages_) state.tensors["average." + name] = average.clone();
  return state;
}

void Ema::load_state(const State& state) {
  if (swapped_) throw ValueError("Ema: load_state() while the module holds the averages");
  state.check_version("Ema", kStateVersion);
  for (const auto& [name, average] : averages_) {
    const Tensor& saved = state.tensor("average." + name);
    if (!(saved.shape() == average.shape()) || saved.dtype() != average.dtype()) {
      throw ShapeError(fmt::format("Ema: state has '{}' as {}, expected {}", name,
                                   saved.to_string(), average.to_string()));
    }
  }
  for (const auto& [name, average] : averages_) {
    Tensor target = average;
    target.copy_from(state.tensor("average." + name));
  }
}

}  // namespace hanok::nn
