#include <algorithm>
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

Pool2dShape make_shape(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
                       std::int64_t r, std::int64_t s, Window2d window) {
  Pool2dShape shape;
  shape.n = n;
  shape.c = c;
  shape.h = h;
  shape.w = w;
  shape.r = r;
  shape.s = s;
  shape.window = window;
  return shape;
}

Pool2dShape with_ceil(Pool2dShape shape) {
  shape.rounding = PoolSize::Ceil;
  return shape;
}

class Pool : public ::testing::TestWithParam<Pool2dShape> {};
INSTANTIATE_TEST_SUITE_P(Shapes, Pool,
                         ::testing::Values(make_shape(2, 19, 17, 15, 3, 3, {2, 2, 1, 1, 1, 1}),
                                           make_shape(1, 1, 5, 7, 2, 2, {2, 2, 0, 0, 1, 1}),
                                           make_shape(3, 8, 9, 11, 3, 2, {1, 2, 1, 0, 1, 1}),
                                           make_shape(2, 5, 13, 12, 2, 3, {2, 1, 0, 1, 2, 3}),
                                           make_shape(1, 64, 16, 16, 2, 2, {3, 3, 0, 0, 1, 1}),
                                           make_shape(1, 3, 4, 4, 4, 4, {1, 1, 2, 2, 1, 1}),
                                           with_ceil(make_shape(2, 10, 6, 9, 2, 2, {2})),
                                           with_ceil(make_shape(1, 8, 8, 7, 3, 3, {2, 2, 1, 0})),
                                           with_ceil(make_shape(1, 5, 1, 2, 2, 3, {2}))),
                         [](const auto& info) {
                           return "C" + std::to_string(info.param.c) + "R" +
                                  std::to_string(info.param.r) + "S" +
                                  std::to_string(info.param.s) + "Case" +
                                  std::to_string(info.index);
                         });

/// Position of (image, row, column, channel) in an N,H,W,C tensor.
std::size_t position(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c,
                     std::int64_t height, std::int64_t width, std::int64_t channels) {
  return static_cast<std::size_t>(((n * height + h) * width + w) * channels + c);
}

/// Calls visit(output position, tap number, input position) for all taps within the input.
template <typename Visit>
void for_taps(const Pool2dShape& s, const Visit& visit) {
  for (std::int64_t n = 0; n < s.n; ++n) {
    for (std::int64_t p = 0; p < s.p(); ++p) {
      for (std::int64_t q = 0; q < s.q(); ++q) {
        for (std::int64_t tap = 0; tap < s.r * s.s; ++tap) {
          const std::int64_t h =
              p * s.window.stride_h - s.window.pad_h + tap / s.s * s.window.dilation_h;
          const std::int64_t w =
              q * s.window.stride_w - s.window.pad_w + tap % s.s * s.window.dilation_w;
          for (std::int64_t c = 0; c < s.c && h >= 0 && h < s.h && w >= 0 && w < s.w; ++c) {
            visit(position(n, p, q, c, s.p(), s.q(), s.c), tap,
                  position(n, h, w, c, s.h, s.w, s.c));
          }
        }
      }
    }
  }
}

TEST_P(Pool, MaxAndItsBackwardMatchALoopOverTaps) {
  const Pool2dShape& s = GetParam();
  std::vector<float> x = test::test_data(s.input_shape().numel(), 1);
  for (float& value : x) {
    value = std::round(value * 8) / 8;  // ties
  }
  const auto outputs = static_cast<std::size_t>(s.output_shape().numel());
  std::vector<double> want(outputs, -HUGE_VAL);
  std::vector<std::uint8_t> want_taps(outputs);
  std::vector<std::size_t> source(outputs);
  for_taps(s, [&](std::size_t out, std::int64_t tap, std::size_t in) {
    if (x[in] > want[out]) {
      want[out] = x[in];
      want_taps[out] = static_cast<std::uint8_t>(tap);
      source[out] = in;
    }
  });
  const std::vector<float> dy = test::test_data(s.output_shape().numel(), 2);
  std::vector<double> want_dx(x.size());
  for (std::size_t out = 0; out < outputs; ++out) {
    want_dx[source[out]] += dy[out];
  }

  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> y(outputs);
        std::vector<std::uint8_t> taps(outputs, 255);
        backend.run(context, MaxPool2d{s,
                                       test::view_of(x, s.input_shape()),
                                       test::view_of(y, s.output_shape()),
                                       {taps.data(), DType::U8, s.output_shape()}});
        EXPECT_EQ(taps, want_taps);
        std::vector<float> again(outputs);
        backend.run(context, MaxPool2d{s, test::view_of(x, s.input_shape()),
                                       test::view_of(again, s.output_shape()), View{}});
        EXPECT_EQ(again, y);
        return y;
      },
      [&](const std::vector<float>& y) { test::expect_near(y, want, 0); });
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> dx(x.size(), 9);
        backend.run(context, MaxPool2dBackward{s,
                                               test::view_of(dy, s.output_shape()),
                                               {want_taps.data(), DType::U8, s.output_shape()},
                                               test::view_of(dx, s.input_shape())});
        return dx;
      },
      [&](const std::vector<float>& dx) { test::expect_near(dx, want_dx, 1e-6); });
}

TEST_P(Pool, AverageAndItsBackwardMatchALoopOverTaps) {
  Pool2dShape s = GetParam();
  s.window.dilation_h = s.window.dilation_w = 1;  // average pooling has no dilation
  const std::vector<float> x = test::test_data(s.input_shape().numel(), 1);
  const std::vector<float> dy = test::test_data(s.output_shape().numel(), 2);
  const auto outputs = dy.size();
  for (const bool include_pad : {true, false}) {
    s.count_include_pad = include_pad;
    std::vector<double> divisor(outputs);
    if (include_pad) {  // the taps in the image with its padding on all sides
      const std::int64_t height = s.h + 2 * s.window.pad_h;
      const std::int64_t width = s.w + 2 * s.window.pad_w;
      for (std::size_t out = 0; out < outputs; ++out) {
        const auto pixel = static_cast<std::int64_t>(out) / s.c;
        const auto inside = [](std::int64_t at, std::int64_t stride, std::int64_t taps,
                               std::int64_t size) { return std::min(taps, size - at * stride); };
        divisor[out] =
            static_cast<double>(inside(pixel / s.q() % s.p(), s.window.stride_h, s.r, height) *
                                inside(pixel % s.q(), s.window.stride_w, s.s, width));
      }
    } else {
      for_taps(s, [&](std::size_t out, std::int64_t, std::size_t) { ++divisor[out]; });
    }
    std::vector<double> want(outputs);
    std::vector<double> want_dx(x.size());
    for_taps(s, [&](std::size_t out, std::int64_t, std::size_t in) {
      want[out] += x[in] / divisor[out];
      want_dx[in] += dy[out] / divisor[out];
    });
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> y(outputs);
          backend.run(context, AvgPool2d{s, test::view_of(x, s.input_shape()),
                                         test::view_of(y, s.output_shape())});
          return y;
        },
        [&](const std::vector<float>& y) { test::expect_near(y, want, 2e-6); });
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> dx(x.size(), 9);
          backend.run(context, AvgPool2dBackward{s, test::view_of(dy, s.output_shape()),
                                                 test::view_of(dx, s.input_shape())});
          return dx;
        },
        [&](const std::vector<float>& dx) { test::expect_near(dx, want_dx, 2e-6); });
  }
}

TEST(MaxPool, NotANumberWinsAndMinusInfinityKeepsAValidTap) {
  const Pool2dShape s = make_shape(1, 9, 2, 2, 2, 2, {2, 2, 1, 1, 1, 1});
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> x(36, -infinity);
  x[9] = std::numeric_limits<float>::quiet_NaN();  // pixel (0,1), channel 0
  for (const auto& backend : test::testable_backends()) {
    test::KernelContext context;
    std::vector<float> y(36);
    std::vector<std::uint8_t> taps(36);
    backend->run(context, MaxPool2d{s,
                                    test::view_of(x, s.input_shape()),
                                    test::view_of(y, s.output_shape()),
                                    {taps.data(), DType::U8, s.output_shape()}});
    EXPECT_TRUE(std::isnan(y[9]));
    EXPECT_EQ(y[0], -infinity);
    EXPECT_EQ(taps[0], 3);   // of output (0,0) only the last tap lies within the input
    EXPECT_EQ(taps[27], 0);  // of output (1,1) only the first
  }
}

TEST(MaxPool, AWindowWithinThePaddingIsMinusInfinityAndHasNoGradient) {
  const Pool2dShape s = make_shape(1, 9, 2, 2, 2, 2, {1, 1, 1, 1, 3, 3});
  ASSERT_EQ(s.output_shape(), (Shape{1, 9, 1, 1}));  // its taps lie at -1 and 2
  const std::vector<float> x(36, 5);
  const std::vector<float> dy(9, 1);
  for (const auto& backend : test::testable_backends()) {
    test::KernelContext context;
    std::vector<float> y(9), dx(36, 7);
    std::vector<std::uint8_t> taps(9, 255);
    backend->run(context, MaxPool2d{s,
                                    test::view_of(x, s.input_shape()),
                                    test::view_of(y, s.output_shape()),
                                    {taps.data(), DType::U8, s.output_shape()}});
    backend->run(context, MaxPool2dBackward{s,
                                            test::view_of(dy, s.output_shape()),
                                            {taps.data(), DType::U8, s.output_shape()},
                                            test::view_of(dx, s.input_shape())});
    EXPECT_EQ(y, std::vector<float>(9, -std::numeric_limits<float>::infinity()));
    EXPECT_EQ(taps, std::vector<std::uint8_t>(9, 0));
    EXPECT_EQ(dx, std::vector<float>(36, 0.0F));
  }
}

struct AdaptiveCase {
  std::int64_t n, c, h, w, p, q;
};

class AdaptivePool : public ::testing::TestWithParam<AdaptiveCase> {};
INSTANTIATE_TEST_SUITE_P(Shapes, AdaptivePool,
                         ::testing::Values(AdaptiveCase{2, 19, 7, 7, 1, 1},
                                           AdaptiveCase{1, 5, 13, 10, 5, 3},
                                           AdaptiveCase{3, 8, 6, 9, 6, 9},
                                           AdaptiveCase{2, 3, 3, 4, 7, 5},
                                           AdaptiveCase{1, 64, 56, 56, 1, 1}));

TEST_P(AdaptivePool, AveragesFloorToCeilRanges) {
  const auto& [n, c, h, w, p, q] = GetParam();
  const Shape input{n, c, h, w};
  const Shape output{n, c, p, q};
  const std::vector<float> x = test::test_data(input.numel(), 1, 0.25F, 1);
  const std::vector<float> dy = test::test_data(output.numel(), 2);
  std::vector<double> want(dy.size());
  std::vector<double> want_dx(x.size());
  for (std::int64_t i = 0; i < output.numel(); ++i) {
    const std::int64_t column = i / c % q;
    const std::int64_t row = i / c / q % p;
    const auto begin_h = static_cast<std::int64_t>(std::floor(static_cast<double>(row * h) / p));
    const auto end_h = static_cast<std::int64_t>(std::ceil(static_cast<double>((row + 1) * h) / p));
    const auto begin_w = static_cast<std::int64_t>(std::floor(static_cast<double>(column * w) / q));
    const auto end_w =
        static_cast<std::int64_t>(std::ceil(static_cast<double>((column + 1) * w) / q));
    const auto count = static_cast<double>((end_h - begin_h) * (end_w - begin_w));
    for (std::int64_t at_h = begin_h; at_h < end_h; ++at_h) {
      for (std::int64_t at_w = begin_w; at_w < end_w; ++at_w) {
        const std::size_t in = position(i / c / q / p, at_h, at_w, i % c, h, w, c);
        want[static_cast<std::size_t>(i)] += x[in] / count;
        want_dx[in] += dy[static_cast<std::size_t>(i)] / count;
      }
    }
  }
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> y(dy.size());
        backend.run(context, AdaptiveAvgPool2d{test::view_of(x, input), test::view_of(y, output)});
        return y;
      },
      [&](const std::vector<float>& y) { test::expect_near(y, want, 2e-6); });
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> dx(x.size(), 9);
        backend.run(context,
                    AdaptiveAvgPool2dBackward{test::view_of(dy, output), test::view_of(dx, input)});
        return dx;
      },
      [&](const std::vector<float>& dx) { test::expect_near(dx, want_dx, 2e-6); });
}

}  // namespace
}  // namespace hanok
