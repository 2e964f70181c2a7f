#include "hanok/nn/ema.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <utility>

#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

constexpr std::int64_t kStateVersion = 1;

}  // namespace

StateDict Ema::values() const {
  StateDict result;
  std::set<std::pair<const Storage*, std::int64_t>> seen;
  for (const auto& [name, value] : module_.state_dict()) {
    if (seen.emplace(value.storage().get(), value.storage_offset()).second) {
      result.insert(name, value);
    }
  }
  return result;
}

Ema::Ema(Module& module, double decay) : module_(module), decay_(decay) {
  if (!(decay >= 0 && decay < 1)) {
    throw ValueError(fmt::format("Ema: decay must be in [0,1), got {}", decay));
  }
  std::int64_t longest = 0;
  for (const auto& [name, value] : values()) {
    averages_.insert(name, value.clone());
    if (value.dtype() == DType::F32) longest = std::max(longest, value.numel());
  }
  if (averages_.empty()) return;
  scratch_ = Tensor::empty({longest}, {DType::F32, averages_.begin()->second.device()});
}

// s = decay * average + (1 - decay) * value; average = s. A scratch tensor is needed, since a
// kernel's result may not alias its operands.
void Ema::update() {
  if (swapped_) throw ValueError("Ema: update() while the averages are swapped in");
  if (averages_.empty()) return;
  const Device device = scratch_.device();
  Backend& backend = backend_of(device);
  ExecContext& context = context_of(device);
  for (const auto& [name, value] : values()) {
    Tensor average = averages_.at(name);
    if (value.dtype() != DType::F32) {
      average.copy_from(value);
      continue;
    }
    Tensor mixed = Tensor::wrap(scratch_.storage(), 0, value.shape(), DType::F32);
    backend.run(context, Unary{.kind = UnaryOp::Affine,
                               .params = {static_cast<float>(decay_), 0},
                               .x = average.view(),
                               .y = mixed.mutable_view()});
    backend.run(context, AddScaled{.alpha = static_cast<float>(1 - decay_),
                                   .x = value.view(),
                                   .y = mixed.mutable_view()});
    average.copy_from(mixed);
  }
}

void Ema::swap() {
  for (const auto& [name, value] : values()) {
    Tensor mine = averages_.at(name), theirs = value;
    Tensor kept = value.dtype() == DType::F32
                      ? Tensor::wrap(scratch_.storage(), 0, value.shape(), DType::F32)
                      : Tensor::empty(value.shape(), {value.dtype(), value.device()});
    kept.copy_from(mine);
    mine.copy_from(theirs);
    theirs.copy_from(kept);
  }
  swapped_ = !swapped_;
}

State Ema::state() const {
  State state = shared_state();
  for (auto& [name, tensor] : state.tensors) tensor = tensor.clone();
  return state;
}

State Ema::shared_state() const {
  if (swapped_) throw ValueError("Ema: state() while the averages are swapped in");
  State state;
  state.integers["version"] = kStateVersion;
  for (const auto& [name, average] : averages_) state.tensors["average." + name] = average;
  return state;
}

void Ema::load_state(const State& state) {
  if (swapped_) throw ValueError("Ema: load_state() while the averages are swapped in");
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
