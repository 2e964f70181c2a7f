// The CPU's caching allocator: freed blocks are kept by size and handed out again, so that a
// training step, which asks for the same sizes over and over, meets the system's allocator only
// once.
#include "engine/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <mutex>
#include <sys/mman.h>
#include <unordered_map>

#include "kernels/base/error.h"

namespace hanok {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

/// Sizes are rounded up so that nearly equal requests share blocks: to 64 bytes, and above 1 MiB to
/// 64 KiB.
std::size_t block_size(std::size_t bytes) {
  const std::size_t unit = bytes >= (std::size_t{1} << 20) ? (std::size_t{64} << 10) : kAlignment;
  return std::max(unit, (bytes + unit - 1) / unit * unit);
}

/// A number from a one-line file of the kernel, or the largest number if it is absent or says
/// "max".
std::size_t read_limit(const char* path) {
  std::ifstream file(path);
  std::size_t value = 0;
  return file >> value ? value : std::numeric_limits<std::size_t>::max();
}

std::size_t available_memory() {
  std::size_t available = std::numeric_limits<std::size_t>::max();
  std::ifstream meminfo("/proc/meminfo");
  std::string key;
  std::size_t kibibytes = 0;
  std::string rest;
  while (meminfo >> key >> kibibytes && std::getline(meminfo, rest)) {
    if (key == "MemAvailable:") available = kibibytes << 10;
  }
  const std::pair<const char*, const char*> groups[] = {
      {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
       "/sys/fs/cgroup/memory/memory.usage_in_bytes"}};
  for (const auto& [limit_file, usage_file] : groups) {
    const std::size_t limit = read_limit(limit_file);
    const std::size_t usage = read_limit(usage_file);
    if (limit != std::numeric_limits<std::size_t>::max() && usage < limit) {
      available = std::min(available, limit - usage);
    }
  }
  return available;
}

class CpuAllocator final : public Allocator {
 public:
  CpuAllocator() {
    const std::size_t available = available_memory();
    statistics_.budget = available / 5 * 4;
  }

  void* allocate(std::size_t bytes, const char* tag) override {
    const std::size_t size = block_size(bytes);
    const std::lock_guard lock(mutex_);
    void* pointer = take_cached(size);
    if (pointer == nullptr) {
      if (statistics_.in_use + statistics_.cached + size > statistics_.budget) free_cached();
      if (statistics_.in_use + size <= statistics_.budget) pointer = from_system(size);
      if (pointer == nullptr) {
        throw OutOfMemory(bytes, statistics_.in_use, statistics_.budget);
      }
      blocks_[pointer] = {size, tag};
    }
    Block& block = blocks_[pointer];
    block.tag = tag;
    statistics_.in_use += block.size;
    statistics_.in_use_by_tag[tag] += block.size;
    if (statistics_.in_use > statistics_.peak) {
      statistics_.peak = statistics_.in_use;
      statistics_.peak_by_tag = statistics_.in_use_by_tag;
    }
    return pointer;
  }

  void deallocate(void* pointer) noexcept override {
    const std::lock_guard lock(mutex_);
    const Block& block = blocks_.at(pointer);
    statistics_.in_use -= block.size;
    statistics_.in_use_by_tag[block.tag] -= block.size;
    statistics_.cached += block.size;
    cached_.emplace(block.size, pointer);
  }

  MemoryStatistics statistics() const override {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }
  void reset_peak() override {
    const std::lock_guard lock(mutex_);
    statistics_.peak = statistics_.in_use;
    statistics_.peak_by_tag = statistics_.in_use_by_tag;
  }
  void set_budget(std::size_t bytes) override {
    const std::lock_guard lock(mutex_);
    statistics_.budget = bytes;
  }
  void release_cached() override {
    const std::lock_guard lock(mutex_);
    free_cached();
  }

 private:
  struct Block {
    std::size_t size = 0;
    const char* tag = "";
  };

  /// A cached block of `size` bytes or up to an eighth more.
  void* take_cached(std::size_t size) {
    const auto found = cached_.lower_bound(size);
    if (found == cached_.end() || found->first > size + size / 8) return nullptr;
    void* pointer = found->second;
    statistics_.cached -= found->first;
    cached_.erase(found);
    return pointer;
  }

  static void* from_system(std::size_t size) {
    const std::size_t alignment = size >= kHugePage ? kHugePage : kAlignment;
    void* pointer = nullptr;
    if (posix_memalign(&pointer, alignment, size) != 0) return nullptr;
    if (alignment == kHugePage) madvise(pointer, size, MADV_HUGEPAGE);
    return pointer;
  }

  void free_cached() {
    for (const auto& [size, pointer] : cached_) {
      blocks_.erase(pointer);
      std::free(pointer);
    }
    cached_.clear();
    statistics_.cached = 0;
  }

  mutable std::mutex mutex_;
  std::unordered_map<void*, Block> blocks_;   // all blocks, in use or cached
  std::multimap<std::size_t, void*> cached_;  // by size
  MemoryStatistics statistics_;
};

thread_local const char* current_tag = "other";

}  // namespace

Allocator& allocator_of(Device device) {
  if (!device.is_cpu()) {
    throw DeviceError("device " + device.to_string() + ": this build has no CUDA backend");
  }
  // Never destroyed: tensors of static lifetime may outlive any order of destruction.
  static auto* allocator = new CpuAllocator();  // NOLINT(cppcoreguidelines-owning-memory)
  return *allocator;
}

MemoryTag::MemoryTag(const char* tag) : saved_(current_tag) { current_tag = tag; }
MemoryTag::~MemoryTag() { current_tag = saved_; }
const char* MemoryTag::current() { return current_tag; }

}  // namespace hanok
