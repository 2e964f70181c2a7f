#include "hanok/kernels/base/thread_pool.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <stdexcept>
#include <thread>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "tests/support/little_address_space.h"

namespace hanok {
namespace {

TEST(ThreadPool, RunsEachTaskOnce) {
  for (const int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::int64_t count : {0, 1, 2, 3, 100, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
      pool.run(count, [&](std::int64_t i) { ++calls[static_cast<std::size_t>(i)]; });
      for (const auto& n : calls) {
        EXPECT_EQ(n.load(), 1);
      }
    }
  }
}

// What a thread wrote in one kernel it finds in its caches in the next.
TEST(ThreadPool, GivesAThreadTheSameShareOfEveryJob) {
  constexpr int kThreads = 3;
  constexpr std::int64_t kShare = 4;
  ThreadPool pool(kThreads);
  const auto threads_of_shares = [&] {
    std::vector<std::thread::id> threads(kThreads);
    std::atomic<int> begun{0};
    pool.run(kThreads * kShare, [&](std::int64_t i) {
      if (i % kShare != 0) return;
      threads[static_cast<std::size_t>(i / kShare)] = std::this_thread::get_id();
      // Nobody finishes the first task of a share, and helps others, before all have begun theirs.
      ++begun;
      while (begun.load() < kThreads) std::this_thread::yield();
    });
    return threads;
  };
  const std::vector<std::thread::id> first = threads_of_shares();
  EXPECT_EQ(first[0], std::this_thread::get_id());
  for (int job = 0; job < 100; ++job) EXPECT_EQ(threads_of_shares(), first);
}

TEST(ThreadPool, WithDelaysRunsEachTaskOnce) {
  ASSERT_EQ(::setenv("HANOK_THREAD_DELAYS", "7", 1), 0);
  ThreadPool pool(3);
  ::unsetenv("HANOK_THREAD_DELAYS");
  const auto begin = std::chrono::steady_clock::now();
  for (int job = 0; job < 100; ++job) {
    std::vector<std::atomic<int>> calls(10);
    pool.run(10, [&](std::int64_t i) { ++calls[static_cast<std::size_t>(i)]; });
    for (const auto& n : calls) EXPECT_EQ(n.load(), 1);
  }
  // 600 waits and more by the caller alone, half of them some 50 us.
  EXPECT_GT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(5));
}

TEST(ThreadPool, DelaysTakeASeed) {
  for (const char* text : {"x", "1x", "-1", "1.5", " 1", "99999999999999999999"}) {
    ASSERT_EQ(::setenv("HANOK_THREAD_DELAYS", text, 1), 0);
    EXPECT_THROW(ThreadPool(2), ValueError) << text;
  }
  ::unsetenv("HANOK_THREAD_DELAYS");
}

TEST(ThreadPool, ManyShortJobsInARow) {
  ThreadPool pool(3);
  std::atomic<std::int64_t> sum{0};
  for (int job = 0; job < 20000; ++job) {
    pool.run(4, [&](std::int64_t i) { sum += i; });
  }
  EXPECT_EQ(sum.load(), 20000 * 6);
}

TEST(ThreadPool, BlocksDependOnSizeAndGrainOnly) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::vector<std::atomic<std::int64_t>> ends(4);
    pool.run_blocks(10, 3, [&](std::int64_t begin, std::int64_t end) {
      ends[static_cast<std::size_t>(begin / 3)] = end;
    });
    EXPECT_EQ(ends[0], 3);
    EXPECT_EQ(ends[1], 6);
    EXPECT_EQ(ends[2], 9);
    EXPECT_EQ(ends[3], 10);
    pool.run_blocks(0, 3, [](std::int64_t, std::int64_t) { FAIL() << "no work, but a call"; });
  }
}

TEST(ThreadPool, NestedWorkRunsInlineOnTheSameThread) {
  ThreadPool pool(3);
  std::atomic<int> inner{0};
  std::atomic<int> elsewhere{0};
  pool.run(8, [&](std::int64_t) {
    const auto self = std::this_thread::get_id();
    pool.run(8, [&](std::int64_t) {
      ++inner;
      elsewhere += static_cast<int>(std::this_thread::get_id() != self);
    });
  });
  EXPECT_EQ(inner.load(), 64);
  EXPECT_EQ(elsewhere.load(), 0);
}

TEST(ThreadPool, RethrowsTheFirstExceptionAndStaysUsable) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      std::atomic<int> calls{0};
      try {
        pool.run(1000, [&](std::int64_t i) {
          ++calls;
          if (i == 5) {
            throw std::runtime_error("task 5");
          }
        });
        FAIL() << "nothing was thrown";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "task 5");
      }
      EXPECT_GE(calls.load(), 1);
    }
    std::atomic<int> calls{0};
    pool.run(10, [&](std::int64_t) { ++calls; });
    EXPECT_EQ(calls.load(), 10);
  }
}

TEST(ThreadPool, AnExceptionOfNestedWorkReachesTheOuterCaller) {
  ThreadPool pool(2);
  EXPECT_THROW(pool.run(4,
                        [&](std::int64_t) {
                          pool.run(2, [](std::int64_t) { throw std::out_of_range("inner"); });
                        }),
               std::out_of_range);
  // The thread that caught it must not be taken for one inside a task.
  std::atomic<int> calls{0};
  pool.run(3, [&](std::int64_t) { ++calls; });
  EXPECT_EQ(calls.load(), 3);
}

TEST(ThreadPool, TwoThreadsMayCallAtOnce) {
  ThreadPool pool(3);
  std::atomic<std::int64_t> sum{0};
  const auto many = [&] {
    for (int job = 0; job < 2000; ++job) {
      pool.run(5, [&](std::int64_t i) { sum += i; });
    }
  };
  std::thread other(many);
  many();
  other.join();
  EXPECT_EQ(sum.load(), 2 * 2000 * 10);
}

TEST(ThreadPool, SaysHowManyThreadsTheSystemStarted) {
  const test::LittleAddressSpace room(rlim_t{5} << 29);  // for two stacks and a half
  EXPECT_THAT(
      [] { ThreadPool pool(50); },
      ::testing::ThrowsMessage<Error>(::testing::HasSubstr("the system started 3 of 50 threads")));
  ThreadPool pool(2);  // nothing of the first is left
  std::atomic<int> calls{0};
  pool.run(10, [&](std::int64_t) { ++calls; });
  EXPECT_EQ(calls.load(), 10);
}

TEST(FlushDenormals, HoldsForItsLifetimeAndInPoolThreads) {
  volatile float smallest = std::numeric_limits<float>::min();
  const auto half = [&] { return smallest * 0.5F; };
  EXPECT_GT(half(), 0.0F);
  {
    const FlushDenormals outer;
    EXPECT_EQ(half(), 0.0F);
    { const FlushDenormals inner; }
    EXPECT_EQ(half(), 0.0F);
  }
  EXPECT_GT(half(), 0.0F);

  ThreadPool pool(3);
  const auto caller = std::this_thread::get_id();
  std::atomic<int> kept{0};
  pool.run(1000, [&](std::int64_t) {
    kept += static_cast<int>(std::this_thread::get_id() != caller && half() != 0.0F);
  });
  EXPECT_EQ(kept.load(), 0);
}

}  // namespace
}  // namespace hanok
