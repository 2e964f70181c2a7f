// Activation layers: each is a module over one elementwise op.
#pragma once

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
