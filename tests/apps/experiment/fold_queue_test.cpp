// Folds go to the rank that is free first, each to one.
#include "hanok/apps/experiment/fold_queue.h"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "hanok/apps/cli/signals.h"
#include "tests/support/thread_ranks.h"

namespace hanok::test {
namespace {

using training::FoldQueue;

/// What each of `ranks` got, where rank r takes seconds[r] for a fold.
std::map<int, std::vector<int>> given_out(const std::vector<double>& seconds,
                                          const std::vector<int>& folds) {
  std::map<int, std::vector<int>> given;
  std::mutex mutex;
  on_ranks(static_cast<int>(seconds.size()), [&](Communicator& ranks) {
    FoldQueue queue(ranks, folds);
    while (const std::optional<int> fold = queue.take()) {
      {
        const std::lock_guard lock(mutex);
        given[ranks.rank()].push_back(*fold);
      }
      std::this_thread::sleep_for(
          std::chrono::duration<double>(seconds[static_cast<std::size_t>(ranks.rank())]));
    }
    EXPECT_FALSE(queue.take());
    while (!queue.all_left(0.01)) {
    }
    EXPECT_FALSE(queue.has_left_over());
  });
  return given;
}

TEST(FoldQueue, GivesEachFoldToOneRankAndTheFirstToTheFirst) {
  const std::vector<int> folds = {0, 2, 3, 7, 8};
  for (const std::size_t ranks : {1, 2, 3, 4}) {
    std::map<int, std::vector<int>> given = given_out(std::vector<double>(ranks, 0.001), folds);
    EXPECT_EQ(given[0].at(0), 0);
    std::vector<int> all;
    for (const auto& [rank, own] : given) all.insert(all.end(), own.begin(), own.end());
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, folds) << ranks << " ranks";
  }
}

TEST(FoldQueue, LeavesRanksWithoutAFoldAndEmptyLists) {
  std::map<int, std::vector<int>> given = given_out({0, 0, 0}, {4});
  EXPECT_EQ(given[0], (std::vector<int>{4}));
  EXPECT_EQ(given.size(), 1U);
  EXPECT_TRUE(given_out({0, 0}, {}).empty());
}

TEST(FoldQueue, GivesASlowRankFewerFolds) {
  std::map<int, std::vector<int>> given = given_out({1.5, 0.1}, {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(given[0], (std::vector<int>{0}));
  EXPECT_EQ(given[1], (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(FoldQueue, GivesOutNothingOnceARankWasInterrupted) {
  on_ranks(2, [](Communicator& ranks) {
    FoldQueue queue(ranks, {0, 1, 2, 3});
    EXPECT_TRUE(queue.take());
    ranks.barrier();
    if (ranks.rank() == 1) training::request_interrupt();
    ranks.barrier();
    EXPECT_FALSE(queue.take());
    while (!queue.all_left(0.01)) {
    }
    EXPECT_TRUE(queue.has_left_over());
  });
  training::clear_interrupt();
}

}  // namespace
}  // namespace hanok::test
