// Convolutions by their plain definition, in double precision, and calls of the kernels under test.
#pragma once

#include <string>
#include <vector>

#include "hanok/kernels/cpu/conv2d/conv2d.h"
#include "tests/kernels/kernel_context.h"

namespace hanok::test {

// n, c, h, w, k, r, s, groups, stride h w, pad h w, dilation h w
inline Conv2dShape shape_of(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
                            std::int64_t k, std::int64_t r, std::int64_t s, std::int64_t groups = 1,
                            Window2d window = {}) {
  return {n, c, h, w, k, r, s, groups, window};
}

/// The same with further padding below and to the right.
inline Conv2dShape with_extra(Conv2dShape shape, std::int64_t h, std::int64_t w) {
  shape.extra_h = h;
  shape.extra_w = w;
  return shape;
}

inline std::string name(const Conv2dShape& s) {
  return s.input_shape().to_string() + " * " + s.weight_shape().to_string() + " groups " +
         std::to_string(s.groups) + " stride " + std::to_string(s.window.stride_h) + "," +
         std::to_string(s.window.stride_w) + " pad " + std::to_string(s.window.pad_h) + "," +
         std::to_string(s.window.pad_w) + " extra " + std::to_string(s.extra_h) + "," +
         std::to_string(s.extra_w) + " dilation " + std::to_string(s.window.dilation_h) + "," +
         std::to_string(s.window.dilation_w);
}

// Calls f(y index, x index, w index) for every product of the convolution: its plain definition.
template <typename F>
void for_each_product(const Conv2dShape& s, F f) {
  const Window2d& v = s.window;
  const std::int64_t cg = s.c_per_group();
  for (std::int64_t n = 0; n < s.n; ++n) {
    for (std::int64_t p = 0; p < s.p(); ++p) {
      for (std::int64_t q = 0; q < s.q(); ++q) {
        for (std::int64_t r = 0; r < s.r; ++r) {
          for (std::int64_t t = 0; t < s.s; ++t) {
            const std::int64_t h = p * v.stride_h - v.pad_h + r * v.dilation_h;
            const std::int64_t w = q * v.stride_w - v.pad_w + t * v.dilation_w;
            if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
            for (std::int64_t k = 0; k < s.k; ++k) {
              for (std::int64_t c = 0; c < cg; ++c) {
                f(static_cast<std::size_t>(((n * s.p() + p) * s.q() + q) * s.k + k),
                  static_cast<std::size_t>(((n * s.h + h) * s.w + w) * s.c +
                                           k / s.k_per_group() * cg + c),
                  static_cast<std::size_t>(((k * s.r + r) * s.s + t) * cg + c));
              }
            }
          }
        }
      }
    }
  }
}

struct Operands {
  std::vector<float> x, w, dy;
  explicit Operands(const Conv2dShape& s, float mean = 0, float range = 1)
      : x(test_data(s.input_shape().numel(), 1, mean, range)),
        w(test_data(s.weight_shape().numel(), 2)),
        dy(test_data(s.output_shape().numel(), 3, mean, range)) {}
};

inline std::vector<float> forward(const Conv2dShape& s, const Operands& o, Backend& backend,
                                  const Epilogue& e = {}, int threads = 2) {
  KernelContext context(threads);
  std::vector<float> y(static_cast<std::size_t>(s.output_shape().numel()), -7.0F);
  backend.run(context,
              Conv2dForward{s, view_of(o.x, s.input_shape()), view_of(o.w, s.weight_shape()),
                            nullptr, e, view_of(y, s.output_shape())});
  return y;
}
inline std::vector<float> backward_data(const Conv2dShape& s, const Operands& o, Backend& backend,
                                        int threads = 2) {
  KernelContext context(threads);
  std::vector<float> dx(o.x.size(), -7.0F);
  backend.run(context,
              Conv2dBackwardData{s, view_of(o.dy, s.output_shape()), view_of(o.w, s.weight_shape()),
                                 nullptr, view_of(dx, s.input_shape())});
  return dx;
}
inline std::vector<float> backward_weights(const Conv2dShape& s, const Operands& o,
                                           Backend& backend, int threads = 2) {
  KernelContext context(threads);
  std::vector<float> dw(o.w.size(), -7.0F);
  backend.run(context, Conv2dBackwardWeights{s, view_of(o.x, s.input_shape()),
                                             view_of(o.dy, s.output_shape()),
                                             view_of(dw, s.weight_shape())});
  return dw;
}

// The same on one of the CPU's paths.
inline std::vector<float> forward(const Conv2dShape& s, const Operands& o, cpu::Isa isa,
                                  const Epilogue& e = {}, int threads = 2) {
  return forward(s, o, *cpu::make_backend(isa), e, threads);
}
inline std::vector<float> backward_data(const Conv2dShape& s, const Operands& o, cpu::Isa isa,
                                        int threads = 2) {
  return backward_data(s, o, *cpu::make_backend(isa), threads);
}
inline std::vector<float> backward_weights(const Conv2dShape& s, const Operands& o, cpu::Isa isa,
                                           int threads = 2) {
  return backward_weights(s, o, *cpu::make_backend(isa), threads);
}

inline std::vector<double> forward_reference(const Conv2dShape& s, const Operands& o) {
  std::vector<double> y(o.dy.size());
  for_each_product(s, [&](std::size_t iy, std::size_t ix, std::size_t iw) {
    y[iy] += static_cast<double>(o.x[ix]) * o.w[iw];
  });
  return y;
}

inline std::vector<double> backward_data_reference(const Conv2dShape& s, const Operands& o) {
  std::vector<double> dx(o.x.size());
  for_each_product(s, [&](std::size_t iy, std::size_t ix, std::size_t iw) {
    dx[ix] += static_cast<double>(o.dy[iy]) * o.w[iw];
  });
  return dx;
}

inline std::vector<double> backward_weights_reference(const Conv2dShape& s, const Operands& o) {
  std::vector<double> dw(o.w.size());
  for_each_product(s, [&](std::size_t iy, std::size_t ix, std::size_t iw) {
    dw[iw] += static_cast<double>(o.dy[iy]) * o.x[ix];
  });
  return dw;
}

/// Per-channel mean and biased variance of y [rows, channels], in double: [2, channels].
inline std::vector<double> moments_reference(const std::vector<float>& y, std::int64_t channels) {
  const auto k = static_cast<std::size_t>(channels);
  const double rows = static_cast<double>(y.size()) / static_cast<double>(k);
  std::vector<double> out(2 * k);
  for (std::size_t i = 0; i < y.size(); ++i) out[i % k] += y[i] / rows;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double d = y[i] - out[i % k];
    out[k + i % k] += d * d / rows;
  }
  return out;
}

}  // namespace hanok::test
