// Squeeze and excitation (Hu et al., Squeeze-and-Excitation Networks, 2018), with torchvision's
// names.
#pragma once

#include <memory>

#include "hanok/nn/layers.h"

namespace hanok::nn {

/// Scales the channels of x: x * gate(fc2(activation(fc1(mean of x over its pixels)))), with 1x1
/// convolutions fc1 down to `squeezed` channels and fc2 back up.
class SqueezeExcitation : public Module {
 public:
  SqueezeExcitation(std::int64_t channels, std::int64_t squeezed,
                    std::unique_ptr<Module> activation, std::unique_ptr<Module> gate);
  /// x [N,channels,H,W] -> the same shape.
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "SqueezeExcitation"; }

  const std::int64_t channels, squeezed;
  Child<AdaptiveAvgPool2d> avgpool;
  Child<Conv2d> fc1, fc2;
  Child<Module> activation, scale_activation;
};

}  // namespace hanok::nn
