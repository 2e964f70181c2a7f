#include "hanok/nn/gradients.h"

#include <fmt/format.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

// Parameters that have a gradient, all on one device.
std::vector<Tensor> with_gradient(const char* op, const std::vector<Tensor>& parameters) {
  std::vector<Tensor> result;
  for (const Tensor& parameter : parameters) {
    if (!parameter.grad().defined()) continue;
    if (!result.empty() && !(parameter.device() == result.front().device())) {
      throw DeviceError(fmt::format("{}: gradients on {} and on {}", op,
                                    result.front().device().to_string(),
                                    parameter.device().to_string()));
    }
    result.push_back(parameter);
  }
  return result;
}

void check_positive(const char* op, const char* what, double value) {
  if (!(value > 0)) {
    throw ValueError(fmt::format("{}: {} must be above 0, got {}", op, what, value));
  }
}

Tensor norm_of(const std::vector<Tensor>& parameters) {
  const Device device = parameters.front().device();
  std::vector<ConstView> views;
  for (const Tensor& parameter : parameters) views.push_back(parameter.grad().view());
  Tensor norm = Tensor::empty({1}, {DType::F32, device});
  run_on(device, L2Norm{std::move(views), norm.mutable_view()});
  return norm;
}

}  // namespace

Tensor gradient_norm(const std::vector<Tensor>& parameters) {
  const auto relevant = with_gradient("gradient_norm", parameters);
  if (relevant.empty()) throw ValueError("gradient_norm: no parameter has a gradient");
  return norm_of(relevant);
}

Tensor clip_gradient_norm(const std::vector<Tensor>& parameters, double max_norm) {
  check_positive("clip_gradient_norm", "max_norm", max_norm);
  auto relevant = with_gradient("clip_gradient_norm", parameters);
  if (relevant.empty()) throw ValueError("clip_gradient_norm: no parameter has a gradient");
  const NoGrad no_grad;
  const Tensor norm = norm_of(relevant);
  const TensorOptions options{DType::F32, norm.device()};
  const Tensor factor =
      ops::minimum(ops::div(Tensor::full({1}, max_norm, options), ops::affine(norm, 1, 1e-6F)),
                   Tensor::ones({1}, options));
  for (Tensor& parameter : relevant) parameter.set_grad(ops::mul(parameter.grad(), factor));
  return norm;
}

void clip_gradient_value(const std::vector<Tensor>& parameters, double limit) {
  check_positive("clip_gradient_value", "limit", limit);
  const NoGrad no_grad;
  const auto bound = static_cast<float>(limit);
  for (Tensor& parameter : with_gradient("clip_gradient_value", parameters)) {
    parameter.set_grad(ops::clamp(parameter.grad(), -bound, bound));
  }
}

}  // namespace hanok::nn
