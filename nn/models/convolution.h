// Convolutions as torchvision's models start them.
#pragma once

#include <memory>

#include "hanok/nn/layers.h"

namespace hanok::nn {

/// A square kernel with padding kernel/2; Kaiming normal over fan out, a bias (if wanted) of zeros.
std::unique_ptr<Conv2d> kaiming_conv(std::int64_t in_channels, std::int64_t out_channels,
                                     std::int64_t kernel, std::int64_t stride = 1,
                                     std::int64_t groups = 1, bool bias = false);

/// A Linear with weights of this standard deviation around 0 and a bias of zeros.
std::unique_ptr<Linear> normal_linear(std::int64_t in_features, std::int64_t out_features,
                                      float stddev = 0.01F);

}  // namespace hanok::nn
