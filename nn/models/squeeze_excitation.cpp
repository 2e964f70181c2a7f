#include "hanok/nn/models/squeeze_excitation.h"

#include "hanok/nn/models/convolution.h"

namespace hanok::nn {

SqueezeExcitation::SqueezeExcitation(std::int64_t channels, std::int64_t squeezed,
                                     std::unique_ptr<Module> activation,
                                     std::unique_ptr<Module> gate)
    : channels(channels),
      squeezed(squeezed),
      avgpool(this, "avgpool", 1, 1),
      fc1(this, "fc1",
          kaiming_conv({.in_channels = channels, .out_channels = squeezed, .bias = true})),
      fc2(this, "fc2",
          kaiming_conv({.in_channels = squeezed, .out_channels = channels, .bias = true})),
      activation(this, "activation", std::move(activation)),
      scale_activation(this, "scale_activation", std::move(gate)) {}

Tensor SqueezeExcitation::forward(const Tensor& x) {
  return ops::mul(scale_activation(fc2(activation(fc1(avgpool(x))))), x);
}

std::unique_ptr<Module> SqueezeExcitation::clone() const {
  return clone_as<SqueezeExcitation>(channels, squeezed, activation->clone(),
                                     scale_activation->clone());
}

}  // namespace hanok::nn
