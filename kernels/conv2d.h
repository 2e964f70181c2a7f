// The sizes of a 2-D convolution, in one struct, with the one output-size formula.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "hanok/kernels/base/shape.h"

#pragma GCC visibility push(default)
namespace hanok {

enum class Conv2dPass { Forward, BackwardData, BackwardWeights };

/// Stride, padding and dilation, in pixels. Where an initialiser gives the height alone, the width
/// is the same: {.stride_h = 2, .pad_h = 1} has a stride of 2x2 and a padding of 1x1.
struct Window2d {
  std::int64_t stride_h = 1, stride_w = stride_h;
  std::int64_t pad_h = 0, pad_w = pad_h;
  std::int64_t dilation_h = 1, dilation_w = dilation_h;

  bool operator==(const Window2d&) const = default;
};

/// Output pixels of a window of `kernel` taps over `input` pixels (PyTorch's formula, floor).
constexpr std::int64_t window_output_size(std::int64_t input, std::int64_t kernel,
                                          std::int64_t stride, std::int64_t pad,
                                          std::int64_t dilation) {
  return (input + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

/// How the number of windows is rounded where they do not fill the padded input.
enum class PoolSize {
  Floor,  // whole windows only
  Ceil,   // PyTorch's ceil_mode: also a last one that reaches beyond the padding, if it starts
          // within the input or the padding before it
};

/// Output pixels of a pooling window; below 1 where it does not fit.
constexpr std::int64_t pool_output_size(PoolSize rounding, std::int64_t input, std::int64_t kernel,
                                        std::int64_t stride, std::int64_t pad,
                                        std::int64_t dilation) {
  if (rounding == PoolSize::Floor) return window_output_size(input, kernel, stride, pad, dilation);
  const std::int64_t steps = input + 2 * pad - dilation * (kernel - 1) - 1 + stride - 1;
  if (steps < 0) return 0;
  const std::int64_t windows = steps / stride + 1;
  return (windows - 1) * stride >= input + pad ? windows - 1 : windows;
}

/// x [N,C,H,W] (*) w [K,C/groups,R,S] -> y [N,K,P,Q]; in memory x is N,H,W,C, w is K,R,S,C/groups,
/// y is N,P,Q,K.
struct Conv2dShape {
  std::int64_t n = 0, c = 0, h = 0, w = 0;
  std::int64_t k = 0, r = 0, s = 0;
  std::int64_t groups = 1;
  Window2d window{};
  /// The batch size that the algorithm is chosen for; 0: n. A short last batch carries the usual
  /// size here, so that an image's result does not depend on the number of the others.
  std::int64_t nominal_n = 0;
  /// Rows of padding below the image and columns to its right, besides those of the window: where
  /// the two sides differ, as in TensorFlow's SAME.
  std::int64_t extra_h = 0, extra_w = 0;
  /// Not 0: products may be those of 16-bit integers, where an algorithm has them.
  std::int64_t int16 = 0;

  constexpr std::int64_t p() const {
    return window_output_size(h + extra_h, r, window.stride_h, window.pad_h, window.dilation_h);
  }
  constexpr std::int64_t q() const {
    return window_output_size(w + extra_w, s, window.stride_w, window.pad_w, window.dilation_w);
  }
  constexpr std::int64_t c_per_group() const { return c / groups; }
  constexpr std::int64_t k_per_group() const { return k / groups; }
  /// Multiply-adds times two.
  constexpr double flop() const {
    return 2.0 * static_cast<double>(n * p() * q()) * static_cast<double>(k) *
           static_cast<double>(c_per_group() * r * s);
  }
  Shape input_shape() const { return {n, c, h, w}; }
  Shape weight_shape() const { return {k, c_per_group(), r, s}; }
  Shape output_shape() const { return {n, k, p(), q()}; }
};

/// Sizes of a pooling window over x [N,C,H,W].
struct Pool2dShape {
  std::int64_t n = 0, c = 0, h = 0, w = 0;
  std::int64_t r = 0, s = 0;
  Window2d window{};
  /// Average pooling: divide also by the taps in the padding.
  bool count_include_pad = true;
  PoolSize rounding = PoolSize::Floor;

  constexpr std::int64_t p() const {
    return pool_output_size(rounding, h, r, window.stride_h, window.pad_h, window.dilation_h);
  }
  constexpr std::int64_t q() const {
    return pool_output_size(rounding, w, s, window.stride_w, window.pad_w, window.dilation_w);
  }
  Shape input_shape() const { return {n, c, h, w}; }
  Shape output_shape() const { return {n, c, p(), q()}; }
};

/// Identifies a packed form of weights: two convolutions with equal keys read the same packed
/// weights.
struct Conv2dPackKey {
  std::string_view backend{};    // Backend::name()
  std::string_view algorithm{};  // as Backend::conv2d_algorithm names it
  Conv2dPass pass = Conv2dPass::Forward;
  std::int64_t groups = 1;
  Window2d phases{};  // where the order depends on it: the window, padding modulo stride
  std::size_t bytes = 0;

  bool operator==(const Conv2dPackKey&) const = default;
};

}  // namespace hanok
#pragma GCC visibility pop
