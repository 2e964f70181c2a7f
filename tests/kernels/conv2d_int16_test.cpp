// Winograd convolutions with integer products against double precision.
#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

#include "hanok/kernels/cpu/conv2d/choices.h"
#include "tests/kernels/conv2d_accuracy.h"
#include "tests/kernels/conv2d_epilogues.h"
#include "tests/kernels/conv2d_reference.h"
#include "tests/kernels/conv2d_same_bits.h"

namespace hanok {
namespace {

using test::name;
using test::Operands;
using test::shape_of;

// Over the rms of the output. A direct convolution of operands rounded to bf16 has 2.3e-3 and 2e-2.
constexpr test::ErrorBounds kBounds{1.2e-2, 1.6e-3};

Conv2dShape conv3x3(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, std::int64_t k,
                    std::int64_t pad_h = 1, std::int64_t pad_w = 1) {
  Conv2dShape shape = shape_of(n, c, h, w, k, 3, 3, 1, {1, 1, pad_h, pad_w, 1, 1});
  shape.int16 = 1;
  return shape;
}

const std::vector<Conv2dShape>& int16_shapes() {
  static const std::vector<Conv2dShape> shapes = {
      conv3x3(1, 32, 16, 16, 32),  // whole tiles
      conv3x3(2, 40, 13, 14, 56),  // tiles cut by 3 and 2, panels and groups cut by 8
      conv3x3(3, 64, 9, 11, 32, 0, 2), conv3x3(5, 32, 7, 7, 72, 2, 0),
      conv3x3(12, 32, 1, 1, 40),     // one pixel
      conv3x3(1, 136, 17, 12, 128),  // deep: panels
      conv3x3(36, 264, 7, 7, 40),    // deep: several blocks of tiles, uneven channels
      conv3x3(4, 136, 13, 6, 128),   // 4 + 3 + 3 + 3
  };
  return shapes;
}

class Conv2dInt16 : public ::testing::Test {
  Conv2dChoices choices_{Conv2dAlgorithm::Winograd4x4Int16};
  UseConv2dChoices use_{choices_};
};

TEST_F(Conv2dInt16, MatchesDoubleReference) {
  for (const Conv2dPass pass :
       {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}) {
    test::expect_accurate(Conv2dAlgorithm::Winograd4x4Int16, pass, int16_shapes(), kBounds);
  }
}

TEST_F(Conv2dInt16, LargeMeansAndRangesKeepTheBound) {
  test::expect_accurate_on_large_values(
      conv3x3(2, 64, 14, 14, 64),
      {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}, 3e-2);
}

TEST_F(Conv2dInt16, EpilogueInEveryCombination) {
  for (const Conv2dShape& s : {conv3x3(2, 32, 11, 10, 40), conv3x3(2, 232, 9, 10, 40)}) {
    const Operands o(s, 0, 0.1F);  // outputs of some units, most of which ReLU6 leaves
    test::expect_every_epilogue(s, o, kBounds.worst, test::isa_paths(s, o));
  }
}

TEST_F(Conv2dInt16, SameBitsForAnyThreadCountAndForPackedWeights) {
  const std::vector<Conv2dShape> shapes = {conv3x3(4, 32, 29, 31, 40), conv3x3(3, 232, 11, 13, 40),
                                           conv3x3(36, 232, 7, 7, 40)};
  test::expect_same_bits_for_any_thread_count(shapes);
  test::expect_same_bits_for_packed_weights(shapes);
}

// Filters whose sums of magnitudes are as large as they can be, over inputs of one value: without
// sums in pieces the integers would overflow.
TEST_F(Conv2dInt16, FiltersOfOneValueDoNotOverflow) {
  const Conv2dShape s = conv3x3(1, 264, 9, 9, 40);
  Operands o(s);
  std::fill(o.x.begin(), o.x.end(), 3.0F);
  std::fill(o.w.begin(), o.w.end(), 0.5F);
  const std::vector<double> want = test::forward_reference(s, o);
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    EXPECT_LE(test::error_over_rms(test::forward(s, o, isa), want), kBounds.worst);
  }
}

// The same for the weights' gradient, whose sums run over tiles: of images of one value all tiles
// are alike, and no run of 64 is exact.
TEST_F(Conv2dInt16, ImagesOfOneValueDoNotOverflow) {
  for (const Conv2dShape& s : {conv3x3(4, 32, 32, 32, 32), conv3x3(12, 264, 16, 16, 40)}) {
    Operands o(s);
    std::fill(o.x.begin(), o.x.end(), 3.0F);
    std::fill(o.dy.begin(), o.dy.end(), -0.5F);
    const std::vector<double> want = test::backward_weights_reference(s, o);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      EXPECT_LE(test::error_over_rms(test::backward_weights(s, o, isa), want), kBounds.worst);
    }
  }
}

TEST_F(Conv2dInt16, EmptyBatchHasAWeightGradientOfZeros) {
  for (const std::int64_t c : {32, 264}) {
    const Conv2dShape s = conv3x3(0, c, 9, 9, 40);
    const std::vector<float> dw =
        test::backward_weights(s, Operands(s), cpu::isas_of_this_cpu()[0]);
    EXPECT_EQ(dw, std::vector<float>(dw.size(), 0.0F));
  }
}

// Channels have scales of their own: one of huge values leaves the others' gradients exact.
TEST_F(Conv2dInt16, ChannelsOfOneGradientDoNotShareAScale) {
  const Conv2dShape s = conv3x3(2, 32, 12, 12, 32);
  Operands plain(s);
  Operands scaled(s);
  for (std::size_t i = 5; i < scaled.x.size(); i += 32) scaled.x[i] *= 1e6F;
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    const std::vector<float> want = test::backward_weights(s, plain, isa);
    const std::vector<float> got = test::backward_weights(s, scaled, isa);
    for (std::size_t i = 0; i < want.size(); ++i) {
      if (i % 32 == 5) continue;
      EXPECT_EQ(got[i], want[i]) << i;
    }
  }
}

TEST(Conv2dInt16Choice, InputGradientsNeedEnoughTilesToPayForPacking) {
  const Conv2dShape few = conv3x3(12, 512, 7, 7, 512);  // 4 tiles an image
  const Conv2dShape enough = conv3x3(16, 512, 7, 7, 512);
  EXPECT_EQ(choose_conv2d(Conv2dPass::BackwardData, few), Conv2dAlgorithm::Winograd4x4);
  EXPECT_EQ(choose_conv2d(Conv2dPass::BackwardData, enough), Conv2dAlgorithm::Winograd4x4Int16);
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, few), Conv2dAlgorithm::Winograd4x4Int16);
}

TEST_F(Conv2dInt16, IsForThoseAloneThatAllowIt) {
  Conv2dShape s = conv3x3(1, 64, 16, 16, 64);
  EXPECT_TRUE(can_compute(Conv2dAlgorithm::Winograd4x4Int16, Conv2dPass::Forward, s));
  EXPECT_TRUE(can_compute(Conv2dAlgorithm::Winograd4x4Int16, Conv2dPass::BackwardWeights, s));
  s.int16 = 0;
  EXPECT_FALSE(can_compute(Conv2dAlgorithm::Winograd4x4Int16, Conv2dPass::Forward, s));
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, s), Conv2dAlgorithm::Winograd4x4);
}

// Scales belong to tiles: an image's result does not depend on the images beside it.
TEST_F(Conv2dInt16, ImagesDoNotDependOnTheirBatch) {
  for (const std::int64_t c : {64, 264}) {
    test::expect_same_bits_for_a_single_image(conv3x3(3, c, 13, 13, 40));
  }
}

}  // namespace
}  // namespace hanok
