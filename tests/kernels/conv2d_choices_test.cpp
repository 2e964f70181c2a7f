// Algorithms other than the shipped choice: each one that can compute a convolution is correct.
#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cpu/conv2d/choices.h"
#include "tests/kernels/conv2d_accuracy.h"

namespace hanok {
namespace {

using test::name;
using test::Operands;
using test::shape_of;

constexpr Conv2dPass kPasses[] = {Conv2dPass::Forward, Conv2dPass::BackwardData,
                                  Conv2dPass::BackwardWeights};
const Window2d kSame{1, 1, 1, 1, 1, 1};

std::vector<Conv2dShape> shapes() {
  return {shape_of(2, 8, 9, 7, 16, 3, 3, 1, kSame),
          shape_of(1, 32, 5, 13, 40, 3, 3, 1, {1, 1, 2, 0, 1, 1}),
          shape_of(3, 64, 1, 2, 32, 3, 3, 1, kSame),
          shape_of(2, 3, 17, 30, 8, 7, 7, 1, {2, 2, 3, 3, 1, 1}),
          shape_of(1, 4, 9, 9, 24, 5, 5, 1, {2, 2, 2, 2, 1, 1}),
          shape_of(1, 16, 9, 9, 16, 3, 3, 16, kSame),
          shape_of(1, 6, 7, 7, 12, 3, 3, 3, kSame)};
}

TEST(Conv2dChoices, EveryAlgorithmComputesWhatItSays) {
  int combinations = 0;
  for (const Conv2dShape& s : shapes()) {
    const Operands o(s);
    for (const Conv2dPass pass : kPasses) {
      const std::vector<double> want = test::reference(pass, s, o);
      for (const Conv2dAlgorithm algorithm : conv2d_algorithms()) {
        Conv2dChoices choices;
        if (!can_compute(algorithm, pass, s)) {
          EXPECT_THROW(choices.set({pass, s, algorithm}), ValueError);
          continue;
        }
        choices.set({pass, s, algorithm});
        const UseConv2dChoices use(choices);
        ASSERT_EQ(choose_conv2d(pass, s), algorithm);
        for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
          EXPECT_LE(test::error_over_rms(test::computed(pass, s, o, isa), want), 1e-5)
              << name(s) << " by " << name_of(algorithm);
        }
        ++combinations;
      }
    }
  }
  EXPECT_GT(combinations, 30);
}

TEST(Conv2dChoices, HoldForTheirSizesWhileInUse) {
  const Conv2dShape s = shape_of(16, 64, 8, 8, 64, 3, 3, 1, kSame);
  Conv2dShape wider = s;
  wider.w = 9;
  Conv2dShape last = s;
  last.n = 3;
  last.nominal_n = 16;
  ASSERT_EQ(choose_conv2d(Conv2dPass::Forward, s), Conv2dAlgorithm::Winograd4x4);
  {
    Conv2dChoices choices;
    choices.set({Conv2dPass::Forward, s, Conv2dAlgorithm::Winograd2x2});
    const UseConv2dChoices use(choices);
    EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, s), Conv2dAlgorithm::Winograd2x2);
    EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, last), Conv2dAlgorithm::Winograd2x2);
    EXPECT_EQ(choose_conv2d(Conv2dPass::BackwardData, s), Conv2dAlgorithm::Winograd4x4);
    EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, wider), Conv2dAlgorithm::Winograd4x4);
    Conv2dChoices plain(Conv2dAlgorithm::ImplicitGemm);
    const UseConv2dChoices everywhere(plain);
    EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, s), Conv2dAlgorithm::ImplicitGemm);
    EXPECT_EQ(choose_conv2d(Conv2dPass::BackwardWeights, wider), Conv2dAlgorithm::ImplicitGemm);
  }
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, s), Conv2dAlgorithm::Winograd4x4);
}

TEST(Conv2dChoices, RecordEveryRequestedConvolution) {
  const Conv2dShape s = shape_of(16, 64, 8, 8, 64, 3, 3, 1, kSame);
  Conv2dChoices choices;
  {
    const UseConv2dChoices use(choices, UseConv2dChoices::Missing::Record);
    choose_conv2d(Conv2dPass::BackwardData, s);
    choose_conv2d(Conv2dPass::Forward, s);
    choose_conv2d(Conv2dPass::Forward, s);
  }
  ASSERT_EQ(choices.all().size(), 2U);
  EXPECT_EQ(choices.all()[0].pass, Conv2dPass::Forward);
  EXPECT_EQ(choices.all()[1].algorithm, Conv2dAlgorithm::Winograd4x4);
}

}  // namespace
}  // namespace hanok
