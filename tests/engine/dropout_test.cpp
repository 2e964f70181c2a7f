// Dropout.
#include <cmath>

#include "hanok/engine/generator.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

TEST(Dropout, KeepsTheExpectedShareAndScalesIt) {
  Generator::global().set_seed(5);
  for (const float p : {0.1F, 0.5F, 0.9F}) {
    constexpr int kCount = 100003;
    const std::vector<float> y = ops::dropout(new_ones({kCount}), p, true).to_vector();
    int kept = 0;
    for (const float value : y) {
      if (value != 0) {
        ++kept;
        EXPECT_NEAR(value, 1 / (1 - p), 1e-5);
      }
    }
    // Five standard deviations of a binomial count.
    const double deviation = std::sqrt(kCount * static_cast<double>(p * (1 - p)));
    EXPECT_NEAR(kept, kCount * (1 - static_cast<double>(p)), 5 * deviation);
  }
}

TEST(Dropout, BackwardUsesTheSameMask) {
  Generator::global().set_seed(6);
  Generator::global().begin_step(2, 7);
  Tensor x = new_ones({3, 5, 7, 3}).set_requires_grad(true);
  const Tensor y = ops::dropout(x, 0.4F, true);
  // Neither another draw nor another step in between changes the mask.
  ops::dropout(x, 0.4F, true);
  Generator::global().begin_step(3, 14);
  y.backward(new_ones(y.shape()));
  expect_same_bits(x.grad(), y, "gradient of ones is the scaled mask");
}

TEST(Dropout, DrawsDependOnSeedStepAndCallOnly) {
  const Tensor x = new_ones({257});
  const auto draw = [&](std::uint64_t seed, std::int64_t step, int calls) {
    Generator::global().set_seed(seed);
    Generator::global().begin_step(0, step);
    Tensor y;
    for (int i = 0; i < calls; ++i) y = ops::dropout(x, 0.5F, true);
    return y.to_vector();
  };
  EXPECT_EQ(draw(1, 0, 1), draw(1, 0, 1));
  EXPECT_NE(draw(1, 0, 1), draw(2, 0, 1));
  EXPECT_NE(draw(1, 0, 1), draw(1, 1, 1));
  EXPECT_NE(draw(1, 0, 1), draw(1, 0, 2));
}

TEST(Dropout, IsTheIdentityOutsideTraining) {
  const Tensor x = new_ones({4});
  EXPECT_EQ(ops::dropout(x, 0.5F, false).id(), x.id());
  EXPECT_EQ(ops::dropout(x, 0, true).id(), x.id());
  EXPECT_EQ(ops::dropout(x, 1, true).to_vector(), (std::vector<float>{0, 0, 0, 0}));
}

TEST(Dropout, ErrorsNameTheOp) {
  EXPECT_EQ(message_of<ValueError>([] { ops::dropout(new_ones({4}), 1.5F, true); }),
            "dropout: probability is 1.5, expected 0 to 1 (input [4])");
}

}  // namespace
}  // namespace hanok::testing
