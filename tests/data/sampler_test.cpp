#include "hanok/data/sampler.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <numeric>

#include "hanok/data/random.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using testing::Each;
using testing::HasSubstr;

TEST(Shuffled, IsAPermutationFixedBySeedAndEpoch) {
  std::vector<std::int64_t> order = shuffled(1000, 5, 2);
  EXPECT_EQ(order, shuffled(1000, 5, 2));
  EXPECT_NE(order, shuffled(1000, 5, 3));
  EXPECT_NE(order, shuffled(1000, 6, 2));
  std::sort(order.begin(), order.end());
  for (std::int64_t i = 0; i < 1000; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(shuffled(0, 1, 1).empty());
  EXPECT_THROW(shuffled(-1, 1, 1), ValueError);
}

// All 5! orders of five items are equally frequent: chi-squared with 119 degrees of freedom exceeds
// 172 with probability 1/1000, and this seed is fixed.
TEST(Shuffled, EveryOrderIsEquallyLikely) {
  constexpr int kRounds = 24000;
  std::map<std::vector<std::int64_t>, int> seen;
  for (int epoch = 0; epoch < kRounds; ++epoch) ++seen[shuffled(5, 99, epoch)];
  ASSERT_EQ(seen.size(), 120U);
  double chi_squared = 0;
  for (const auto& [order, count] : seen) {
    chi_squared += (count - kRounds / 120.0) * (count - kRounds / 120.0) / (kRounds / 120.0);
  }
  EXPECT_LT(chi_squared, 172);
}

TEST(Weighted, DrawsInProportion) {
  constexpr int kDraws = 60000;
  const std::vector<double> weights = {0, 1, 0.5, 0, 2.5, 0};
  const std::vector<std::int64_t> order = weighted(weights, kDraws, 3, 0);
  EXPECT_EQ(order, weighted(weights, kDraws, 3, 0));
  EXPECT_NE(order, weighted(weights, kDraws, 3, 1));
  ASSERT_EQ(order.size(), static_cast<std::size_t>(kDraws));
  std::vector<double> share(weights.size());
  for (const std::int64_t index : order) share[static_cast<std::size_t>(index)] += 1.0 / kDraws;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    EXPECT_NEAR(share[i], weights[i] / 4, 0.006) << i;
  }
  EXPECT_EQ(share[0] + share[3] + share[5], 0);
}

TEST(Weighted, RefusesImpossibleWeights) {
  EXPECT_THAT(message_of<ValueError>([] {
                weighted({1, -2}, 1, 0, 0);
              }),
              HasSubstr("weight 1 is -2"));
  EXPECT_THROW(weighted({1, std::nan("")}, 1, 0, 0), ValueError);
  EXPECT_THROW(weighted({1, INFINITY}, 1, 0, 0), ValueError);
  EXPECT_THAT(message_of<ValueError>([] {
                weighted({0, 0}, 1, 0, 0);
              }),
              HasSubstr("all weights are 0"));
  EXPECT_THROW(weighted({}, 1, 0, 0), ValueError);
  EXPECT_THROW(weighted({1}, -1, 0, 0), ValueError);
  EXPECT_TRUE(weighted({}, 0, 0, 0).empty());
}

TEST(RandomDraws, BelowIsEvenAndInRange) {
  RandomDraws random(1, RandomStream::Test, 2, 3);
  std::vector<int> seen(7);
  for (int i = 0; i < 70000; ++i) ++seen[random.below(7)];
  for (const int count : seen) EXPECT_NEAR(count, 10000, 400);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.below(1), 0U);
}

TEST(RandomDraws, PlacesAreIndependent) {
  const auto first = [](std::int64_t a, std::int64_t b, std::uint32_t lane) {
    return RandomDraws(1, RandomStream::Test, a, b, lane).bits();
  };
  EXPECT_EQ(first(1, 2, 0), first(1, 2, 0));
  EXPECT_NE(first(1, 2, 0), first(2, 1, 0));
  EXPECT_NE(first(1, 2, 0), first(1, 2, 1));
}

}  // namespace
}  // namespace hanok::data
