// Epochs that balance classes.
#include <algorithm>
#include <gmock/gmock.h>
#include <set>

#include "hanok/data/sampler.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using testing::ElementsAre;

/// 50, 20 and 7 members.
std::vector<std::int64_t> labels() {
  std::vector<std::int64_t> result;
  for (int i = 0; i < 77; ++i) result.push_back(i < 50 ? 0 : i < 70 ? 1 : 2);
  return result;
}

std::vector<int> uses(const std::vector<std::int64_t>& order) {
  std::vector<int> result(77);
  for (const std::int64_t i : order) ++result[static_cast<std::size_t>(i)];
  return result;
}

std::vector<int> class_totals(const std::vector<int>& uses) {
  std::vector<int> totals(3);
  for (std::size_t i = 0; i < uses.size(); ++i) {
    totals[static_cast<std::size_t>(labels()[i])] += uses[i];
  }
  return totals;
}

TEST(Sampling, OverSamplingRepeatsSmallClassesEvenly) {
  const std::vector<int> used = uses(epoch_order(Sampling::OverSampled, labels(), 1, 0));
  EXPECT_THAT(class_totals(used), ElementsAre(50, 50, 50));
  for (std::size_t i = 0; i < 77; ++i) {
    EXPECT_GE(used[i], i < 50 ? 1 : i < 70 ? 2 : 7) << i;
    EXPECT_LE(used[i], i < 50 ? 1 : i < 70 ? 3 : 8) << i;
  }
}

TEST(Sampling, UnderSamplingTakesOthersInEveryEpoch) {
  std::set<std::int64_t> seen;
  for (int epoch = 0; epoch < 60; ++epoch) {
    const std::vector<std::int64_t> order = epoch_order(Sampling::UnderSampled, labels(), 1, epoch);
    const std::vector<int> used = uses(order);
    EXPECT_THAT(class_totals(used), ElementsAre(7, 7, 7));
    EXPECT_EQ(*std::max_element(used.begin(), used.end()), 1);
    seen.insert(order.begin(), order.end());
  }
  EXPECT_EQ(seen.size(), 77U);  // 60 epochs miss a given one with probability (43/50)^60 = 1/8500
}

TEST(Sampling, ClassBalancedDrawsMakeClassesEquallyLikely) {
  std::vector<int> totals(3);
  for (int epoch = 0; epoch < 300; ++epoch) {
    const std::vector<std::int64_t> order =
        epoch_order(Sampling::ClassBalanced, labels(), 1, epoch);
    EXPECT_EQ(order.size(), 77U);
    const std::vector<int> one = class_totals(uses(order));
    for (std::size_t c = 0; c < 3; ++c) totals[c] += one[c];
  }
  for (const int total : totals) EXPECT_NEAR(total, 300 * 77 / 3.0, 300);  // 4 standard deviations
}

TEST(Sampling, OrdersAreFunctionsOfSeedAndEpochAndMixed) {
  for (const Sampling sampling : {Sampling::Shuffled, Sampling::OverSampled, Sampling::UnderSampled,
                                  Sampling::ClassBalanced}) {
    const auto first = epoch_order(sampling, labels(), 1, 2);
    EXPECT_EQ(first, epoch_order(sampling, labels(), 1, 2));
    EXPECT_NE(first, epoch_order(sampling, labels(), 1, 3));
    EXPECT_NE(first, epoch_order(sampling, labels(), 2, 2));
    EXPECT_FALSE(std::is_sorted(first.begin(), first.end()));
  }
}

TEST(Sampling, SamplesWithoutLabelAndEmptyClassesArePassedOver) {
  const std::vector<std::int64_t> gaps = {4, -1, 4, 9};
  std::vector<std::int64_t> order = epoch_order(Sampling::OverSampled, gaps, 1, 0);
  std::sort(order.begin(), order.end());
  EXPECT_THAT(order, ElementsAre(0, 2, 3, 3));
  EXPECT_THROW(epoch_order(Sampling::UnderSampled, {-1}, 1, 0), ValueError);
  EXPECT_THROW(epoch_order(Sampling::OverSampled, {}, 1, 0), ValueError);
}

TEST(Sampling, TableTellsWhatIsNeverSeen) {
  EXPECT_EQ(sampling_table(Sampling::UnderSampled, {0, 0, 0, 0, 0, 1, 1}, {"many", "few"}, 1, 1),
            "class   images an epoch  never seen\n"
            "many         5        2           3\n"
            "few          2        2           0\n");
  EXPECT_THROW(sampling_table(Sampling::Shuffled, {3}, {"a"}, 1, 1), ValueError);
}

}  // namespace
}  // namespace hanok::data
