// The order in which an epoch reads shards.
#include <algorithm>
#include <gmock/gmock.h>
#include <set>

#include "hanok/data/shards.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

using testing::SizeIs;
using testing::UnorderedElementsAreArray;

Dataset made_up(std::size_t shards, std::size_t members) {
  Dataset dataset;
  for (std::size_t s = 0; s < shards; ++s) {
    dataset.shards.push_back(std::to_string(s) + ".tar");
    for (std::size_t m = 0; m < members; ++m) {
      dataset.samples.push_back(
          {.path = "x",
           .label = 0,
           .group = "x",
           .member = ShardMember{.shard = s, .offset = 512 * static_cast<int>(m + 1), .bytes = 1}});
    }
  }
  return dataset;
}

std::vector<std::int64_t> all_of(const Dataset& dataset) {
  std::vector<std::int64_t> samples(dataset.samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::int64_t>(i);
  return samples;
}

TEST(ShardOrder, IsAPermutationAndAPureFunctionOfSeedAndEpoch) {
  const Dataset dataset = made_up(7, 50);
  std::vector<std::int64_t> reversed = all_of(dataset);
  std::reverse(reversed.begin(), reversed.end());
  const ShardOrder order{.seed = 3, .epoch = 2, .buffer = 40};
  const std::vector<std::int64_t> result = in_shard_order(dataset, all_of(dataset), order);
  EXPECT_THAT(result, UnorderedElementsAreArray(all_of(dataset)));
  EXPECT_EQ(in_shard_order(dataset, reversed, order), result);
  EXPECT_NE(in_shard_order(dataset, reversed, {.seed = 4, .epoch = 2, .buffer = 40}), result);
  EXPECT_NE(in_shard_order(dataset, reversed, {.seed = 3, .epoch = 3, .buffer = 40}), result);
}

TEST(ShardOrder, MovesASampleByFewerThanTheBuffersPlaces) {
  const Dataset dataset = made_up(20, 100);
  for (const std::int64_t buffer : {1, 2, 50, 300}) {
    const auto plain = in_shard_order(dataset, all_of(dataset), {.seed = 9, .buffer = 1});
    const auto moved = in_shard_order(dataset, all_of(dataset), {.seed = 9, .buffer = buffer});
    std::int64_t farthest = 0;
    for (std::size_t i = 0; i < plain.size(); ++i) {
      const auto at = std::find(moved.begin(), moved.end(), plain[i]) - moved.begin();
      farthest = std::max<std::int64_t>(farthest, std::abs(at - static_cast<std::int64_t>(i)));
    }
    EXPECT_LT(farthest, buffer);
    EXPECT_GE(farthest, buffer / 2 - 1);  // and it does shuffle
  }
}

TEST(ShardOrder, HasFewShardsOpenAtATime) {
  constexpr std::size_t kMembers = 100;
  constexpr std::int64_t kBuffer = 150;
  const Dataset dataset = made_up(30, kMembers);
  const auto order = in_shard_order(dataset, all_of(dataset), {.seed = 1, .buffer = kBuffer});
  std::vector<std::size_t> first(30, order.size()), last(30, 0);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t shard = dataset.samples[static_cast<std::size_t>(order[i])].member->shard;
    first[shard] = std::min(first[shard], i);
    last[shard] = i;
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::size_t open = 0;
    for (std::size_t s = 0; s < 30; ++s) open += first[s] <= i && i <= last[s] ? 1 : 0;
    // Positions i - buffer < j < i + buffer are of so many shards at most.
    EXPECT_LE(open, 2 * kBuffer / kMembers + 2);
  }
}

TEST(ShardOrder, ReadsShardsInAnotherOrderEveryEpoch) {
  const Dataset dataset = made_up(10, 5);
  std::set<std::size_t> first;
  for (std::int64_t epoch = 0; epoch < 40; ++epoch) {
    const auto order = in_shard_order(dataset, all_of(dataset), {.epoch = epoch, .buffer = 1});
    first.insert(dataset.samples[static_cast<std::size_t>(order[0])].member->shard);
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (i % 5 != 0) {
        EXPECT_EQ(order[i], order[i - 1] + 1);
      }
    }
  }
  EXPECT_THAT(first, SizeIs(10));
}

TEST(ShardOrder, WithABufferForAllShufflesEvenly) {
  const Dataset dataset = made_up(2, 3);
  std::vector<int> at_front(6, 0);
  for (std::int64_t epoch = 0; epoch < 6000; ++epoch) {
    const auto order = in_shard_order(dataset, all_of(dataset), {.epoch = epoch, .buffer = 6});
    ++at_front[static_cast<std::size_t>(order[0])];
  }
  // 1000 each; five standard deviations are 145.
  for (const int count : at_front) EXPECT_NEAR(count, 1000, 150);
  EXPECT_THROW(in_shard_order(dataset, all_of(dataset), {.buffer = 0}), ValueError);
}

TEST(ShardOrder, KeepsRepeatedAndLeftOutSamples) {
  const Dataset dataset = made_up(3, 4);
  const std::vector<std::int64_t> drawn = {5, 5, 0, 11, 5};
  EXPECT_THAT(in_shard_order(dataset, drawn, {.buffer = 2}), UnorderedElementsAreArray(drawn));
}

}  // namespace
}  // namespace hanok::data
