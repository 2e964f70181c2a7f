#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "kernels/choose_conv2d.h"
#include "kernels/cpu/conv2d.h"
#include "tests/kernels/conv2d_reference.h"
#include "tests/kernels/kernel_context.h"

namespace hanok {
namespace {

using test::forward;
using test::forward_reference;
using test::name;
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
  for (const Conv2dShape& s : deep_shapes()) {
    ASSERT_EQ(choose_conv2d(Conv2dPass::Forward, s), Conv2dAlgorithm::Winograd2x2) << name(s);
    const Operands o(s);
    const auto want = forward_reference(s, o);
    for (const cpu::Isa isa : test::testable_isas()) {
      const auto y = forward(s, o, isa, {}, 1);
      EXPECT_LE(test::error_over_rms(y, want), kWorst) << name(s);
      EXPECT_EQ(forward(s, o, isa, {}, 3), y) << name(s) << ": the thread count shows";
    }
  }
}

TEST(Conv2dWinograd2x2, LargeMeansAndRangesKeepTheBound) {
  const Conv2dShape s = conv3x3(1, 512, 7, 7, 136);
  for (const auto& [mean, range] : {std::pair{10.0F, 1.0F}, {0.0F, 1e3F}}) {
    const Operands o(s, mean, range);
    const auto want = forward_reference(s, o);
    for (const cpu::Isa isa : test::testable_isas()) {
      EXPECT_LE(test::error_over_rms(forward(s, o, isa), want), 1e-5);
    }
  }
}

TEST(Conv2dWinograd2x2, EpilogueInEveryCombination) {
  const Conv2dShape s = conv3x3(1, 512, 7, 9, 136);
  const Operands o(s);
  const auto plain = forward_reference(s, o);
  const auto scale = test::test_data(s.k, 4, 1, 0.5F);
  const auto shift = test::test_data(s.k, 5, 10, 3);
  const auto residual = test::test_data(s.output_shape().numel(), 6, 0, 5);
  for (int bits = 0; bits < 16; ++bits) {
    Epilogue e;
    std::vector<float> mean_var(static_cast<std::size_t>(2 * s.k), -1.0F);
    if (bits & 1) e.scale = test::view_of(scale, {s.k});
    if (bits & 2) e.shift = test::view_of(shift, {s.k});
    if (bits & 4) e.residual = test::view_of(residual, s.output_shape());
    if (bits & 8) e.activation = Activation::Relu;
    e.bn_mean_var = test::view_of(mean_var, {2, s.k});
    auto want = plain;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const std::size_t k = i % static_cast<std::size_t>(s.k);
      if (bits & 1) want[i] *= scale[k];
      if (bits & 2) want[i] += shift[k];
      if (bits & 4) want[i] += residual[i];
      if (bits & 8) want[i] = std::max(want[i], 0.0);
    }
    for (const cpu::Isa isa : test::testable_isas()) {
      const auto y = forward(s, o, isa, e);
      EXPECT_LE(test::error_over_rms(y, want), kWorst) << "epilogue " << bits;
      const auto moments = test::moments_reference(y, s.k);
      for (std::size_t k = 0; k < static_cast<std::size_t>(s.k); ++k) {
        const double var = moments[k + static_cast<std::size_t>(s.k)];
        EXPECT_NEAR(mean_var[k], moments[k], 1e-6 * (std::fabs(moments[k]) + std::sqrt(var)));
        EXPECT_NEAR(mean_var[k + static_cast<std::size_t>(s.k)], var, 1e-5 * var);
      }
    }
  }
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
