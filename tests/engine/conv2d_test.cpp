// Convolution.
#include <algorithm>
#include <fmt/format.h>
#include <string>

#include "hanok/engine/runtime.h"
#include "hanok/engine/tensor_impl.h"
#include "tests/engine/references.h"

namespace hanok::testing {
namespace {

struct Case {
  const char* what;
  Shape x, weight;
  Window2d window = {};
  std::int64_t groups = 1;
};

// stride, padding, dilation: height first.
const Case kCases[] = {
    {"1x1", {2, 3, 4, 5}, {4, 3, 1, 1}},
    {"1x1 strided", {2, 3, 5, 6}, {4, 3, 1, 1}, {2, 2, 0, 0, 1, 1}},
    {"1x1 over one pixel", {3, 17, 1, 1}, {5, 17, 1, 1}},
    {"3x3", {2, 3, 5, 6}, {4, 3, 3, 3}},
    {"3x3 padded", {1, 8, 5, 4}, {9, 8, 3, 3}, {1, 1, 1, 1, 1, 1}},
    {"3x3 padded, strided", {2, 5, 7, 6}, {7, 5, 3, 3}, {2, 2, 1, 1, 1, 1}},
    {"3x3 dilated", {1, 3, 7, 8}, {2, 3, 3, 3}, {1, 1, 2, 2, 2, 2}},
    {"all different", {2, 3, 8, 9}, {5, 3, 2, 4}, {2, 3, 1, 2, 2, 1}},
    {"padding wider than the kernel", {1, 2, 3, 3}, {3, 2, 2, 2}, {1, 1, 3, 3, 1, 1}},
    {"7x7 stem", {1, 3, 9, 8}, {4, 3, 7, 7}, {2, 2, 3, 3, 1, 1}},
    {"1x5 and back", {1, 2, 4, 9}, {3, 2, 1, 5}, {1, 1, 0, 2, 1, 1}},
    {"kernel as large as the image", {2, 3, 4, 3}, {5, 3, 4, 3}},
    {"two groups", {2, 4, 5, 5}, {6, 2, 3, 3}, {1, 1, 1, 1, 1, 1}, 2},
    {"uneven groups", {1, 6, 4, 4}, {9, 2, 2, 2}, {1, 1, 0, 0, 1, 1}, 3},
    {"depthwise", {2, 5, 6, 5}, {5, 1, 3, 3}, {2, 1, 1, 1, 1, 1}, 5},
    {"depthwise, two outputs a channel", {1, 9, 4, 4}, {18, 1, 3, 3}, {1, 1, 1, 1, 1, 1}, 9},
    {"one channel", {2, 1, 5, 5}, {1, 1, 3, 3}, {1, 1, 1, 1, 1, 1}},
};

TEST(Conv2d, MatchesDirectReference) {
  std::uint32_t seed = 0;
  for (const Case& c : kCases) {
    std::vector<Array> inputs = {random_array(c.x, ++seed), random_array(c.weight, ++seed)};
    const bool bias = (&c - kCases) % 2 == 0;
    if (bias) inputs.push_back(random_array({c.weight[0]}, ++seed));
    check_op(
        c.what,
        [&](const auto& in) {
          return ops::conv2d(in[0], in[1], bias ? in[2] : Tensor(), c.window, c.groups);
        },
        [&](const auto& in) {
          return reference_conv2d(in[0], in[1], bias ? &in[2] : nullptr, c.window, c.groups);
        },
        inputs);
  }
}

// Zeros before and after `size` pixels, as TensorFlow documents SAME: "if (in_height % strides[1]
// == 0) pad_along_height = max(filter_height - stride_height, 0) else pad_along_height =
// max(filter_height - (in_height % stride_height), 0)", of which half, rounded down, come before.
struct Zeros {
  std::int64_t before, after;
  Zeros(std::int64_t size, std::int64_t kernel, std::int64_t stride) {
    const std::int64_t total =
        std::max<std::int64_t>(size % stride == 0 ? kernel - stride : kernel - size % stride, 0);
    before = total / 2;
    after = total - before;
  }
};

Array padded(const Array& x, const Zeros& h, const Zeros& w) {
  Array out({x.size(0), x.size(1), x.size(2) + h.before + h.after, x.size(3) + w.before + w.after});
  for_each_index(x.shape, [&](const std::vector<std::int64_t>& i) {
    out({i[0], i[1], i[2] + h.before, i[3] + w.before}) = x({i[0], i[1], i[2], i[3]});
  });
  return out;
}

TEST(Conv2d, SamePaddingMatchesTensorFlowsRule) {
  std::uint32_t seed = 100;
  int cases = 0;
  for (const std::int64_t kernel : {1, 2, 3, 5}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      for (const auto& [height, width] :
           {std::pair<std::int64_t, std::int64_t>{7, 6}, {8, 9}, {2, 1}}) {
        for (const std::int64_t groups : {1, 4}) {
          const std::int64_t channels = groups == 1 ? 2 : groups;
          const std::vector<Array> inputs = {
              random_array({1, channels, height, width}, ++seed),
              random_array({4, channels / groups, kernel, kernel}, ++seed)};
          const Window2d window{.stride_h = stride, .stride_w = stride};
          const Zeros h(height, kernel, stride);
          const Zeros w(width, kernel, stride);
          const std::string what = fmt::format("{}x{} / {} over {}x{}, {} groups", kernel, kernel,
                                               stride, height, width, groups);
          check_op(
              what,
              [&](const auto& in) {
                return ops::conv2d(in[0], {.weight = in[1],
                                           .window = window,
                                           .groups = groups,
                                           .padding = ops::Padding::Same});
              },
              [&](const auto& in) {
                return reference_conv2d(padded(in[0], h, w), in[1], nullptr, window, groups);
              },
              inputs);
          ++cases;
        }
      }
    }
  }
  EXPECT_EQ(cases, 72);
}

TEST(Conv2d, SamePaddingOfADilatedKernelAndOfUnequalStrides) {
  const std::vector<Array> inputs = {random_array({1, 2, 8, 9}, 1), random_array({3, 2, 3, 3}, 2)};
  const Window2d window{.stride_h = 2, .stride_w = 1, .dilation_h = 1, .dilation_w = 2};
  // Five columns are read for one output: two zeros on either side.
  const Zeros h(8, 3, 2);
  const Zeros w(9, 5, 1);
  check_op(
      "dilated",
      [&](const auto& in) {
        return ops::conv2d(in[0],
                           {.weight = in[1], .window = window, .padding = ops::Padding::Same});
      },
      [&](const auto& in) {
        return reference_conv2d(padded(in[0], h, w), in[1], nullptr, window, 1);
      },
      inputs);
}

TEST(Conv2d, SamePaddingRejectsPaddingOfTheWindow) {
  const Tensor x = new_zeros({1, 1, 4, 4});
  const ops::Conv2dArguments conv{.weight = new_zeros({1, 1, 3, 3}),
                                  .window = {.pad_h = 1, .pad_w = 1},
                                  .padding = ops::Padding::Same};
  try {
    ops::conv2d(x, conv);
    FAIL() << "accepted";
  } catch (const ValueError& error) {
    EXPECT_NE(std::string(error.what()).find("padding 1x1 beside Padding::Same"), std::string::npos)
        << error.what();
  }
}

TEST(Conv2d, AShortLastBatchGivesTheSameBits) {
  // Frozen, so that packed weights are kept from one batch size to the other.
  const Tensor weight = to_tensor(random_array({64, 64, 3, 3}, 1));
  const Tensor full = to_tensor(random_array({16, 64, 4, 4}, 2));
  const Window2d window{1, 1, 1, 1, 1, 1};
  Tensor last = ops::slice(full, 0, 14, 16);
  last.set_requires_grad(true);
  const auto gradient = [&](const Tensor& y) {
    last.zero_grad();
    ops::sum(y).backward();
    return last.grad();
  };
  const Tensor freely = ops::conv2d(last, weight, Tensor(), window, 1);
  const Tensor freely_gradient = gradient(freely);
  const NominalBatch nominal(16);
  Tensor whole = full.detach();
  whole.set_requires_grad(true);
  const Tensor y = ops::conv2d(whole, weight, Tensor(), window, 1);
  ops::sum(y).backward();
  const Tensor short_y = ops::conv2d(last, weight, Tensor(), window, 1);
  expect_same_bits(short_y, ops::slice(y, 0, 14, 16), "last two images");
  expect_same_bits(gradient(short_y), ops::slice(whole.grad(), 0, 14, 16), "their gradient");
  // Two images alone would go another way: the scope is what makes them equal.
  EXPECT_NE(short_y.to_vector(), freely.to_vector());
  EXPECT_THROW(NominalBatch(-1), ValueError);
  {
    const NominalBatch none(0);
    EXPECT_EQ(nominal_batch(), 0);
  }
  EXPECT_EQ(nominal_batch(), 16);
}

TEST(Conv2d, LayersOfAResNetMatchReference) {
  // Real channel counts, so that the fast paths with several blocks are taken; forward only, since
  // the numeric gradient would take hours. Sums of 576 and 1152 terms.
  const Case cases[] = {
      {"64 -> 64", {2, 64, 14, 14}, {64, 64, 3, 3}, {1, 1, 1, 1, 1, 1}},
      {"128 -> 64, strided", {1, 128, 9, 9}, {64, 128, 3, 3}, {2, 2, 1, 1, 1, 1}},
      {"stem", {1, 3, 40, 40}, {64, 3, 7, 7}, {2, 2, 3, 3, 1, 1}},
  };
  for (const Case& c : cases) {
    const Array x = random_array(c.x, 7);
    const Array w = random_array(c.weight, 8);
    expect_close(ops::conv2d(to_tensor(x), to_tensor(w), {}, c.window),
                 reference_conv2d(x, w, nullptr, c.window, 1), 5e-6, c.what);
  }
}

std::size_t pack_count(const Tensor& weight) { return weight.impl().packs.size(); }

TEST(Conv2d, PacksAreKeptOnlyForWeightsThatStay) {
  const Tensor x = to_tensor(random_array({2, 32, 14, 14}, 1));
  Tensor weight = to_tensor(random_array({32, 32, 3, 3}, 2));
  const Window2d same{1, 1, 1, 1, 1, 1};
  const Tensor first = ops::conv2d(x, weight, {}, same);
  const std::size_t packs = pack_count(weight);  // 0 where the algorithm packs nothing
  expect_same_bits(ops::conv2d(x, weight, {}, same), first, "packed once, used twice");
  EXPECT_EQ(pack_count(weight), packs);

  // New values: the old pack is not used and not kept.
  overwrite(weight, 4, element(weight, 4) + 1);
  const Tensor changed = ops::conv2d(x, weight, {}, same);
  expect_same_bits(changed, ops::conv2d(x, weight.clone(), {}, same), "after a write");
  EXPECT_EQ(pack_count(weight), packs);

  weight.set_requires_grad(true);
  expect_same_bits(ops::conv2d(x, weight, {}, same), changed, "trained");
  EXPECT_EQ(pack_count(weight), 0U) << "a weight that is trained holds no pack";
  {
    const NoGrad no_grad;
    expect_same_bits(ops::conv2d(x, weight, {}, same), changed, "evaluated");
    EXPECT_EQ(pack_count(weight), packs);
  }
}

TEST(Conv2d, ErrorsNameTheOpAndAllShapes) {
  const Tensor x = new_zeros({8, 64, 56, 56});
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::conv2d(x, new_zeros({256, 128, 3, 3}));
            }),
            "conv2d: input has 64 channels, weight expects 128 (input [8,64,56,56], weight "
            "[256,128,3,3])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::conv2d(x, new_zeros({9, 16, 3, 3}), {}, {}, 2);
            }),
            "conv2d: input has 64 channels, weight expects 32 in 2 groups (input [8,64,56,56], "
            "weight [9,16,3,3])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::conv2d(x, new_zeros({9, 32, 3, 3}), {}, {}, 2);
            }),
            "conv2d: 9 output channels do not divide into 2 groups (input [8,64,56,56], weight "
            "[9,32,3,3])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::conv2d(x, new_zeros({4, 64, 3, 3}), new_zeros({3}));
            }),
            "conv2d: bias must have the weight's 4 output channels (input [8,64,56,56], weight "
            "[4,64,3,3], bias [3])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::conv2d(new_zeros({1, 2, 4, 4}), new_zeros({1, 2, 3, 3}), {}, {1, 1, 0, 0, 2, 2});
            }),
            "conv2d: a kernel of 3x3, dilation 2x2, does not fit into the input padded to 4x4 "
            "(input [1,2,4,4], weight [1,2,3,3])");
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::conv2d(x, new_zeros({4, 64, 3, 3}), {}, {0, 1, 0, 0, 1, 1});
            }),
            "conv2d: stride 0x1, dilation 1x1 and groups 1 must be at least 1, padding 0x0 at "
            "least 0 (input [8,64,56,56], weight [4,64,3,3])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::conv2d(x, new_zeros({4, 64}));
            }),
            "conv2d: expected input [N,C,H,W] and weight [K,C/groups,R,S] (input [8,64,56,56], "
            "weight [4,64])");
}

}  // namespace
}  // namespace hanok::testing
