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

  constexpr Conv2dShape expand() const { return {n, c, h, w, hidden, 1, 1, 1, {}}; }
  constexpr Conv2dShape depthwise() const {
    return {n, hidden, h, w, hidden, 3, 3, hidden, {stride, stride, 1, 1, 1, 1}};
  }
  constexpr Conv2dShape project() const {
    return {n, hidden, depthwise().p(), depthwise().q(), k, 1, 1, 1, {}};
  }
};

}  // namespace hanok
#pragma GCC visibility pop
