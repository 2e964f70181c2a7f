// Norms over each sample's own statistics. (Batch norm is in layers.h.)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// Layer norm over the last dimensions of x, of sizes `normalized`. Weight is initialised to 1,
/// bias to 0. Every constructor here throws ValueError for sizes below one.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(std::vector<std::int64_t> normalized, double epsilon = 1e-5,
                     bool affine = true, bool bias = true);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "LayerNorm"; }
  std::string extra_repr() const override;

  const std::vector<std::int64_t> normalized;
  const double epsilon;
  Parameter weight, bias;  // of these sizes, or undefined
};

/// Layer norm over the channels of each pixel of x [N,C,H,W], as in ConvNeXt.
class LayerNorm2d : public Module {
 public:
  explicit LayerNorm2d(std::int64_t channels, double epsilon = 1e-6);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "LayerNorm2d"; }
  std::string extra_repr() const override;

  const std::int64_t channels;
  const double epsilon;
  Parameter weight, bias;  // [C]
};

/// Norm over groups of channels of x [N,C], [N,C,L] or [N,C,H,W]. Throws ValueError if the channels
/// are not divisible by the groups.
class GroupNorm : public Module {
 public:
  GroupNorm(std::int64_t groups, std::int64_t channels, double epsilon = 1e-5, bool affine = true);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "GroupNorm"; }
  std::string extra_repr() const override;

  const std::int64_t groups, channels;
  const double epsilon;
  Parameter weight, bias;  // [C] or undefined
};

}  // namespace hanok::nn
#pragma GCC visibility pop
