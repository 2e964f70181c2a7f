// One-dimensional and transposed convolutions. (Conv2d is in layers.h.)
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "hanok/engine/ops.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

struct Conv1dOptions {
  std::int64_t in_channels = 0, out_channels = 0;
  std::int64_t kernel = 1;
  ops::Window1d window{};
  std::int64_t groups = 1;
  bool bias = true;
};

/// x [N,C,L] -> [N,K,M]. Constructors here throw ValueError for sizes below one and for channels
/// not divisible by the groups; weight and bias are initialised as in Conv2d.
class Conv1d : public Module {
 public:
  explicit Conv1d(const Conv1dOptions& options);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Conv1d"; }
  std::string extra_repr() const override;

  const Conv1dOptions options;
  Parameter weight;  // [K,C/groups,S]
  Parameter bias;    // [K] or undefined
};

struct ConvTranspose2dOptions {
  std::int64_t in_channels = 0, out_channels = 0;
  std::int64_t kernel_h = -1, kernel_w = -1;  // -1: as the other one; both: 1
  Window2d window{};
  std::int64_t output_pad_h = 0, output_pad_w = output_pad_h;
  std::int64_t groups = 1;
  bool bias = true;
};

/// x [N,C,H,W] -> [N,K,P,Q], P = (H-1) stride - 2 pad + dilation (R-1) + output_pad + 1.
class ConvTranspose2d : public Module {
 public:
  explicit ConvTranspose2d(const ConvTranspose2dOptions& options);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "ConvTranspose2d"; }
  std::string extra_repr() const override;

  const ConvTranspose2dOptions options;
  Parameter weight;  // [C,K/groups,R,S]
  Parameter bias;    // [K] or undefined
};

}  // namespace hanok::nn
#pragma GCC visibility pop
