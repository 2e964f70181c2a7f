#include "hanok/nn/convolution_repr.h"

#include <fmt/format.h>

namespace hanok::nn {

void complete_kernel(std::int64_t& kernel_h, std::int64_t& kernel_w) {
  constexpr std::int64_t kNotGiven = -1;
  if (kernel_h == kNotGiven) kernel_h = kernel_w == kNotGiven ? 1 : kernel_w;
  if (kernel_w == kNotGiven) kernel_w = kernel_h;
}

std::string convolution_repr(std::int64_t in_channels, std::int64_t out_channels,
                             std::array<std::int64_t, 2> kernel, const Window2d& window) {
  std::string text =
      fmt::format("{}, {}, kernel_size=({}, {}), stride=({}, {})", in_channels, out_channels,
                  kernel[0], kernel[1], window.stride_h, window.stride_w);
  if (window.pad_h != 0 || window.pad_w != 0) {
    text += fmt::format(", padding=({}, {})", window.pad_h, window.pad_w);
  }
  if (window.dilation_h != 1 || window.dilation_w != 1) {
    text += fmt::format(", dilation=({}, {})", window.dilation_h, window.dilation_w);
  }
  return text;
}

}  // namespace hanok::nn
