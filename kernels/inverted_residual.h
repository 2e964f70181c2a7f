// Three convolutions in a row around a wide tensor: MobileNetV2's block.
#pragma once

#include <cstdint>

#include "hanok/kernels/conv2d.h"

#pragma GCC visibility push(default)
namespace hanok {

/// x [N,C,H,W] -> 1x1 -> [N,hidden,H,W] -> depthwise 3x3, padding 1 -> [N,hidden,P,Q] -> 1x1 ->
/// y [N,K,P,Q]. The first one may be missing; then hidden = C.
struct InvertedResidualShape {
  std::int64_t n = 0, c = 0, h = 0, w = 0;
  std::int64_t hidden = 0, k = 0;
  std::int64_t stride = 1;  // of the depthwise one
  bool expands = true;
  std::int64_t int16 = 0;  // as Conv2dShape's, for the two 1x1 convolutions

  constexpr Conv2dShape expand() const {
    return {.n = n, .c = c, .h = h, .w = w, .k = hidden, .r = 1, .s = 1, .int16 = int16};
  }
  constexpr Conv2dShape depthwise() const {
    return {.n = n,
            .c = hidden,
            .h = h,
            .w = w,
            .k = hidden,
            .r = 3,
            .s = 3,
            .groups = hidden,
            .window = {.stride_h = stride, .stride_w = stride, .pad_h = 1, .pad_w = 1}};
  }
  constexpr Conv2dShape project() const {
    return {.n = n,
            .c = hidden,
            .h = depthwise().p(),
            .w = depthwise().q(),
            .k = k,
            .r = 1,
            .s = 1,
            .int16 = int16};
  }
};

}  // namespace hanok
#pragma GCC visibility pop
