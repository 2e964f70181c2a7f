// Convolutions of real networks, for the benches of all devices.
#pragma once

#include <cstdint>
#include <utility>

#include "hanok/kernels/backend.h"

namespace hanok::bench {

/// A square kernel on square images, with padding kernel/2.
struct ConvLayer {
  const char* name;
  std::int64_t c, size, k, kernel, stride;
  std::int64_t groups = 1;

  constexpr Conv2dShape shape(std::int64_t batch) const {
    const std::int64_t pad = kernel / 2;
    return {batch, c, size, size, k, kernel, kernel, groups, {stride, stride, pad, pad, 1, 1}};
  }
};

/// All convolutions of ResNet18 at 224 x 224.
inline constexpr ConvLayer kResNet18[] = {
    {"stem", 3, 224, 64, 7, 2},           {"layer1.3x3", 64, 56, 64, 3, 1},
    {"layer2.3x3s2", 64, 56, 128, 3, 2},  {"layer2.down", 64, 56, 128, 1, 2},
    {"layer2.3x3", 128, 28, 128, 3, 1},   {"layer3.3x3s2", 128, 28, 256, 3, 2},
    {"layer3.down", 128, 28, 256, 1, 2},  {"layer3.3x3", 256, 14, 256, 3, 1},
    {"layer4.3x3s2", 256, 14, 512, 3, 2}, {"layer4.down", 256, 14, 512, 1, 2},
    {"layer4.3x3", 512, 7, 512, 3, 1},
};

inline constexpr std::pair<Conv2dPass, const char*> kPasses[] = {
    {Conv2dPass::Forward, "forward"},
    {Conv2dPass::BackwardData, "backward_data"},
    {Conv2dPass::BackwardWeights, "backward_weights"}};

}  // namespace hanok::bench
