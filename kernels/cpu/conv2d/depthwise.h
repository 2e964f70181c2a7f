// Depthwise convolution: each channel has its own filters and is independent of the others.
//
//   forward:          y[p,q,c*m+j] = sum over r,s of w[c*m+j,r,s] * x[h(p,r),w(q,s),c]
//   backward data:    dx[h,w,c] = sum over j and the taps that reach (h,w) of w * dy
//   backward weights: dw[c*m+j,r,s] = sum over n,p,q of dy[p,q,c*m+j] * x[h(p,r),w(q,s),c]
//
// m = K / C filters a channel. With so few multiplications there is no matrix product in it; seen
// as one (a group a channel) it would use one of 16 columns.
#pragma once

#include "hanok/kernels/cpu/conv2d/driver.h"
#include "hanok/kernels/cpu/isa/depthwise3x3.h"

namespace hanok::cpu::depthwise {

extern const Conv2dDriver driver;

/// Row i of the results of a 3x3 filter with one pixel of padding: its middle row is at source row
/// i * stride_h. row(h) points at source row h; weights: [9][channels].
template <typename Row>
Depthwise3x3Row row3x3(const Conv2dShape& s, std::int64_t i, const float* weights, const Row& row) {
  Depthwise3x3Row out;
  out.tap_step = s.k;
  out.stride = s.window.stride_w;
  out.pixels = s.q();
  out.right_inside = (out.pixels - 1) * out.stride + 1 < s.w;
  out.channels = s.k;
  for (std::int64_t r = 0; r < 3; ++r) {
    const std::int64_t h = i * s.window.stride_h + r - 1;
    if (h < 0 || h >= s.h) continue;
    out.x[out.rows] = row(h);
    out.w[out.rows] = weights + 3 * r * s.k;
    ++out.rows;
  }
  return out;
}

}  // namespace hanok::cpu::depthwise
