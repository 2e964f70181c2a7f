// Direct convolutions with integer products against double precision.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
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

// Over the rms of the output. Operands rounded to bf16 give 2e-2 and 2.3e-3.
constexpr test::ErrorBounds kBounds{2e-3, 4e-4};

Conv2dShape allowing_int16(Conv2dShape shape) {
  shape.int16 = 1;
  return shape;
}

Conv2dShape conv(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, std::int64_t k,
                 std::int64_t kernel, std::int64_t groups = 1, const Window2d& window = {}) {
  return allowing_int16(shape_of(n, c, h, w, k, kernel, kernel, groups, window));
}

const std::vector<Conv2dShape>& shapes() {
  static const std::vector<Conv2dShape> all = {
      conv(2, 64, 7, 7, 64, 1),
      conv(3, 37, 9, 5, 41, 1),                      // odd everywhere
      conv(2, 1101, 5, 7, 72, 1),                    // two blocks of k
      conv(30, 40, 9, 9, 40, 1),                     // enough blocks of pixels
      conv(2, 72, 9, 8, 40, 1, 1, {.stride_h = 2}),  // phases without taps
      conv(2, 40, 9, 8, 72, 3, 1, {.stride_h = 2, .pad_h = 1}),
      conv(1, 130, 7, 7, 70, 3, 1, {.pad_h = 1}),  // two blocks of k, which cut taps
      conv(2, 24, 8, 9, 36, 3, 4, {.pad_h = 1}),   // groups
      conv(1, 1, 5, 5, 1, 1),
      conv(2, 5, 11, 9, 3, 5, 1, {.pad_h = 4, .dilation_h = 2}),
      allowing_int16(test::with_extra(shape_of(1, 33, 6, 7, 20, 2, 3), 1, 2)),
  };
  return all;
}

constexpr std::initializer_list<Conv2dPass> kPasses = {
    Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights};

class Conv2dDirectInt16 : public ::testing::Test {
  Conv2dChoices choices_{Conv2dAlgorithm::ImplicitGemmInt16};
  UseConv2dChoices use_{choices_};
};

TEST_F(Conv2dDirectInt16, MatchesDoubleReference) {
  for (const Conv2dPass pass : kPasses) {
    test::expect_accurate(Conv2dAlgorithm::ImplicitGemmInt16, pass, shapes(), kBounds);
  }
}

// What a path computes with: integers, and floats that are rounded one operation at a time.
TEST_F(Conv2dDirectInt16, SameBitsOnEveryPath) {
  for (const Conv2dShape& s : shapes()) {
    const Operands o(s, 0.1F);
    const auto scale = test::test_data(s.k, 4, 1, 0.5F);
    const auto shift = test::test_data(s.k, 5, 1, 3);
    Epilogue e;
    e.scale = test::view_of(scale, {s.k});
    e.shift = test::view_of(shift, {s.k});
    e.activation = Activation::Relu;
    const auto y = test::forward(s, o, cpu::Isa::Portable, e);
    const auto dx = test::backward_data(s, o, cpu::Isa::Portable);
    const auto dw = test::backward_weights(s, o, cpu::Isa::Portable);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      EXPECT_EQ(test::forward(s, o, isa, e), y) << name(s) << ", " << cpu::name_of(isa);
      EXPECT_EQ(test::backward_data(s, o, isa), dx) << name(s) << ", " << cpu::name_of(isa);
      EXPECT_EQ(test::backward_weights(s, o, isa), dw) << name(s) << ", " << cpu::name_of(isa);
    }
  }
}

TEST_F(Conv2dDirectInt16, LargeMeansAndRangesKeepTheBound) {
  test::expect_accurate_on_large_values(conv(2, 64, 14, 14, 64, 1), kPasses, 1e-2);
}

// The fifth power of uniform numbers: few large ones among many small ones, as in gradients.
TEST_F(Conv2dDirectInt16, HeavyTailsKeepTheErrorOfBf16) {
  for (const Conv2dShape& s : {conv(2, 256, 7, 7, 64, 1), conv(1, 64, 7, 7, 64, 3)}) {
    Operands o(s);
    for (std::vector<float>* values : {&o.x, &o.dy}) {
      for (float& v : *values) v = v * v * v * v * v;
    }
    for (const Conv2dPass pass : kPasses) {
      const std::vector<double> want = test::reference(pass, s, o);
      for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
        EXPECT_LE(test::rms_error_over_rms(test::computed(pass, s, o, isa), want), 2.3e-3)
            << name(s);
      }
    }
  }
}

// Images of one value: no run of 64 pixels is exact in the weights' gradient.
TEST_F(Conv2dDirectInt16, ImagesOfOneValueDoNotOverflow) {
  for (const Conv2dShape& s : {conv(4, 40, 12, 12, 40, 1), conv(2, 24, 12, 12, 40, 3)}) {
    Operands o(s);
    std::fill(o.x.begin(), o.x.end(), 3.0F);
    std::fill(o.dy.begin(), o.dy.end(), -0.5F);
    const std::vector<double> want = test::backward_weights_reference(s, o);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      EXPECT_LE(test::error_over_rms(test::backward_weights(s, o, isa), want), kBounds.worst);
    }
  }
}

TEST_F(Conv2dDirectInt16, EmptyBatchHasAWeightGradientOfZeros) {
  const Conv2dShape s = conv(0, 40, 9, 9, 72, 1);
  const std::vector<float> dw = test::backward_weights(s, Operands(s), cpu::Isa::Portable);
  EXPECT_EQ(dw, std::vector<float>(dw.size(), 0.0F));
}

TEST_F(Conv2dDirectInt16, EpilogueInEveryCombination) {
  for (const Conv2dShape& s : {conv(2, 72, 11, 10, 41, 1), conv(1, 1100, 9, 10, 40, 1)}) {
    const Operands o(s, 0, 0.1F);  // outputs of some units, most of which ReLU6 leaves
    test::expect_every_epilogue(s, o, kBounds.worst, test::isa_paths(s, o));
  }
}

TEST_F(Conv2dDirectInt16, SameBitsForAnyThreadCountAndForPackedWeights) {
  test::expect_same_bits_for_any_thread_count(shapes());
  test::expect_same_bits_for_packed_weights(shapes());
}

// Filters and inputs whose integers are all as large as they can be.
TEST_F(Conv2dDirectInt16, ValuesOfOneSizeDoNotOverflow) {
  for (const float sign : {1.0F, -1.0F}) {
    const Conv2dShape s = conv(1, 2100, 3, 3, 40, 1);
    Operands o(s);
    std::fill(o.x.begin(), o.x.end(), 3.0F);
    std::fill(o.w.begin(), o.w.end(), sign * 0.5F);
    const std::vector<double> want = test::forward_reference(s, o);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      EXPECT_LE(test::error_over_rms(test::forward(s, o, isa), want), 1e-3);
    }
  }
}

TEST_F(Conv2dDirectInt16, NaNAndInfinityReachTheirPixelsAlone) {
  const Conv2dShape s = conv(1, 40, 4, 4, 24, 1);
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    Operands o(s);
    o.x[static_cast<std::size_t>(5 * s.c + 7)] = bad;
    Epilogue e;
    e.activation = Activation::Relu;
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      const std::vector<float> y = test::forward(s, o, isa, e);
      for (std::size_t i = 0; i < y.size(); ++i) {
        EXPECT_EQ(std::isnan(y[i]), i / static_cast<std::size_t>(s.k) == 5) << i;
      }
    }
  }
}

TEST_F(Conv2dDirectInt16, ZerosStayZero) {
  const Conv2dShape s = conv(1, 40, 4, 4, 24, 1);
  Operands o(s);
  std::fill(o.x.begin(), o.x.end(), 0.0F);
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    EXPECT_EQ(test::forward(s, o, isa), std::vector<float>(o.dy.size()));
  }
}

// Scales belong to pixels: an image's result does not depend on the images beside it, nor on
// whether there are enough of them for tasks of whole pixels.
TEST_F(Conv2dDirectInt16, ImagesDoNotDependOnTheirBatch) {
  for (const Conv2dShape& batch :
       {conv(20, 72, 13, 13, 72, 1), conv(20, 40, 13, 13, 72, 3, 1, {.pad_h = 1})}) {
    test::expect_same_bits_for_a_single_image(batch);
  }
}

TEST(Conv2dDirectInt16Choice, IsForThoseAloneThatAllowItAndWhereItPays) {
  Conv2dShape s = conv(2, 256, 14, 14, 64, 1);
  for (const Conv2dPass pass : kPasses) {
    s.int16 = 1;
    EXPECT_EQ(choose_conv2d(pass, s), Conv2dAlgorithm::ImplicitGemmInt16);
    s.int16 = 0;
    EXPECT_EQ(choose_conv2d(pass, s), Conv2dAlgorithm::ImplicitGemm);
    EXPECT_FALSE(can_compute(Conv2dAlgorithm::ImplicitGemmInt16, pass, s));
  }
  const Conv2dShape few_channels = conv(2, 16, 56, 56, 96, 1);
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, few_channels), Conv2dAlgorithm::ImplicitGemm);
  const Conv2dShape few_filters = conv(2, 96, 56, 56, 16, 1);
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, few_filters), Conv2dAlgorithm::ImplicitGemm);
}

}  // namespace
}  // namespace hanok
