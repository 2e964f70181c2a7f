// Resizing.
#include <algorithm>
#include <cmath>

#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

struct Case {
  Shape x;
  std::int64_t out_h, out_w;
};

// Up, down, both at once, by whole and by broken factors; from and to one pixel.
const Case kCases[] = {{{2, 3, 3, 4}, 6, 8}, {{1, 17, 4, 5}, 7, 3}, {{2, 2, 5, 3}, 2, 7},
                       {{1, 4, 1, 1}, 3, 2}, {{2, 3, 4, 6}, 1, 1},  {{1, 2, 4, 4}, 4, 4}};

TEST(Upsample, NearestMatchesReference) {
  std::uint32_t seed = 0;
  for (const Case& c : kCases) {
    check_op(
        "nearest " + c.x.to_string(),
        [&](const auto& x) { return ops::upsample_nearest2d(x[0], c.out_h, c.out_w); },
        [&](const std::vector<Array>& x) {
          Array y({c.x[0], c.x[1], c.out_h, c.out_w});
          for_each_index(y.shape, [&](const std::vector<std::int64_t>& i) {
            y({i[0], i[1], i[2], i[3]}) =
                x[0]({i[0], i[1], i[2] * c.x[2] / c.out_h, i[3] * c.x[3] / c.out_w});
          });
          return y;
        },
        {random_array(c.x, ++seed)}, {0, 1e-6});
  }
}

double source_position(std::int64_t i, std::int64_t from, std::int64_t to, bool align) {
  double position =
      align ? (to > 1 ? static_cast<double>(i * (from - 1)) / static_cast<double>(to - 1) : 0)
            : (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) -
                  0.5;
  return std::clamp(position, 0.0, static_cast<double>(from - 1));
}

TEST(Upsample, BilinearMatchesReference) {
  std::uint32_t seed = 50;
  for (const Case& c : kCases) {
    for (const bool align : {false, true}) {
      check_op(
          "bilinear " + c.x.to_string(),
          [&](const auto& x) { return ops::upsample_bilinear2d(x[0], c.out_h, c.out_w, align); },
          [&](const std::vector<Array>& x) {
            Array y({c.x[0], c.x[1], c.out_h, c.out_w});
            for_each_index(y.shape, [&](const std::vector<std::int64_t>& i) {
              const double h = source_position(i[2], c.x[2], c.out_h, align);
              const double w = source_position(i[3], c.x[3], c.out_w, align);
              const auto h0 = static_cast<std::int64_t>(h);
              const auto w0 = static_cast<std::int64_t>(w);
              const std::int64_t h1 = std::min(h0 + 1, c.x[2] - 1);
              const std::int64_t w1 = std::min(w0 + 1, c.x[3] - 1);
              const double a = h - static_cast<double>(h0);
              const double b = w - static_cast<double>(w0);
              const auto at = [&](std::int64_t r, std::int64_t s) {
                return x[0]({i[0], i[1], r, s});
              };
              y({i[0], i[1], i[2], i[3]}) = (1 - a) * ((1 - b) * at(h0, w0) + b * at(h0, w1)) +
                                            a * ((1 - b) * at(h1, w0) + b * at(h1, w1));
            });
            return y;
          },
          {random_array(c.x, ++seed)});
    }
  }
}

TEST(Upsample, ErrorsNameTheOpAndTheShape) {
  EXPECT_EQ(message_of<ValueError>([] {
              ops::upsample_nearest2d(new_zeros({1, 1, 2, 2}), 0, 4);
            }),
            "upsample_nearest2d: cannot resize to 0x4 pixels (input [1,1,2,2])");
  EXPECT_EQ(message_of<ShapeError>([] {
              ops::upsample_bilinear2d(new_zeros({2, 2}), 4, 4);
            }),
            "upsample_bilinear2d: expected an input [N,C,H,W] (input [2,2])");
}

}  // namespace
}  // namespace hanok::testing
