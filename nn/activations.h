// Activation layers: each is a module over one elementwise op.
#pragma once

#include <cstdint>

#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// max(x, 0).
class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "ReLU"; }
};
/// x clamped to [0, 6].
class ReLU6 : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "ReLU6"; }
};
/// x clamped to [low, high]. Throws ValueError unless low < high.
class Hardtanh : public Module {
 public:
  explicit Hardtanh(float low = -1, float high = 1);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Hardtanh"; }
  std::string extra_repr() const override;
  const float low, high;
};
/// x where x >= 0, else slope * x.
class LeakyReLU : public Module {
 public:
  explicit LeakyReLU(float slope = 0.01F) : slope(slope) {}
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "LeakyReLU"; }
  std::string extra_repr() const override;
  const float slope;
};
/// x where x > 0, else slope * x with learned slopes: one, or one for each channel of x [N,C,...].
/// Throws ValueError for a number of slopes below one.
class PReLU : public Module {
 public:
  explicit PReLU(std::int64_t num_parameters = 1, float init = 0.25F);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "PReLU"; }
  std::string extra_repr() const override;
  const std::int64_t num_parameters;
  const float init;
  Parameter weight;  // [num_parameters]
};
class Sigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Sigmoid"; }
};
class Tanh : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Tanh"; }
};
/// x * sigmoid(x).
class SiLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "SiLU"; }
};
/// x * Phi(x) with the exact normal distribution function.
class GELU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "GELU"; }
  std::string extra_repr() const override { return "approximate='none'"; }
};
/// x * hardsigmoid(x).
class Hardswish : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Hardswish"; }
};
/// (x + 3) clamped to [0, 6], divided by 6.
class Hardsigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Hardsigmoid"; }
};

}  // namespace hanok::nn
#pragma GCC visibility pop
