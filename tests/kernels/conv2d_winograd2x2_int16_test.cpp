// Winograd F(2x2, 3x3) with integer products against double precision.
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

// Over the rms of the output: nearer than F(4x4, 3x3), whose transforms enlarge more.
constexpr test::ErrorBounds kBounds{3e-3, 5e-4};

Conv2dShape conv3x3(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, std::int64_t k,
                    std::int64_t pad_h = 1, std::int64_t pad_w = 1) {
  Conv2dShape shape = shape_of(n, c, h, w, k, 3, 3, 1, {1, 1, pad_h, pad_w, 1, 1});
  shape.int16 = 1;
  return shape;
}

const std::vector<Conv2dShape>& int16_shapes() {
  static const std::vector<Conv2dShape> shapes = {
      conv3x3(1, 32, 8, 8, 32),                                 // whole tiles
      conv3x3(1, 512, 7, 7, 96),                                // tiles cut by 1, as in ResNet
      conv3x3(2, 40, 5, 6, 56),                                 // panels and groups cut by 8
      conv3x3(3, 64, 9, 11, 24, 0, 2),                          // columns of half a task
      conv3x3(5, 32, 7, 7, 72, 2, 0),  conv3x3(7, 8, 1, 1, 40)  // one pixel
  };
  return shapes;
}

class Conv2dWinograd2x2Int16 : public ::testing::Test {
  Conv2dChoices choices_{Conv2dAlgorithm::Winograd2x2Int16};
  UseConv2dChoices use_{choices_};
};

TEST_F(Conv2dWinograd2x2Int16, MatchesDoubleReference) {
  test::expect_accurate(Conv2dAlgorithm::Winograd2x2Int16, Conv2dPass::Forward, int16_shapes(),
                        kBounds);
}

TEST_F(Conv2dWinograd2x2Int16, LargeMeansAndRangesKeepTheBound) {
  test::expect_accurate_on_large_values(conv3x3(1, 128, 7, 7, 64), {Conv2dPass::Forward}, 1e-2);
}

TEST_F(Conv2dWinograd2x2Int16, EpilogueInEveryCombination) {
  const Conv2dShape s = conv3x3(2, 64, 7, 5, 40);
  const Operands o(s, 0, 0.1F);  // outputs of some units, most of which ReLU6 leaves
  test::expect_every_epilogue(s, o, kBounds.worst, test::isa_paths(s, o));
}

TEST_F(Conv2dWinograd2x2Int16, SameBitsForAnyThreadCountAndForPackedWeights) {
  const std::vector<Conv2dShape> shapes = {conv3x3(1, 512, 7, 7, 72), conv3x3(3, 40, 5, 6, 40)};
  test::expect_same_bits_for_any_thread_count(shapes);
  test::expect_same_bits_for_packed_weights(shapes);
}

TEST_F(Conv2dWinograd2x2Int16, ImagesDoNotDependOnTheirBatch) {
  test::expect_same_bits_for_a_single_image(conv3x3(3, 264, 7, 7, 40));
}

// Filters whose sums of magnitudes are as large as they can be, over inputs of one value: without
// sums in pieces the integers would overflow.
TEST_F(Conv2dWinograd2x2Int16, FiltersOfOneValueDoNotOverflow) {
  const Conv2dShape s = conv3x3(1, 520, 7, 7, 40);
  Operands o(s);
  std::fill(o.x.begin(), o.x.end(), 3.0F);
  std::fill(o.w.begin(), o.w.end(), 0.5F);
  const std::vector<double> want = test::forward_reference(s, o);
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    EXPECT_LE(test::error_over_rms(test::forward(s, o, isa), want), kBounds.worst);
  }
}

TEST_F(Conv2dWinograd2x2Int16, IsForThoseAloneThatAllowIt) {
  Conv2dShape s = conv3x3(1, 64, 8, 8, 64);
  EXPECT_TRUE(can_compute(Conv2dAlgorithm::Winograd2x2Int16, Conv2dPass::Forward, s));
  EXPECT_FALSE(can_compute(Conv2dAlgorithm::Winograd2x2Int16, Conv2dPass::BackwardData, s));
  EXPECT_FALSE(can_compute(Conv2dAlgorithm::Winograd2x2Int16, Conv2dPass::BackwardWeights, s));
  s.int16 = 0;
  EXPECT_FALSE(can_compute(Conv2dAlgorithm::Winograd2x2Int16, Conv2dPass::Forward, s));
}

TEST(Conv2dWinograd2x2Int16Choice, IsForOneImageOfManyChannels) {
  const auto chosen = [](const Conv2dShape& s) { return choose_conv2d(Conv2dPass::Forward, s); };
  EXPECT_EQ(chosen(conv3x3(1, 512, 7, 7, 512)), Conv2dAlgorithm::Winograd2x2Int16);
  EXPECT_EQ(chosen(conv3x3(2, 512, 7, 7, 512)), Conv2dAlgorithm::Winograd4x4Int16);
  EXPECT_EQ(chosen(conv3x3(1, 256, 14, 14, 256)), Conv2dAlgorithm::Winograd4x4Int16);
  Conv2dShape last_of_a_batch = conv3x3(1, 512, 7, 7, 512);
  last_of_a_batch.nominal_n = 16;
  EXPECT_EQ(chosen(last_of_a_batch), Conv2dAlgorithm::Winograd4x4Int16);
  Conv2dShape floats = conv3x3(1, 512, 7, 7, 512);
  floats.int16 = 0;
  EXPECT_EQ(chosen(floats), Conv2dAlgorithm::Winograd2x2);
}

}  // namespace
}  // namespace hanok
