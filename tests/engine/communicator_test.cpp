#include "hanok/engine/communicator.h"

#include <chrono>
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <vector>

#include "hanok/kernels/base/half.h"
#include "tests/support/thread_ranks.h"

namespace hanok {
namespace {

using ::testing::HasSubstr;

/// A value of rank and position whose sums depend on their order.
float value(int rank, std::size_t i) {
  return 0.1F * static_cast<float>(rank + 1) + 1000.0F / static_cast<float>(i + 3) +
         (rank % 2 == 0 ? 1e4F : -9e3F);
}

std::vector<float> values(int rank, std::size_t count) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) x[i] = value(rank, i);
  return x;
}

/// Along the tree that communicator.h promises: neighbours, then pairs of pairs.
std::vector<float> tree_sum(int ranks, std::size_t count) {
  std::vector<std::vector<float>> all;
  for (int rank = 0; rank < ranks; ++rank) all.push_back(values(rank, count));
  while (all.size() > 1) {
    std::vector<std::vector<float>> next;
    for (std::size_t i = 0; i < all.size(); i += 2) {
      next.push_back(all[i]);
      if (i + 1 == all.size()) continue;
      for (std::size_t j = 0; j < count; ++j) next.back()[j] += all[i + 1][j];
    }
    all = next;
  }
  return all[0];
}

View view_of(std::vector<float>& x) {
  return {x.data(), DType::F32, {static_cast<std::int64_t>(x.size())}};
}

struct Case {
  int ranks;
  std::size_t count;
};
class Sums : public ::testing::TestWithParam<Case> {};

TEST_P(Sums, FollowOneTreeOnEveryRankBitForBit) {
  const auto [ranks, count] = GetParam();
  const std::vector<float> expected = tree_sum(ranks, count);
  on_ranks(ranks, [&](Communicator& communicator) {
    std::vector<float> x = values(communicator.rank(), count);
    communicator.all_reduce(view_of(x));
    EXPECT_EQ(0, std::memcmp(x.data(), expected.data(), count * sizeof(float)));
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, Sums,
                         ::testing::Values(Case{1, 5}, Case{2, 1}, Case{2, 9999}, Case{3, 1},
                                           Case{3, 70001}, Case{4, 3}, Case{4, 4097},
                                           Case{4, 100003}, Case{5, 11}, Case{6, 5000}, Case{8, 2},
                                           Case{8, 65537}));

TEST(Communicator, AddsEveryTypeButU8) {
  on_ranks(3, [](Communicator& communicator) {
    const int rank = communicator.rank();
    std::vector<double> doubles{1e-9 * (rank + 1), 1.0 + rank};
    communicator.all_reduce({doubles.data(), DType::F64, {2}});
    EXPECT_EQ(doubles, (std::vector<double>{1e-9 + 2e-9 + 3e-9, 6.0}));
    std::vector<std::int64_t> integers{std::int64_t{1} << 60, -rank};
    communicator.all_reduce({integers.data(), DType::I64, {2}});
    EXPECT_EQ(integers, (std::vector<std::int64_t>{3 * (std::int64_t{1} << 60), -3}));
    std::vector<BF16> bf16{to_bf16(1.5F), to_bf16(256.0F)};
    communicator.all_reduce({bf16.data(), DType::BF16, {2}});
    EXPECT_EQ(to_float(bf16[0]), 4.5F);
    EXPECT_EQ(to_float(bf16[1]), 768.0F);
    std::vector<F16> f16{to_f16(0.25F * static_cast<float>(rank))};
    communicator.all_reduce({f16.data(), DType::F16, {1}});
    EXPECT_EQ(to_float(f16[0]), 0.75F);
    std::vector<std::uint8_t> bytes{1};
    EXPECT_THROW(communicator.all_reduce({bytes.data(), DType::U8, {1}}), DTypeError);
  });
}

TEST(Communicator, SumsNothing) {
  on_ranks(2, [](Communicator& communicator) {
    communicator.all_reduce({nullptr, DType::F32, {0}});
    communicator.barrier();
  });
}

TEST(Communicator, CopiesFromAnyRoot) {
  for (const int ranks : {1, 2, 3, 4, 7}) {
    on_ranks(ranks, [ranks](Communicator& communicator) {
      for (int root = 0; root < ranks; ++root) {
        std::vector<std::uint8_t> bytes(37, static_cast<std::uint8_t>(communicator.rank()));
        communicator.broadcast({bytes.data(), DType::U8, {37}}, root);
        EXPECT_EQ(bytes, std::vector<std::uint8_t>(37, static_cast<std::uint8_t>(root)));
      }
      if (ranks > 1) {
        std::uint8_t byte = 0;
        EXPECT_THROW(communicator.broadcast({&byte, DType::U8, {1}}, ranks), ValueError);
      }
    });
  }
}

TEST(Communicator, GathersInOrderOfRanks) {
  for (const int ranks : {1, 2, 3, 4, 6}) {
    on_ranks(ranks, [ranks](Communicator& communicator) {
      const std::vector<float> mine = values(communicator.rank(), 5);
      std::vector<float> all(static_cast<std::size_t>(ranks) * 5);
      communicator.all_gather({mine.data(), DType::F32, {5}}, view_of(all));
      for (int rank = 0; rank < ranks; ++rank) {
        const std::vector<float> expected = values(rank, 5);
        for (std::size_t i = 0; i < 5; ++i) {
          EXPECT_EQ(all[static_cast<std::size_t>(rank) * 5 + i], expected[i]);
        }
      }
      const std::string text(static_cast<std::size_t>(communicator.rank()), 'x');
      const std::vector<std::string> texts = all_gather(communicator, text + "!");
      ASSERT_EQ(texts.size(), static_cast<std::size_t>(ranks));
      EXPECT_EQ(texts.back(), std::string(static_cast<std::size_t>(ranks - 1), 'x') + "!");
      std::vector<float> wrong(3);
      if (ranks > 1) {
        EXPECT_THROW(communicator.all_gather({mine.data(), DType::F32, {5}}, view_of(wrong)),
                     ShapeError);
      }
    });
  }
}

TEST(Communicator, SumsInTheBackgroundBesideOtherOperations) {
  on_ranks(4, [](Communicator& communicator) {
    std::vector<std::vector<float>> x;
    std::vector<std::unique_ptr<Communicator::Pending>> pending;
    for (std::size_t job = 0; job < 5; ++job) x.push_back(values(communicator.rank(), 20000 + job));
    for (std::vector<float>& part : x) {
      pending.push_back(communicator.start_all_reduce(view_of(part)));
      double one = 1;
      communicator.all_reduce({&one, DType::F64, {1}});
      EXPECT_EQ(one, 4);
    }
    for (const auto& job : pending) job->wait();
    for (const std::vector<float>& part : x) EXPECT_EQ(part, tree_sum(4, part.size()));
  });
}

TEST(Communicator, NamesARankThatDoesNotCome) {
  std::string message;
  try {
    on_ranks(3,
             [](Communicator& communicator) {
               communicator.barrier();
               if (communicator.rank() == 2) std::this_thread::sleep_for(std::chrono::seconds(1));
               communicator.barrier();
             },
             {.silence_seconds = 2, .lag_seconds = 0.5});
  } catch (const CommunicationError& error) {
    message = error.what();
  }
  EXPECT_THAT(message, HasSubstr("rank 2 runs, but has not come to operation 2"));
}

TEST(Communicator, NamesARankThatIsSilent) {
  Post post(2);  // rank 1 sends nothing
  ranks::TreeCommunicator communicator(std::make_unique<ThreadTransport>(post, 0),
                                       {.silence_seconds = 0.3}, [](const std::string&) {});
  try {
    communicator.barrier();
    FAIL();
  } catch (const CommunicationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("rank 1 has not answered for 0.3 s"));
  }
}

TEST(Communicator, TensorsOfOneRankStayAsTheyAre) {
  const std::unique_ptr<Communicator> alone = single_rank();
  Tensor x = Tensor::from_vector(std::vector<float>{1, 2}, {2});
  all_reduce(*alone, x);
  broadcast(*alone, x, 0);
  EXPECT_EQ(x.to_vector(), (std::vector<float>{1, 2}));
  EXPECT_EQ(all_gather(*alone, "one"), std::vector<std::string>{"one"});
  EXPECT_EQ(alone->size(), 1);
}

TEST(Communicator, LimitsComeFromTheEnvironment) {
  setenv("HANOK_RANK_SILENCE", "1.5", 1);
  EXPECT_EQ(RankLimits::of_environment().silence_seconds, 1.5);
  setenv("HANOK_RANK_SILENCE", "soon", 1);
  EXPECT_THROW(RankLimits::of_environment(), ValueError);
  unsetenv("HANOK_RANK_SILENCE");
}

}  // namespace
}  // namespace hanok
