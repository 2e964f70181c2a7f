// The caching allocator: budget, statistics, tags.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <new>
#include <thread>
#include <unistd.h>

#include "hanok/engine/allocator.h"
#include "hanok/engine/available_memory.h"
#include "hanok/engine/caching_allocator.h"
#include "tests/engine/op_check.h"
#include "tests/support/sanitized.h"

namespace hanok::testing {
namespace {

namespace fs = std::filesystem;

Allocator& allocator() { return allocator_of(Device::cpu()); }

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

TEST(Allocator, CountsByTagAndKeepsBlocksForReuse) {
  const MemoryStatistics before = allocator().statistics();
  void* first = nullptr;
  {
    const MemoryTag tag("a test's tag");
    const Tensor x = Tensor::empty({3 * kMebibyte / 4});
    first = x.view().data == nullptr ? nullptr : const_cast<void*>(x.view().data);
    const MemoryStatistics during = allocator().statistics();
    EXPECT_EQ(during.in_use - before.in_use, 3 * kMebibyte);
    EXPECT_EQ(during.in_use_by_tag.at("a test's tag"), 3 * kMebibyte);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0U);
  }
  const MemoryStatistics after = allocator().statistics();
  EXPECT_EQ(after.in_use, before.in_use);
  EXPECT_EQ(after.in_use_by_tag.at("a test's tag"), 0U);
  EXPECT_GE(after.cached, 3 * kMebibyte);
  const Tensor again = Tensor::empty({3 * kMebibyte / 4});
  EXPECT_EQ(again.view().data, first);
}

TEST(Allocator, PeakIsTheHighestUseSinceItsReset) {
  allocator().reset_peak();
  const std::size_t before = allocator().statistics().in_use;
  { const Tensor x = Tensor::empty({static_cast<std::int64_t>(kMebibyte)}); }
  EXPECT_EQ(allocator().statistics().peak, before + 4 * kMebibyte);
  allocator().reset_peak();
  EXPECT_EQ(allocator().statistics().peak, before);
}

TEST(Allocator, ARequestBeyondTheBudgetThrowsAndLeavesItUsable) {
  const std::size_t budget = allocator().statistics().budget;
  allocator().release_cached();
  const std::size_t in_use = allocator().statistics().in_use;
  allocator().set_budget(in_use + 2 * kMebibyte);
  try {
    Tensor::empty({static_cast<std::int64_t>(kMebibyte)});
    ADD_FAILURE() << "4 MiB fitted into 2";
  } catch (const OutOfMemory& error) {
    EXPECT_EQ(error.requested(), 4 * kMebibyte);
    EXPECT_EQ(error.in_use(), in_use);
    EXPECT_EQ(error.budget(), in_use + 2 * kMebibyte);
  }
  // Cached blocks make room for another size.
  { const Tensor x = Tensor::empty({static_cast<std::int64_t>(3 * kMebibyte / 8)}); }
  { const Tensor x = Tensor::empty({static_cast<std::int64_t>(kMebibyte / 2)}); }
  const MemoryStatistics after = allocator().statistics();
  EXPECT_EQ(after.in_use, in_use);
  EXPECT_LE(after.in_use + after.cached, after.budget);
  allocator().set_budget(budget);
}

TEST(Allocator, ReleaseCachedGivesBackWhatIsNotInUse) {
  { const Tensor x = Tensor::empty({1000}); }
  EXPECT_GT(allocator().statistics().cached, 0U);
  allocator().release_cached();
  EXPECT_EQ(allocator().statistics().cached, 0U);
}

TEST(Allocator, ThreadsMayAllocateAtOnce) {
  const std::size_t before = allocator().statistics().in_use;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 1; i < 300; ++i) {
        Tensor x = Tensor::empty({i * (t + 1)});
        float* values = x.mutable_data<float>();
        for (std::int64_t k = 0; k < x.numel(); ++k) values[k] = static_cast<float>(t);
        for (std::int64_t k = 0; k < x.numel(); ++k) ASSERT_EQ(values[k], static_cast<float>(t));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allocator().statistics().in_use, before);
}

/// Memory in segments, small as a GPU's unless said otherwise, of which there are `capacity` bytes
/// at most.
class LimitedMemory : public MemorySource {
 public:
  explicit LimitedMemory(std::size_t capacity, std::size_t segment = 2 * kMebibyte)
      : capacity_(capacity), segment_(segment) {}
  void* take(std::size_t bytes) override {
    if (bytes > capacity_) return nullptr;
    capacity_ -= bytes;
    void* memory = ::operator new (bytes, std::align_val_t{64});
    sizes_[memory] = bytes;
    return memory;
  }
  void give_back(void* pointer) noexcept override {
    capacity_ += sizes_.at(pointer);
    sizes_.erase(pointer);
    ::operator delete (pointer, std::align_val_t{64});
  }
  std::size_t alignment() const override { return 64; }
  std::size_t segment_bytes(bool) const override { return segment_; }

 private:
  std::size_t capacity_, segment_;
  std::map<void*, std::size_t> sizes_;
};

/// Notes the bytes of each block that is in use.
class WatchedMemory final : public LimitedMemory {
 public:
  explicit WatchedMemory(std::map<const void*, std::size_t>& used)
      : LimitedMemory(4 * kMebibyte), used_(used) {}
  void note_use(void* pointer, std::size_t bytes) noexcept override { used_[pointer] = bytes; }
  void note_free(void* pointer, std::size_t) noexcept override { used_.erase(pointer); }

 private:
  std::map<const void*, std::size_t>& used_;
};

TEST(Allocator, TellsItsSourceWhichBytesAreInUse) {
  std::map<const void*, std::size_t> used;
  CachingAllocator watched(std::make_unique<WatchedMemory>(used), 64 * kMebibyte);
  void* first = watched.allocate(100, "test");
  void* second = watched.allocate(1000, "test");
  EXPECT_EQ(used, (std::map<const void*, std::size_t>{{first, 100}, {second, 1000}}));
  watched.deallocate(first);
  EXPECT_EQ(used, (std::map<const void*, std::size_t>{{second, 1000}}));
  EXPECT_EQ(watched.allocate(90, "test"), first);
  EXPECT_EQ(used.at(first), 90U);
  watched.deallocate(first);
  watched.deallocate(second);
  EXPECT_TRUE(used.empty());
  watched.release_cached();
  EXPECT_EQ(used.size(), 1U) << "all of a segment that goes back";
}

TEST(Allocator, SanitizersSeeAReadBeyondATensor) {
  if (!test::kAddressSanitizer) GTEST_SKIP() << "only the address sanitizer sees it";
  const Tensor x = Tensor::zeros({33});
  const volatile float* values = x.data<float>();
  EXPECT_EQ(values[32], 0.0F);
  EXPECT_DEATH(std::exit(values[33] == 0.0F ? 0 : 1), "use-after-poison");
}

/// The budget is more than there is: the source's null is what ends it.
CachingAllocator limited_allocator() {
  return {std::make_unique<LimitedMemory>(16 * kMebibyte), 64 * kMebibyte};
}

TEST(Allocator, ASourceThatHasNoMoreThrowsAndLeavesItUsable) {
  CachingAllocator limited = limited_allocator();
  void* kept = limited.allocate(6 * kMebibyte, "kept");
  limited.deallocate(limited.allocate(8 * kMebibyte, "cached"));
  const MemoryStatistics before = limited.statistics();
  EXPECT_THROW(limited.allocate(11 * kMebibyte, "too much"), OutOfMemory);
  const MemoryStatistics after = limited.statistics();
  EXPECT_EQ(after.in_use, before.in_use);
  EXPECT_EQ(after.peak, before.peak);
  EXPECT_EQ(after.in_use_by_tag.count("too much"), 0U);
  EXPECT_EQ(after.cached, 0U);  // given back in the attempt
  void* all_there_is = limited.allocate(10 * kMebibyte, "fits");
  limited.deallocate(all_there_is);
  limited.deallocate(kept);
  EXPECT_EQ(limited.statistics().in_use, 0U);
  limited.release_cached();
}

TEST(Allocator, ASmallRequestIsServedFromLargeSegmentsWhereThereIsNothingElse) {
  CachingAllocator allocator(std::make_unique<LimitedMemory>(4 * kMebibyte), 4 * kMebibyte);
  void* first = allocator.allocate(kMebibyte, "test");
  void* second = allocator.allocate(2 * kMebibyte, "test");  // both segments are begun
  void* small = allocator.allocate(100, "test");
  EXPECT_EQ(allocator.statistics().in_use + allocator.statistics().cached, 4 * kMebibyte);
  for (void* pointer : {small, first, second}) allocator.deallocate(pointer);
  EXPECT_EQ(allocator.statistics().in_use, 0U);
  allocator.release_cached();
  EXPECT_EQ(allocator.statistics().cached, 0U) << "the pieces are whole segments again";
}

// A freed block at the front is used before a smaller one behind it, so that what lies behind can
// merge with the untouched rest of the segment; small segments are searched for the best fit.
TEST(Allocator, SegmentsOfAWholeStepAreFilledFromTheFront) {
  for (const std::size_t segment : {512 * kMebibyte, 2 * kMebibyte}) {
    CachingAllocator allocator(std::make_unique<LimitedMemory>(1024 * kMebibyte, segment),
                               1024 * kMebibyte);
    void* large = allocator.allocate(8 * kMebibyte, "test");
    void* between = allocator.allocate(2 * kMebibyte, "test");
    void* fitting = allocator.allocate(4 * kMebibyte, "test");
    void* behind = allocator.allocate(2 * kMebibyte, "test");
    allocator.deallocate(large);
    allocator.deallocate(fitting);
    void* again = allocator.allocate(4 * kMebibyte, "test");
    EXPECT_EQ(again, segment > 2 * kMebibyte ? large : fitting);
    for (void* pointer : {between, behind, again}) allocator.deallocate(pointer);
    allocator.release_cached();
    EXPECT_EQ(allocator.statistics().cached, 0U);
  }
}

// What passes is placed at the end of what is used already, or into a hole of its size: so it
// leaves no gaps between blocks that last.
TEST(Allocator, ShortLivedBlocksOfAStepAreTakenFromTheEnd) {
  CachingAllocator allocator(std::make_unique<LimitedMemory>(1024 * kMebibyte, 512 * kMebibyte),
                             1024 * kMebibyte);
  const auto place = [&](std::size_t mebibytes) {
    return static_cast<char*>(allocator.allocate(mebibytes * kMebibyte, "test"));
  };
  char* const begin = place(8);
  char* const first = place(1);
  char* const hole = place(3);
  char* const second = place(1);
  char* const end = place(8);
  char* const third = place(1);
  char* const tail = place(6);
  for (char* pointer : {begin, hole, end, tail}) allocator.deallocate(pointer);
  {
    const ShortLived passing;
    char* const last = place(2);
    EXPECT_EQ(last, tail + 4 * kMebibyte);
    char* const exact = place(3);
    EXPECT_EQ(exact, hole);
    char* const larger = place(5);
    EXPECT_EQ(larger, end + 3 * kMebibyte);
    {
      const ShortLived lasting(false);
      char* const other = place(1);
      EXPECT_EQ(other, begin);
      allocator.deallocate(other);
    }
    char* const nowhere = place(9);
    EXPECT_EQ(nowhere, tail + 6 * kMebibyte) << "after all that is used";
    for (char* pointer : {last, exact, larger, nowhere}) allocator.deallocate(pointer);
  }
  EXPECT_FALSE(ShortLived::current());
  for (char* pointer : {first, second, third}) allocator.deallocate(pointer);
  EXPECT_EQ(allocator.statistics().in_use, 0U);
  allocator.release_cached();
  EXPECT_EQ(allocator.statistics().cached, 0U) << "the pieces are one segment again";
}

TEST(Allocator, APoolsBlocksAreItsOwnUntilItIsDropped) {
  CachingAllocator limited = limited_allocator();
  auto pool = std::make_unique<MemoryPool>(limited);
  void* captured = nullptr;
  {
    const MemoryPool::Scope scope(*pool);
    captured = limited.allocate(4 * kMebibyte, "captured");
    limited.deallocate(captured);
    EXPECT_EQ(limited.allocate(4 * kMebibyte, "captured"), captured);
    limited.deallocate(captured);
  }
  void* others = limited.allocate(4 * kMebibyte, "others");
  EXPECT_NE(others, captured);
  pool.reset();
  EXPECT_EQ(limited.allocate(4 * kMebibyte, "others"), captured);
  limited.deallocate(captured);
  limited.deallocate(others);
  limited.release_cached();
  EXPECT_EQ(limited.statistics().cached, 0U);
}

TEST(Allocator, APoolIsOfOneAllocatorOnly) {
  CachingAllocator captured = limited_allocator();
  CachingAllocator beside = limited_allocator();
  MemoryPool pool(captured);
  void* first = nullptr;
  {
    const MemoryPool::Scope scope(pool);
    first = beside.allocate(4 * kMebibyte, "host");
    beside.deallocate(first);
  }
  EXPECT_EQ(beside.allocate(4 * kMebibyte, "host"), first);
  beside.deallocate(first);
  beside.release_cached();
  EXPECT_EQ(beside.statistics().cached, 0U);
}

/// A root folder with the files of /proc and /sys that report memory.
class FakeSystem {
 public:
  // The test program of the emulated device runs the same tests at the same time.
  FakeSystem() : root_(::testing::TempDir() + "available_memory" + std::to_string(::getpid())) {}
  ~FakeSystem() { fs::remove_all(root_); }
  FakeSystem(const FakeSystem&) = delete;
  FakeSystem& operator=(const FakeSystem&) = delete;
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::size_t available() const { return available_memory(root_); }
  std::size_t addresses() const { return available_address_space(root_); }
  std::size_t resident() const { return resident_memory(root_); }

 private:
  std::string root_;
};

TEST(AvailableMemory, IsWhatMachineAndControlGroupsLeave) {
  const FakeSystem system;
  EXPECT_EQ(system.available(), std::numeric_limits<std::size_t>::max()) << "nothing is known";
  system.write("/proc/meminfo",
               "MemTotal: 2000 kB\nMemAvailable:    1000 kB\nHugePages_Total: 0\n");
  EXPECT_EQ(system.available(), 1000U << 10);
  system.write("/proc/self/cgroup", "0::/outer/job\n");
  system.write("/sys/fs/cgroup/outer/job/memory.max", "max\n");
  system.write("/sys/fs/cgroup/outer/job/memory.current", "300000\n");
  EXPECT_EQ(system.available(), 1000U << 10) << "no limit";
  system.write("/sys/fs/cgroup/outer/memory.max", "900000\n");
  system.write("/sys/fs/cgroup/outer/memory.current", "500000\n");
  EXPECT_EQ(system.available(), 400000U) << "the limit of a group above";
  system.write("/sys/fs/cgroup/memory.max", "350000\n");
  system.write("/sys/fs/cgroup/memory.current", "100000\n");
  EXPECT_EQ(system.available(), 250000U) << "of the topmost one";
}

TEST(AvailableMemory, CountsTheCacheOfFilesAsFree) {
  const FakeSystem system;
  system.write("/proc/meminfo", "MemAvailable: 1000 kB\n");
  system.write("/proc/self/cgroup", "0::/\n");
  system.write("/sys/fs/cgroup/memory.max", "900000\n");
  // Who has read many photographs is at the limit.
  system.write("/sys/fs/cgroup/memory.current", "900000\n");
  EXPECT_EQ(system.available(), 0U);
  system.write("/sys/fs/cgroup/memory.stat",
               "anon 200000\nfile 700000\ninactive_file 400000\nactive_file 250000\n");
  EXPECT_EQ(system.available(), 650000U);
}

TEST(AvailableMemory, KnowsTheFirstVersionOfControlGroups) {
  const FakeSystem system;
  system.write("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/job\n0::/\n");
  system.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  system.write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "5000\n");
  system.write("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "8000\n");
  system.write("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "5000\n");
  system.write("/sys/fs/cgroup/memory/job/memory.stat",
               "inactive_file 1\ntotal_inactive_file 600\ntotal_active_file 400\n");
  EXPECT_EQ(system.available(), 4000U);
}

TEST(AvailableMemory, EndsAtTheLimitsOfTheProcess) {
  const FakeSystem system;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto limits = [&](const std::string& data, const std::string& addresses) {
    system.write("/proc/self/limits",
                 "Limit                     Soft Limit           Hard Limit           Units     \n"
                 "Max data size             " +
                     data +
                     "            unlimited            bytes     \n"
                     "Max address space         " +
                     addresses + "            unlimited      bytes     \n");
  };
  system.write("/proc/meminfo", "MemAvailable: 1000000 kB\n");
  system.write("/proc/self/statm", "300 100 50 10 0 200 0\n");
  limits("unlimited", "unlimited");
  EXPECT_EQ(system.available(), std::size_t{1000000} << 10);
  EXPECT_EQ(system.addresses(), std::numeric_limits<std::size_t>::max());
  EXPECT_EQ(system.resident(), 100 * page);
  limits("unlimited", std::to_string(1000 * page));
  EXPECT_EQ(system.available(), 700 * page);
  EXPECT_EQ(system.addresses(), 700 * page);
  limits(std::to_string(500 * page), std::to_string(1000 * page));
  EXPECT_EQ(system.available(), 300 * page);
  limits(std::to_string(100 * page), "unlimited");
  EXPECT_EQ(system.available(), 0U) << "more is in use than the limit that was set later";
}

TEST(Allocator, UseStaysWithinABudgetThatWasLoweredBelowItsSegments) {
  CachingAllocator allocator(std::make_unique<LimitedMemory>(1024 * kMebibyte, 512 * kMebibyte),
                             1024 * kMebibyte);
  void* first = allocator.allocate(8 * kMebibyte, "test");
  allocator.set_budget(16 * kMebibyte);
  EXPECT_THROW(allocator.allocate(9 * kMebibyte, "test"), OutOfMemory);
  void* second = allocator.allocate(8 * kMebibyte, "test");
  EXPECT_EQ(allocator.statistics().in_use, 16 * kMebibyte);
  allocator.deallocate(second);
  allocator.deallocate(first);
  allocator.release_cached();
}

/// Takes back memory of free blocks.
class DiscardingMemory final : public LimitedMemory {
 public:
  explicit DiscardingMemory(std::size_t& discarded)
      : LimitedMemory(1024 * kMebibyte, 512 * kMebibyte), discarded_(discarded) {}
  std::size_t discard(void*, std::size_t bytes) noexcept override {
    discarded_ += bytes;
    return bytes;
  }

 private:
  std::size_t& discarded_;
};

TEST(Allocator, GivesMemoryOfFreeBlocksBackForARequestThatNoneOfThemHolds) {
  constexpr std::size_t kBudget = 16 * kMebibyte, kBlock = 2 * kMebibyte;
  std::size_t discarded = 0;
  CachingAllocator allocator(std::make_unique<DiscardingMemory>(discarded), kBudget);
  std::vector<void*> blocks(6);
  for (void*& block : blocks) block = allocator.allocate(kBlock, "test");
  for (std::size_t i = 0; i < blocks.size(); i += 2) allocator.deallocate(blocks[i]);
  EXPECT_EQ(discarded, 0U);
  void* large = allocator.allocate(3 * kBlock, "test");
  EXPECT_EQ(discarded, kBlock) << "no more than is needed";
  EXPECT_EQ(allocator.statistics().in_use, 6 * kBlock);
  EXPECT_EQ(allocator.statistics().cached, 2 * kBlock);

  // Blocks whose memory was given back are used again, within the budget.
  blocks[0] = allocator.allocate(kBlock, "test");
  blocks[2] = allocator.allocate(kBlock, "test");
  EXPECT_EQ(allocator.statistics().in_use, kBudget);
  EXPECT_EQ(allocator.statistics().cached, 0U);
  EXPECT_THROW(allocator.allocate(kBlock, "test"), OutOfMemory);

  // What was used again counts again.
  blocks[4] = large;
  for (void* block : blocks) allocator.deallocate(block);
  EXPECT_EQ(allocator.statistics().in_use, 0U);
  allocator.release_cached();
  EXPECT_EQ(allocator.statistics().cached, 0U);
}

TEST(Allocator, RefusesTheRequestThatATestNames) {
  CachingAllocator allocator = limited_allocator();
  allocator.refuse_request(2);
  void* first = allocator.allocate(1000, "test");
  EXPECT_THROW(allocator.allocate(1000, "test"), OutOfMemory);
  void* third = allocator.allocate(1000, "test");
  EXPECT_FALSE(allocator.refuse_request(1));
  EXPECT_TRUE(allocator.refuse_request(0));
  allocator.deallocate(first);
  allocator.deallocate(third);
  EXPECT_EQ(allocator.statistics().in_use, 0U);
  allocator.release_cached();
}

TEST(Allocator, OnlyTheCpuIsThere) { EXPECT_THROW(allocator_of(Device::cuda(0)), DeviceError); }

}  // namespace
}  // namespace hanok::testing
