#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "hanok/kernels/cpu/conv2d/choose.h"
#include "hanok/kernels/cpu/conv2d/conv2d.h"
#include "tests/kernels/conv2d_accuracy.h"
#include "tests/kernels/conv2d_epilogues.h"
#include "tests/kernels/conv2d_reference.h"
#include "tests/kernels/kernel_context.h"

namespace hanok {
namespace {

using test::Operands;
using test::shape_of;

// The worst single element over the rms of all outputs: as the direct algorithm's.
constexpr double kWorst = 5e-6;

Conv2dShape conv3x3(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, std::int64_t k,
                    std::int64_t pad_h = 1, std::int64_t pad_w = 1) {
  return shape_of(n, c, h, w, k, 3, 3, 1, {1, 1, pad_h, pad_w, 1, 1});
}

const std::vector<Conv2dShape>& deep_shapes() {
  static const std::vector<Conv2dShape> shapes = {
      conv3x3(1, 512, 7, 7, 136),         // tiles cut, panels cut by 8, two blocks of k
      conv3x3(2, 264, 8, 8, 256),         // whole tiles, two images
      conv3x3(1, 264, 9, 11, 256, 0, 2),  // uneven padding
      conv3x3(1, 264, 5, 13, 256, 2, 0), conv3x3(4, 264, 1, 2, 256),  // images smaller than a tile
  };
  return shapes;
}

TEST(Conv2dWinograd2x2, MatchesDoubleReference) {
  test::expect_accurate(Conv2dAlgorithm::Winograd2x2, Conv2dPass::Forward, deep_shapes(),
                        {kWorst, kWorst});
}

TEST(Conv2dWinograd2x2, LargeMeansAndRangesKeepTheBound) {
  test::expect_accurate_on_large_values(conv3x3(1, 512, 7, 7, 136), {Conv2dPass::Forward}, 1e-5);
}

TEST(Conv2dWinograd2x2, EpilogueInEveryCombination) {
  const Conv2dShape s = conv3x3(1, 512, 7, 9, 136);
  const Operands o(s, 0, 0.1F);  // outputs of some units, most of which ReLU6 leaves
  test::expect_every_epilogue(s, o, kWorst, test::isa_paths(s, o));
}

// With few pixels the direct algorithm reads fewer weights, with many F(4x4) multiplies less.
TEST(Conv2dWinograd2x2, IsChosenBetweenTheOthers) {
  const auto chosen = [](std::int64_t n, Conv2dPass pass = Conv2dPass::Forward) {
    return choose_conv2d(pass, conv3x3(n, 512, 4, 4, 512));
  };
  EXPECT_EQ(chosen(3), Conv2dAlgorithm::ImplicitGemm);
  EXPECT_EQ(chosen(4), Conv2dAlgorithm::Winograd2x2);
  EXPECT_EQ(chosen(11), Conv2dAlgorithm::Winograd2x2);
  EXPECT_EQ(chosen(12), Conv2dAlgorithm::Winograd4x4);
  EXPECT_EQ(chosen(11, Conv2dPass::BackwardData), Conv2dAlgorithm::ImplicitGemm);
  EXPECT_EQ(chosen(11, Conv2dPass::BackwardWeights), Conv2dAlgorithm::ImplicitGemm);
}

}  // namespace
}  // namespace hanok
