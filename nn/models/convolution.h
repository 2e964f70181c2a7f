// Layers initialised as in torchvision's models.
#pragma once

#include <memory>
#include <vector>

#include "hanok/nn/layers.h"

namespace hanok::nn {

/// A convolution with a square kernel and padding kernel/2, or TensorFlow's SAME.
struct SquareConvOptions {
  std::int64_t in_channels, out_channels;
  std::int64_t kernel = 1, stride = 1, groups = 1;
  bool bias = false;
  ops::Padding padding = ops::Padding::Window;
};
/// Weights are Kaiming normal over fan out, the bias is zero. Throws ValueError as Conv2d does.
std::unique_ptr<Conv2d> kaiming_conv(const SquareConvOptions& square);

/// The arguments for ops::inverted_residual: `block` (and the Sequentials in it) is a row of
/// convolutions with batch norms, all but the last one followed by ReLU6. Empty if it is not, or if
/// a module has a forward hook, which would not be called.
std::vector<ops::ConvNorm> inverted_residual_layers(const Sequential& block);

/// A Linear with weights of this standard deviation around 0 and a bias of zeros.
std::unique_ptr<Linear> normal_linear(std::int64_t in_features, std::int64_t out_features,
                                      float stddev = 0.01F);

}  // namespace hanok::nn
