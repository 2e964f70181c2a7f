// Pooling.
#include <algorithm>
#include <limits>

#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

struct Case {
  Shape x;
  std::int64_t r, s;
  Window2d window;
};

const Case kCases[] = {
    {{2, 3, 6, 4}, 2, 2, {2, 2, 0, 0, 1, 1}},
    {{1, 17, 7, 9}, 3, 3, {2, 2, 1, 1, 1, 1}},  // ResNet's
    {{2, 5, 5, 6}, 3, 2, {1, 3, 1, 0, 1, 1}},   // overlapping, all different
    {{3, 8, 1, 1}, 1, 1, {1, 1, 0, 0, 1, 1}},
    {{1, 2, 4, 5}, 4, 5, {1, 1, 0, 0, 1, 1}},  // the whole image
    {{1, 3, 5, 5}, 2, 2, {3, 3, 0, 0, 1, 1}},  // pixels that no window sees
};

/// Calls visit(h, w) for the taps of output pixel (p, q) that lie in the image, in order.
template <typename Visit>
void for_each_tap(const Case& c, std::int64_t p, std::int64_t q, const Visit& visit) {
  for (std::int64_t r = 0; r < c.r; ++r) {
    for (std::int64_t s = 0; s < c.s; ++s) {
      const std::int64_t h = p * c.window.stride_h - c.window.pad_h + r * c.window.dilation_h;
      const std::int64_t w = q * c.window.stride_w - c.window.pad_w + s * c.window.dilation_w;
      if (h >= 0 && h < c.x[2] && w >= 0 && w < c.x[3]) visit(h, w);
    }
  }
}

Shape output_of(const Case& c) {
  const auto size = [](std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                       std::int64_t dilation) {
    return (in + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
  };
  const Window2d& w = c.window;
  return {c.x[0], c.x[1], size(c.x[2], c.r, w.stride_h, w.pad_h, w.dilation_h),
          size(c.x[3], c.s, w.stride_w, w.pad_w, w.dilation_w)};
}

Array reference_max_pool(const Case& c, const Array& x) {
  Array y(output_of(c), -std::numeric_limits<double>::infinity());
  for_each_index(y.shape, [&](const std::vector<std::int64_t>& i) {
    double& best = y({i[0], i[1], i[2], i[3]});
    for_each_tap(c, i[2], i[3], [&](std::int64_t h, std::int64_t w) {
      best = std::max(best, x({i[0], i[1], h, w}));
    });
  });
  return y;
}

Array reference_avg_pool(const Case& c, const Array& x, bool count_include_pad) {
  Array y(output_of(c));
  for_each_index(y.shape, [&](const std::vector<std::int64_t>& i) {
    double sum = 0;
    double inside = 0;
    for_each_tap(c, i[2], i[3], [&](std::int64_t h, std::int64_t w) {
      sum += x({i[0], i[1], h, w});
      ++inside;
    });
    y({i[0], i[1], i[2], i[3]}) =
        sum / (count_include_pad ? static_cast<double>(c.r * c.s) : inside);
  });
  return y;
}

TEST(MaxPool2d, MatchesReference) {
  std::uint32_t seed = 0;
  std::vector<Case> cases(std::begin(kCases), std::end(kCases));
  cases.push_back({{1, 3, 8, 9}, 3, 3, {1, 2, 1, 1, 2, 2}});  // dilated
  for (const Case& c : cases) {
    check_op(
        "max_pool2d " + c.x.to_string(),
        [&](const auto& x) { return ops::max_pool2d(x[0], c.r, c.s, c.window); },
        [&](const auto& x) { return reference_max_pool(c, x[0]); }, {random_array(c.x, ++seed)},
        {0, 1e-6});
  }
}

TEST(MaxPool2d, PaddingIsMinusInfinityAndTheFirstMaximumTakesTheGradient) {
  Tensor x = new_full({1, 1, 2, 2}, -3).set_requires_grad(true);
  const Tensor y = ops::max_pool2d(x, 2, 2, {2, 2, 1, 1, 1, 1});
  EXPECT_EQ(y.to_vector(), (std::vector<float>{-3, -3, -3, -3}));
  Tensor z = new_full({1, 1, 2, 2}, 5).set_requires_grad(true);
  ops::max_pool2d(z, 2, 2, {2, 2, 0, 0, 1, 1}).backward(new_ones({1, 1, 1, 1}));
  EXPECT_EQ(z.grad().to_vector(), (std::vector<float>{1, 0, 0, 0}));
}

TEST(AvgPool2d, MatchesReference) {
  std::uint32_t seed = 50;
  for (const Case& c : kCases) {
    for (const bool include : {true, false}) {
      check_op(
          "avg_pool2d " + c.x.to_string(),
          [&](const auto& x) { return ops::avg_pool2d(x[0], c.r, c.s, c.window, include); },
          [&](const auto& x) { return reference_avg_pool(c, x[0], include); },
          {random_array(c.x, ++seed)});
    }
  }
}

TEST(AdaptiveAvgPool2d, MatchesReference) {
  std::uint32_t seed = 100;
  const std::pair<Shape, std::pair<std::int64_t, std::int64_t>> cases[] = {
      {{2, 17, 7, 7}, {1, 1}},
      {{2, 3, 7, 5}, {3, 2}},
      {{1, 8, 4, 6}, {4, 6}},
      {{1, 5, 2, 3}, {3, 5}},  // more outputs than inputs: windows overlap
      {{3, 4, 1, 1}, {1, 1}}};
  for (const auto& [shape, out] : cases) {
    const auto [out_h, out_w] = out;
    check_op(
        "adaptive_avg_pool2d " + shape.to_string(),
        [&, h = out_h, w = out_w](const auto& x) { return ops::adaptive_avg_pool2d(x[0], h, w); },
        [&, h = out_h, w = out_w](const auto& xs) {
          const Array& x = xs[0];
          Array y({x.size(0), x.size(1), h, w});
          for_each_index(y.shape, [&](const std::vector<std::int64_t>& i) {
            const auto first = [](std::int64_t p, std::int64_t in, std::int64_t to) {
              return p * in / to;
            };
            const auto last = [](std::int64_t p, std::int64_t in, std::int64_t to) {
              return ((p + 1) * in + to - 1) / to;
            };
            double sum = 0;
            double count = 0;
            for (auto r = first(i[2], x.size(2), h); r < last(i[2], x.size(2), h); ++r) {
              for (auto s = first(i[3], x.size(3), w); s < last(i[3], x.size(3), w); ++s) {
                sum += x({i[0], i[1], r, s});
                ++count;
              }
            }
            y({i[0], i[1], i[2], i[3]}) = sum / count;
          });
          return y;
        },
        {random_array(shape, ++seed)});
  }
}

TEST(Pool, ErrorsNameTheOpAndTheShape) {
  const Tensor x = new_zeros({1, 2, 4, 4});
  EXPECT_EQ(message_of<ShapeError>([&] { ops::max_pool2d(x, 5, 5, {}); }),
            "max_pool2d: a kernel of 5x5 does not fit into the padded input (input [1,2,4,4])");
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::max_pool2d(x, 2, 2, {2, 2, 2, 2, 1, 1});
            }),
            "max_pool2d: padding 2x2 must be between 0 and half the kernel 2x2 (input [1,2,4,4])");
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::max_pool2d(new_zeros({1, 1, 20, 20}), 16, 16, {});
            }),
            "max_pool2d: a kernel of 16x16 has more than 255 taps (input [1,1,20,20])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::avg_pool2d(new_zeros({4, 4}), 2, 2, {});
            }),
            "avg_pool2d: expected an input [N,C,H,W] (input [4,4])");
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::avg_pool2d(x, 2, 2, {1, 1, 0, 0, 2, 2});
            }),
            "avg_pool2d: dilation must be 1 (input [1,2,4,4])");
  EXPECT_EQ(message_of<ValueError>([&] { ops::adaptive_avg_pool2d(x, 0, 1); }),
            "adaptive_avg_pool2d: cannot pool to 0x1 pixels (input [1,2,4,4])");
}

}  // namespace
}  // namespace hanok::testing
