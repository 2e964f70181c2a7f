// Transposed and one-dimensional convolution.
#include "tests/engine/references.h"

namespace hanok::testing {
namespace {

struct Case {
  Shape x, weight;
  Window2d window = {};
  std::int64_t groups = 1, output_pad_h = 0, output_pad_w = 0;
};

const Case kCases[] = {
    {{2, 3, 4, 3}, {3, 5, 2, 2}, {2, 2, 0, 0, 1, 1}},
    {{1, 4, 3, 5}, {4, 2, 3, 3}, {2, 2, 1, 1, 1, 1}, 1, 1, 1},
    {{2, 3, 5, 4}, {3, 2, 3, 3}, {1, 1, 1, 1, 1, 1}},
    {{1, 2, 3, 4}, {2, 3, 2, 3}, {3, 2, 1, 0, 1, 2}, 1, 2, 0},
    {{2, 4, 3, 3}, {4, 3, 3, 3}, {2, 2, 1, 1, 1, 1}, 2, 0, 1},
    {{1, 9, 3, 2}, {9, 1, 3, 3}, {1, 1, 1, 1, 1, 1}, 9},
    {{3, 5, 1, 1}, {5, 4, 1, 1}},
};

/// Scatters every input pixel through the kernel.
Array reference(const Case& c, const std::vector<Array>& in) {
  const Array& x = in[0];
  const Array& weight = in[1];
  const Window2d& w = c.window;
  const std::int64_t each_in = x.size(1) / c.groups;
  const std::int64_t each_out = weight.size(1);
  const std::int64_t out_h = (x.size(2) - 1) * w.stride_h - 2 * w.pad_h +
                             w.dilation_h * (weight.size(2) - 1) + c.output_pad_h + 1;
  const std::int64_t out_w = (x.size(3) - 1) * w.stride_w - 2 * w.pad_w +
                             w.dilation_w * (weight.size(3) - 1) + c.output_pad_w + 1;
  Array y({x.size(0), each_out * c.groups, out_h, out_w});
  for_each_index(x.shape, [&](const std::vector<std::int64_t>& i) {
    for (std::int64_t k = 0; k < each_out; ++k) {
      for (std::int64_t r = 0; r < weight.size(2); ++r) {
        for (std::int64_t s = 0; s < weight.size(3); ++s) {
          const std::int64_t p = i[2] * w.stride_h - w.pad_h + r * w.dilation_h;
          const std::int64_t q = i[3] * w.stride_w - w.pad_w + s * w.dilation_w;
          if (p < 0 || p >= out_h || q < 0 || q >= out_w) continue;
          y({i[0], i[1] / each_in * each_out + k, p, q}) +=
              x({i[0], i[1], i[2], i[3]}) * weight({i[1], k, r, s});
        }
      }
    }
  });
  if (in.size() > 2) {
    for_each_index(y.shape, [&](const std::vector<std::int64_t>& i) {
      y({i[0], i[1], i[2], i[3]}) += in[2]({i[1]});
    });
  }
  return y;
}

TEST(ConvTranspose2d, MatchesReference) {
  std::uint32_t seed = 0;
  for (const Case& c : kCases) {
    const std::vector<Array> inputs = {random_array(c.x, ++seed), random_array(c.weight, ++seed),
                                       random_array({c.weight[1] * c.groups}, ++seed)};
    check_op(
        "conv_transpose2d " + c.x.to_string() + " " + c.weight.to_string(),
        [&](const auto& in) {
          return ops::conv_transpose2d(in[0], in[1], in[2], c.window, c.groups, c.output_pad_h,
                                       c.output_pad_w);
        },
        [&](const auto& in) { return reference(c, in); }, inputs);
  }
}

TEST(ConvTranspose2d, ErrorsNameTheOpAndTheShapes) {
  const Tensor x = new_zeros({1, 3, 4, 4});
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::conv_transpose2d(x, new_zeros({4, 2, 2, 2}));
            }),
            "conv_transpose2d: input has 3 channels, weight expects 4 (input [1,3,4,4], weight "
            "[4,2,2,2])");
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::conv_transpose2d(x, new_zeros({3, 2, 2, 2}), {}, {}, 1, 1, 0);
            }),
            "conv_transpose2d: output padding 1x0 must be below stride or dilation (input "
            "[1,3,4,4], weight [3,2,2,2])");
}

TEST(Conv1d, MatchesReference) {
  struct Case1d {
    Shape x, weight;
    ops::Window1d window = {};
    std::int64_t groups = 1;
  };
  const Case1d cases[] = {{{2, 3, 7}, {5, 3, 3}, {1, 1, 1}},
                          {{1, 4, 11}, {6, 2, 3}, {2, 2, 2}, 2},
                          {{3, 2, 4}, {2, 2, 4}},
                          {{2, 17, 1}, {3, 17, 1}}};
  std::uint32_t seed = 60;
  for (const Case1d& c : cases) {
    const auto image = [](Array a) {  // [N,C,L] as [N,C,1,L]
      if (a.shape.rank() == 3) a.shape = {a.shape[0], a.shape[1], 1, a.shape[2]};
      return a;
    };
    check_op(
        "conv1d " + c.x.to_string(),
        [&](const auto& in) { return ops::conv1d(in[0], in[1], in[2], c.window, c.groups); },
        [&](const std::vector<Array>& in) {
          const Window2d flat{1, c.window.stride, 0, c.window.padding, 1, c.window.dilation};
          Array y = reference_conv2d(image(in[0]), image(in[1]), &in[2], flat, c.groups);
          y.shape = {y.shape[0], y.shape[1], y.shape[3]};
          return y;
        },
        {random_array(c.x, ++seed), random_array(c.weight, ++seed),
         random_array({c.weight[0]}, ++seed)});
  }
  EXPECT_EQ(message_of<ShapeError>([] {
              ops::conv1d(new_zeros({1, 3, 4}), new_zeros({2, 4, 3}));
            }),
            "conv1d: input has 3 channels, weight expects 4 (input [1,3,4], weight [2,4,3])");
}

}  // namespace
}  // namespace hanok::testing
