// What the options of 2-D convolutions mean, and how they print themselves, as in PyTorch.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "hanok/kernels/conv2d.h"

namespace hanok::nn {

/// Fills in the axis of a kernel that is -1, "not given": as the other one, or 1 if neither is.
void complete_kernel(std::int64_t& kernel_h, std::int64_t& kernel_w);

/// "3, 64, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3)"; padding and dilation only if they
/// differ from the default. `kernel` is (height, width).
std::string convolution_repr(std::int64_t in_channels, std::int64_t out_channels,
                             std::array<std::int64_t, 2> kernel, const Window2d& window);

}  // namespace hanok::nn
