#include "hanok/nn/activations.h"

#include <fmt/format.h>

#include "hanok/engine/ops.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/positive.h"

namespace hanok::nn {

Tensor ReLU::forward(const Tensor& x) { return ops::relu(x); }
std::unique_ptr<Module> ReLU::clone() const { return clone_as<ReLU>(); }

Tensor ReLU6::forward(const Tensor& x) { return ops::clamp(x, 0, 6); }
std::unique_ptr<Module> ReLU6::clone() const { return clone_as<ReLU6>(); }

Hardtanh::Hardtanh(float low, float high) : low(low), high(high) {
  if (!(low < high)) throw ValueError(fmt::format("Hardtanh: low {} is not below {}", low, high));
}
Tensor Hardtanh::forward(const Tensor& x) { return ops::clamp(x, low, high); }
std::unique_ptr<Module> Hardtanh::clone() const { return clone_as<Hardtanh>(low, high); }
std::string Hardtanh::extra_repr() const {
  return fmt::format("min_val={:.1f}, max_val={:.1f}", low, high);
}

Tensor LeakyReLU::forward(const Tensor& x) { return ops::leaky_relu(x, slope); }
std::unique_ptr<Module> LeakyReLU::clone() const { return clone_as<LeakyReLU>(slope); }
std::string LeakyReLU::extra_repr() const { return fmt::format("negative_slope={}", slope); }

PReLU::PReLU(std::int64_t num_parameters, float init)
    : num_parameters(positive("PReLU", "num_parameters", num_parameters)),
      init(init),
      weight(this, "weight", Tensor::full({num_parameters}, init)) {}
Tensor PReLU::forward(const Tensor& x) { return ops::prelu(x, weight); }
std::unique_ptr<Module> PReLU::clone() const { return clone_as<PReLU>(num_parameters, init); }
std::string PReLU::extra_repr() const { return fmt::format("num_parameters={}", num_parameters); }

Tensor Sigmoid::forward(const Tensor& x) { return ops::sigmoid(x); }
std::unique_ptr<Module> Sigmoid::clone() const { return clone_as<Sigmoid>(); }

Tensor Tanh::forward(const Tensor& x) { return ops::tanh(x); }
std::unique_ptr<Module> Tanh::clone() const { return clone_as<Tanh>(); }

Tensor SiLU::forward(const Tensor& x) { return ops::silu(x); }
std::unique_ptr<Module> SiLU::clone() const { return clone_as<SiLU>(); }

Tensor GELU::forward(const Tensor& x) { return ops::gelu(x); }
std::unique_ptr<Module> GELU::clone() const { return clone_as<GELU>(); }

Tensor Hardswish::forward(const Tensor& x) { return ops::hardswish(x); }
std::unique_ptr<Module> Hardswish::clone() const { return clone_as<Hardswish>(); }

Tensor Hardsigmoid::forward(const Tensor& x) { return ops::hardsigmoid(x); }
std::unique_ptr<Module> Hardsigmoid::clone() const { return clone_as<Hardsigmoid>(); }

}  // namespace hanok::nn
