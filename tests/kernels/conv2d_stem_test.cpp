#include <algorithm>
#include <gtest/gtest.h>
#include <string>

#include "hanok/kernels/cpu/conv2d/choose.h"
#include "hanok/kernels/cpu/conv2d/conv2d.h"
#include "tests/kernels/conv2d_accuracy.h"
#include "tests/kernels/conv2d_epilogues.h"
#include "tests/kernels/conv2d_reference.h"
#include "tests/kernels/kernel_context.h"

namespace hanok {
namespace {

using test::backward_weights;
using test::Operands;
using test::shape_of;

// The worst single element over the rms of all outputs.
constexpr double kWorst = 2e-5;

Conv2dShape stem(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, std::int64_t k,
                 std::int64_t r = 7, std::int64_t s = 7, std::int64_t pad_h = 3,
                 std::int64_t pad_w = 3) {
  return shape_of(n, c, h, w, k, r, s, 1, {2, 2, pad_h, pad_w, 1, 1});
}

const std::vector<Conv2dShape>& stem_shapes() {
  static const std::vector<Conv2dShape> shapes = {
      stem(2, 3, 36, 42, 64),              // whole tiles
      stem(1, 3, 31, 77, 40),              // odd image, tiles cut, panels cut by 8, two blocks
      stem(1, 3, 40, 224, 16),             // a row of three blocks and a rest
      stem(2, 1, 25, 30, 72),              // one channel, two groups of filters
      stem(1, 2, 28, 26, 16, 7, 7, 2, 3),  // even padding above
      stem(1, 4, 29, 33, 24, 5, 6, 2, 0),  // smaller kernels, no padding beside
      stem(1, 3, 7, 30, 16, 6, 5, 5, 1),   // much padding, few rows
      stem(3, 3, 5, 23, 16, 5, 7, 0, 4),   // one row of outputs
      stem(9, 3, 12, 262, 24),             // wider than a part of the weight gradient
  };
  return shapes;
}

TEST(Conv2dStem, MatchesDoubleReference) {
  for (const Conv2dPass pass : {Conv2dPass::Forward, Conv2dPass::BackwardWeights}) {
    test::expect_accurate(Conv2dAlgorithm::WinogradStem, pass, stem_shapes(), {kWorst, kWorst});
  }
}

TEST(Conv2dStem, BackwardWeightsOfNoImagesAreZero) {
  Conv2dShape s = stem(2, 3, 36, 42, 64);
  s.nominal_n = s.n;
  s.n = 0;
  const Operands o(s);
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    EXPECT_EQ(backward_weights(s, o, isa), std::vector<float>(o.w.size(), 0.0F));
  }
}

TEST(Conv2dStem, LargeMeansAndRangesKeepTheBound) {
  test::expect_accurate_on_large_values(stem(1, 3, 64, 64, 64),
                                        {Conv2dPass::Forward, Conv2dPass::BackwardWeights}, 1e-4);
}

TEST(Conv2dStem, EpilogueInEveryCombination) {
  const Conv2dShape s = stem(2, 3, 27, 78, 72);
  const Operands o(s);
  test::expect_every_epilogue(s, o, kWorst, test::isa_paths(s, o));
}

// Packed weights of an odd and an even padding differ, and so must what they are filed under.
TEST(Conv2dStem, PackKeysTellPaddingsApart) {
  const auto key = [](std::int64_t pad_h, std::int64_t pad_w) {
    return cpu::conv2d_pack_key(cpu::Isa::Portable, Conv2dPass::Forward,
                                stem(1, 3, 40, 40, 16, 7, 7, pad_h, pad_w));
  };
  EXPECT_EQ(key(3, 3), key(1, 3));
  EXPECT_NE(key(3, 3), key(2, 3));
  EXPECT_NE(key(3, 3), key(3, 2));
}

TEST(Conv2dStem, OtherPassesAndShapesGoElsewhere) {
  const Conv2dShape s = stem(1, 3, 40, 40, 16);
  EXPECT_EQ(choose_conv2d(Conv2dPass::BackwardData, s), Conv2dAlgorithm::ImplicitGemm);
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, stem(1, 5, 40, 40, 16)),
            Conv2dAlgorithm::ImplicitGemm);
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, stem(1, 3, 40, 40, 20)),
            Conv2dAlgorithm::FewChannels);
}

}  // namespace
}  // namespace hanok
