#include "hanok/nn/grad_scaler.h"

#include <cmath>
#include <fmt/format.h>

#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

constexpr std::int64_t kStateVersion = 1;

void check_power_of_two(const char* what, double value) {
  int exponent = 0;
  if (!(value > 0) || std::frexp(value, &exponent) != 0.5) {
    throw ValueError(fmt::format("GradScaler: {} must be a power of two, got {}", what, value));
  }
}

}  // namespace

GradScaler::GradScaler(Device device, const GradScalerOptions& options)
    : rule_(options.rule),
      scale_(Tensor::full({}, options.initial_scale, {DType::F32, device})),
      found_(Tensor::zeros({1}, {DType::F32, device})),
      good_steps_(Tensor::zeros({1}, {DType::I64, device})) {
  check_power_of_two("initial_scale", options.initial_scale);
  check_power_of_two("growth", rule_.growth);
  check_power_of_two("backoff", rule_.backoff);
  if (rule_.growth < 1 || rule_.backoff > 1 || rule_.interval < 1) {
    throw ValueError(fmt::format(
        "GradScaler: growth {} must be at least 1, backoff {} at most 1, interval {} at least 1",
        rule_.growth, rule_.backoff, rule_.interval));
  }
}

void GradScaler::unscale(const std::vector<Tensor>& parameters) {
  std::vector<View> gradients;
  for (const Tensor& parameter : parameters) {
    Tensor gradient = parameter.grad();
    if (gradient.defined()) gradients.push_back(gradient.mutable_view());
  }
  if (gradients.empty()) throw ValueError("GradScaler: no parameter has a gradient");
  const Device device = scale_.device();
  run_on(device, Unscale{.gradients = std::move(gradients),
                         .scale = scale_.view(),
                         .found = found_.mutable_view()});
}

void GradScaler::update() {
  const Device device = scale_.device();
  run_on(device, UpdateLossScale{.rule = rule_,
                                 .found = found_.view(),
                                 .scale = scale_.mutable_view(),
                                 .good_steps = good_steps_.mutable_view()});
}

State GradScaler::state() const {
  State state;
  state.integers["version"] = kStateVersion;
  state.numbers["scale"] = scale_.item();
  state.integers["good_steps"] = static_cast<std::int64_t>(good_steps_.item());
  return state;
}

void GradScaler::load_state(const State& state) {
  state.check_version("GradScaler", kStateVersion);
  const double scale = state.number("scale");
  const std::int64_t good_steps = state.integer("good_steps");
  check_power_of_two("the state's scale", scale);
  const Device device = scale_.device();
  Backend& backend = backend_of(device);
  backend.run(context_of(device), Fill{scale_.mutable_view(), scale});
  backend.run(context_of(device),
              Fill{good_steps_.mutable_view(), static_cast<double>(good_steps)});
}

}  // namespace hanok::nn
