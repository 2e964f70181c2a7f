// 3x3 convolutions with stride 2 by Winograd with integer products, against double precision.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "hanok/kernels/cpu/conv2d/choices.h"
#include "tests/kernels/conv2d_accuracy.h"
#include "tests/kernels/conv2d_epilogues.h"
#include "tests/kernels/conv2d_reference.h"
#include "tests/kernels/conv2d_same_bits.h"

namespace hanok {
namespace {

using test::Operands;
using test::shape_of;

// Over the rms of the output. A direct convolution of operands rounded to bf16 has 2.3e-3 and 2e-2.
constexpr test::ErrorBounds kBounds{1e-2, 1e-3};

Conv2dShape strided(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
                    std::int64_t k) {
  Conv2dShape shape = shape_of(n, c, h, w, k, 3, 3, 1, {2, 2, 1, 1, 1, 1});
  shape.int16 = 1;
  return shape;
}

const std::vector<Conv2dShape>& int16_shapes() {
  static const std::vector<Conv2dShape> shapes = {
      strided(2, 32, 16, 16, 32),    // whole tiles
      strided(14, 40, 14, 14, 56),   // 7 = 4 + 3, tasks and panels cut by 8
      strided(3, 72, 28, 27, 40),    // 14 = 4 + 4 + 3 + 3, odd width
      strided(13, 136, 13, 20, 32),  // odd height, two blocks of tiles
      strided(50, 32, 5, 3, 48),     // images of about a tile
      strided(8, 32, 1, 1, 32),      // one pixel
      strided(270, 32, 9, 3, 32),    // many blocks of tiles
  };
  return shapes;
}

constexpr std::array kPasses = {Conv2dPass::Forward, Conv2dPass::BackwardData,
                                Conv2dPass::BackwardWeights};

class Conv2dStridedInt16 : public ::testing::Test {
  Conv2dChoices choices_{Conv2dAlgorithm::WinogradStridedInt16};
  UseConv2dChoices use_{choices_};
};

TEST_F(Conv2dStridedInt16, MatchesDoubleReference) {
  for (const Conv2dPass pass : kPasses) {
    test::expect_accurate(Conv2dAlgorithm::WinogradStridedInt16, pass, int16_shapes(), kBounds);
  }
}

// To the nearest number of 8 bits.
float rounded_to_bf16(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

std::vector<float> as_float(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

struct Data {
  const char* name;
  Operands operands;
};

std::vector<Data> data_of_many_kinds(const Conv2dShape& s) {
  Operands heavy_tails(s);
  for (std::vector<float>* values : {&heavy_tails.x, &heavy_tails.dy}) {
    for (float& v : *values) v = v / (1.02F - std::abs(v));  // one in a hundred above 33
  }
  Operands after_relu(s);
  for (float& v : after_relu.x) v = std::max(v, 0.0F);
  return {{"uniform", Operands(s)},
          {"after ReLU", after_relu},
          {"mean 10", Operands(s, 10)},
          {"range 1000", Operands(s, 0, 1e3F)},
          {"heavy tails", heavy_tails}};
}

TEST_F(Conv2dStridedInt16, IsMoreAccurateThanOperandsInBf16) {
  const Conv2dShape s = strided(2, 64, 28, 28, 64);
  for (const auto& [kind, o] : data_of_many_kinds(s)) {
    Operands in_bf16 = o;
    for (std::vector<float>* values : {&in_bf16.x, &in_bf16.w, &in_bf16.dy}) {
      for (float& v : *values) v = rounded_to_bf16(v);
    }
    for (const Conv2dPass pass : kPasses) {
      const std::vector<double> want = test::reference(pass, s, o);
      const double bf16 =
          test::rms_error_over_rms(as_float(test::reference(pass, s, in_bf16)), want);
      for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
        EXPECT_LT(test::rms_error_over_rms(test::computed(pass, s, o, isa), want), bf16) << kind;
      }
    }
  }
}

TEST_F(Conv2dStridedInt16, EpilogueInEveryCombination) {
  for (const Conv2dShape& s : {strided(12, 32, 14, 15, 40), strided(34, 72, 14, 14, 40)}) {
    const Operands o(s, 0, 0.1F);  // outputs of some units, most of which ReLU6 leaves
    test::expect_every_epilogue(s, o, kBounds.worst, test::isa_paths(s, o));
  }
}

TEST_F(Conv2dStridedInt16, SameBitsForAnyThreadCountAndForPackedWeights) {
  const std::vector<Conv2dShape> shapes = {strided(4, 32, 29, 31, 40),
                                           strided(36, 136, 13, 13, 72)};
  test::expect_same_bits_for_any_thread_count(shapes);
  test::expect_same_bits_for_packed_weights(shapes);
}

// Transforms are rounded alike where there are fused multiply-adds, and sums of integers anywhere.
TEST_F(Conv2dStridedInt16, SameBitsOnAllPathsWithFusedMultiplyAdds) {
  const Conv2dShape s = strided(3, 72, 28, 27, 40);
  const Operands o(s);
  std::vector<cpu::Isa> isas = cpu::isas_of_this_cpu();
  isas.erase(isas.begin());  // portable
  for (const Conv2dPass pass : kPasses) {
    for (const cpu::Isa isa : isas) {
      EXPECT_EQ(test::computed(pass, s, o, isa), test::computed(pass, s, o, isas.front()))
          << cpu::name_of(isa);
    }
  }
}

// Filters whose sums of magnitudes are as large as they can be, over inputs of one value: without
// sums in pieces the integers would overflow.
TEST_F(Conv2dStridedInt16, FiltersOfOneValueDoNotOverflow) {
  const Conv2dShape s = strided(1, 264, 17, 17, 40);
  Operands o(s);
  std::fill(o.x.begin(), o.x.end(), 3.0F);
  std::fill(o.w.begin(), o.w.end(), 0.5F);
  std::fill(o.dy.begin(), o.dy.end(), -2.0F);
  for (const Conv2dPass pass : kPasses) {
    const std::vector<double> want = test::reference(pass, s, o);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      EXPECT_LE(test::error_over_rms(test::computed(pass, s, o, isa), want), kBounds.worst);
    }
  }
}

TEST_F(Conv2dStridedInt16, WeightGradientOfNoImagesIsZero) {
  Conv2dShape s = strided(12, 32, 16, 16, 32);
  s.nominal_n = s.n;
  s.n = 0;
  const Operands o(s);
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    EXPECT_EQ(test::backward_weights(s, o, isa), std::vector<float>(o.w.size(), 0.0F));
  }
}

// Scales belong to tiles: an image's result does not depend on the images beside it.
TEST_F(Conv2dStridedInt16, ImagesDoNotDependOnTheirBatch) {
  test::expect_same_bits_for_a_single_image(strided(40, 40, 27, 27, 40));
}

// Where a NaN or an infinity takes part in an output, the output is not finite; zeros stay zeros.
TEST_F(Conv2dStridedInt16, NaNAndInfinityReachTheOutputAndZerosStayZeros) {
  const Conv2dShape s = strided(2, 32, 16, 16, 32);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Operands o(s);
    const std::size_t image = o.x.size() / 2;
    std::fill(o.x.begin() + static_cast<std::ptrdiff_t>(image), o.x.end(), 0.0F);
    o.x[(5 * 16 + 5) * 32 + 3] = bad;  // a tap of outputs (2, 2) to (3, 3) of the first image
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      const std::vector<float> y = test::forward(s, o, isa);
      for (const std::size_t pixel : {2 * 8 + 2, 2 * 8 + 3, 3 * 8 + 2, 3 * 8 + 3}) {
        for (std::size_t k = 0; k < 32; ++k) EXPECT_FALSE(std::isfinite(y[pixel * 32 + k]));
      }
      EXPECT_TRUE(std::all_of(y.begin() + static_cast<std::ptrdiff_t>(y.size() / 2), y.end(),
                              [](float v) { return v == 0.0F; }));
    }
  }
}

TEST(Conv2dStridedInt16Choice, PackingPaysForFewTilesOnlyWhereItIsDoneOnce) {
  const Conv2dShape one = strided(1, 256, 14, 14, 512);  // 4 tiles
  const Conv2dShape four = strided(4, 256, 14, 14, 512);
  const Conv2dShape many = strided(12, 256, 14, 14, 512);
  const Conv2dShape shallow = strided(4, 128, 14, 14, 256);
  const Conv2dShape shallow_one = strided(1, 128, 14, 14, 256);
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, shallow_one), Conv2dAlgorithm::ImplicitGemmInt16);
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, shallow), Conv2dAlgorithm::WinogradStridedInt16);
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, many), Conv2dAlgorithm::ImplicitGemmInt16);
  EXPECT_EQ(choose_conv2d(Conv2dPass::BackwardData, one), Conv2dAlgorithm::ImplicitGemmInt16);
  EXPECT_NE(choose_conv2d(Conv2dPass::BackwardData, four), Conv2dAlgorithm::WinogradStridedInt16);
  EXPECT_EQ(choose_conv2d(Conv2dPass::BackwardData, many), Conv2dAlgorithm::WinogradStridedInt16);
  EXPECT_EQ(choose_conv2d(Conv2dPass::BackwardWeights, many),
            Conv2dAlgorithm::WinogradStridedInt16);
}

// The logarithm of the scale is normal: too wide for one scale over the channels of four phases.
TEST(Conv2dStridedInt16Choice, HeavyTailsOf256ChannelsKeepTheErrorOfBf16) {
  const Conv2dShape s = strided(2, 256, 14, 14, 512);
  Operands o(s);
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  for (float& x : o.x) x = normal(generator) * std::exp(1.5F * normal(generator));
  const std::vector<double> want = test::forward_reference(s, o);
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    EXPECT_LE(test::rms_error_over_rms(test::forward(s, o, isa), want), 2.2e-3);
  }
}

TEST(Conv2dStridedInt16Choice, GradientsOfFewWeightsStayInFloats) {
  EXPECT_EQ(choose_conv2d(Conv2dPass::BackwardWeights, strided(12, 64, 56, 56, 128)),
            Conv2dAlgorithm::WinogradStrided);
  EXPECT_EQ(choose_conv2d(Conv2dPass::BackwardWeights, strided(12, 128, 28, 28, 256)),
            Conv2dAlgorithm::WinogradStridedInt16);
}

TEST_F(Conv2dStridedInt16, IsForThoseAloneThatAllowIt) {
  Conv2dShape s = strided(12, 64, 16, 16, 64);
  EXPECT_TRUE(can_compute(Conv2dAlgorithm::WinogradStridedInt16, Conv2dPass::Forward, s));
  s.int16 = 0;
  EXPECT_FALSE(can_compute(Conv2dAlgorithm::WinogradStridedInt16, Conv2dPass::Forward, s));
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, s), Conv2dAlgorithm::WinogradStrided);
}

}  // namespace
}  // namespace hanok
