#include <cmath>
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

// The worst single element over the rms of all; the typical (rms) error is a tenth of it.
constexpr double kWorst = 2e-5;
constexpr test::ErrorBounds kBounds{kWorst, 2e-6};

Conv2dShape strided(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
                    std::int64_t k) {
  return shape_of(n, c, h, w, k, 3, 3, 1, {2, 2, 1, 1, 1, 1});
}

const std::vector<Conv2dShape>& strided_shapes() {
  static const std::vector<Conv2dShape> shapes = {
      strided(12, 32, 16, 16, 32),   // whole tiles
      strided(14, 40, 14, 14, 56),   // 7 = 4 + 3, panels and pieces cut by 8
      strided(3, 72, 28, 27, 40),    // 14 = 4 + 4 + 3 + 3, odd width, two blocks of channels
      strided(13, 136, 13, 20, 32),  // odd height, three blocks of channels, two of tiles
      strided(50, 32, 5, 3, 48),     // images of about a tile
      strided(48, 32, 1, 1, 32),     // one pixel
      strided(270, 32, 9, 3, 32),    // many blocks of tiles
      strided(12, 32, 16, 16, 264),  // several blocks of filters in backward data
  };
  return shapes;
}

TEST(Conv2dWinogradStrided, MatchesDoubleReference) {
  for (const Conv2dPass pass :
       {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}) {
    test::expect_accurate(Conv2dAlgorithm::WinogradStrided, pass, strided_shapes(), kBounds);
  }
}

TEST(Conv2dWinogradStrided, LargeMeansAndRangesKeepTheBound) {
  test::expect_accurate_on_large_values(
      strided(4, 64, 28, 28, 64),
      {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}, 1e-4);
}

TEST(Conv2dWinogradStrided, EpilogueInEveryCombination) {
  for (const Conv2dShape& s : {strided(12, 32, 14, 15, 40), strided(34, 72, 14, 14, 40)}) {
    const Operands o(s, 0, 0.1F);  // outputs of some units, most of which ReLU6 leaves
    test::expect_every_epilogue(s, o, kWorst, test::isa_paths(s, o));
  }
}

TEST(Conv2dWinogradStrided, WeightGradientOfNoImagesIsZero) {
  Conv2dShape s = strided(12, 32, 16, 16, 32);
  s.nominal_n = s.n;
  s.n = 0;
  const Operands o(s);
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    EXPECT_EQ(backward_weights(s, o, isa), std::vector<float>(o.w.size(), 0.0F));
  }
}

TEST(Conv2dWinogradStrided, FewTilesOtherPaddingsAndStridesGoElsewhere) {
  const auto chosen = [](const Conv2dShape& s) { return choose_conv2d(Conv2dPass::Forward, s); };
  EXPECT_EQ(chosen(strided(12, 32, 16, 16, 32)), Conv2dAlgorithm::WinogradStrided);
  EXPECT_EQ(chosen(strided(1, 32, 16, 16, 32)), Conv2dAlgorithm::ImplicitGemm);
  EXPECT_EQ(chosen(strided(12, 36, 16, 16, 32)), Conv2dAlgorithm::ImplicitGemm);
  for (const Window2d& w : {Window2d{2, 2, 0, 1, 1, 1}, {2, 1, 1, 1, 1, 1}, {2, 2, 1, 1, 2, 1}}) {
    EXPECT_EQ(chosen(shape_of(12, 32, 16, 16, 32, 3, 3, 1, w)), Conv2dAlgorithm::ImplicitGemm);
  }
}

}  // namespace
}  // namespace hanok
