// Transactions and the generator.
#include <algorithm>
#include <cmath>

#include "hanok/engine/generator.h"
#include "hanok/engine/transaction.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

TEST(Transaction, WritesWaitForCommitAndKeepTheirOrder) {
  std::vector<int> done;
  {
    StepTransaction step;
    StepTransaction::write([&] { done.push_back(1); });
    StepTransaction::write([&] { done.push_back(2); });
    EXPECT_TRUE(done.empty());
    step.commit();
    EXPECT_EQ(done, (std::vector<int>{1, 2}));
    step.commit();
    EXPECT_EQ(done.size(), 2U) << "committed once";
    StepTransaction::write([&] { done.push_back(3); });
    step.rollback();
    step.commit();
    StepTransaction::write([&] { done.push_back(4); });
  }
  EXPECT_EQ(done, (std::vector<int>{1, 2})) << "rolled back or never committed";
  StepTransaction::write([&] { done.push_back(5); });
  EXPECT_EQ(done.back(), 5) << "at once outside a transaction";
}

TEST(Transaction, TheyDoNotNest) {
  const StepTransaction outer;
  EXPECT_THROW(StepTransaction(), ValueError);
}

Tensor draw(std::uint64_t seed) {
  Generator generator(seed);
  return random_uniform({1000}, 0, 1, generator);
}

TEST(Generator, DrawsDependOnTheSeedAndTheCallOnly) {
  expect_same_bits(draw(3), draw(3), "same seed");
  EXPECT_NE(draw(3).to_vector(), draw(4).to_vector());
  Generator generator(3);
  const Tensor first = random_uniform({1000}, 0, 1, generator);
  const Tensor second = random_uniform({1000}, 0, 1, generator);
  expect_same_bits(first, draw(3), "first call");
  EXPECT_NE(first.to_vector(), second.to_vector());
}

TEST(Generator, ValuesFollowTheLogicalIndexWhateverTheMemoryOrder) {
  Generator a(9);
  Generator b(9);
  EXPECT_EQ(random_normal({2, 3, 4, 5}, 0, 1, a).to_vector(),
            random_normal({120}, 0, 1, b).to_vector());
}

TEST(Generator, DistributionsHaveTheirMoments) {
  constexpr int kCount = 100000;
  Generator generator(11);
  const auto moments = [](const std::vector<float>& values) {
    double mean = 0;
    double square = 0;
    for (const float value : values) mean += value / static_cast<double>(kCount);
    for (const float value : values) square += (value - mean) * (value - mean) / kCount;
    return std::pair(mean, square);
  };
  // Bounds are five standard errors.
  const std::vector<float> uniform = random_uniform({kCount}, -1, 3, generator).to_vector();
  EXPECT_GE(*std::min_element(uniform.begin(), uniform.end()), -1);
  EXPECT_LT(*std::max_element(uniform.begin(), uniform.end()), 3);
  EXPECT_NEAR(moments(uniform).first, 1, 5 * std::sqrt(16 / 12.0 / kCount));
  EXPECT_NEAR(moments(uniform).second, 16 / 12.0, 5 * 16 * std::sqrt(1 / 180.0 / kCount));
  const std::vector<float> normal = random_normal({kCount}, 2, 0.5F, generator).to_vector();
  EXPECT_NEAR(moments(normal).first, 2, 5 * 0.5 / std::sqrt(kCount));
  EXPECT_NEAR(moments(normal).second, 0.25, 5 * 0.25 * std::sqrt(2.0 / kCount));
  const auto beyond = std::count_if(normal.begin(), normal.end(),
                                    [](float value) { return std::abs(value - 2) > 1.5F; });
  EXPECT_NEAR(static_cast<double>(beyond) / kCount, 0.0027, 5 * std::sqrt(0.0027 / kCount));
}

}  // namespace
}  // namespace hanok::testing
