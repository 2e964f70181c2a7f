// The memory source of each device, and its budget.
#include "hanok/engine/allocator.h"

#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include "hanok/engine/available_memory.h"
#include "hanok/engine/caching_allocator.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(pointer, bytes) ((void)(pointer), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(pointer, bytes) ((void)(pointer), (void)(bytes))
#endif

namespace hanok {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kCudaAlignment = 512;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
/// Large enough that a training step's tensors share a segment: what the forward pass held in four
/// small images can then hold the backward pass's large one. Only written pages are resident.
constexpr std::size_t kCpuSegment = std::size_t{512} << 20;
constexpr std::size_t kCudaSegment = std::size_t{2} << 20;

class SystemMemory final : public MemorySource {
 public:
  void* take(std::size_t bytes) override {
    const std::size_t aligned = bytes >= kHugePage ? kHugePage : kAlignment;
    void* pointer = nullptr;
    if (posix_memalign(&pointer, aligned, bytes) != 0) return nullptr;
    // Only whole huge pages: a larger one at the end would hold memory that nobody uses.
    if (aligned == kHugePage) madvise(pointer, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
    return pointer;
  }
  void give_back(void* pointer) noexcept override { std::free(pointer); }
  /// Not where addresses are limited, too: a new segment would take more of them.
  std::size_t discard(void* pointer, std::size_t bytes) noexcept override {
    for (const int kind : {RLIMIT_AS, RLIMIT_DATA}) {
      rlimit limit{};
      if (getrlimit(kind, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) return 0;
    }
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t before = (page - reinterpret_cast<std::uintptr_t>(pointer) % page) % page;
    if (bytes < before + page) return 0;
    const std::size_t whole = (bytes - before) / page * page;
    if (madvise(static_cast<char*>(pointer) + before, whole, MADV_DONTNEED) != 0) return 0;
    return whole;
  }
  // These do nothing in a build without the address sanitizer.
  void note_use(void* pointer, std::size_t bytes) noexcept override {
    ASAN_UNPOISON_MEMORY_REGION(pointer, bytes);
  }
  void note_free(void* pointer, std::size_t bytes) noexcept override {
    ASAN_POISON_MEMORY_REGION(pointer, bytes);
  }
  std::size_t alignment() const override { return kAlignment; }
  std::size_t segment_bytes(bool small) const override { return small ? 0 : kCpuSegment; }
};

class CudaMemory final : public MemorySource {
 public:
  explicit CudaMemory(int device) : device_(device) {}
  void* take(std::size_t bytes) override { return cuda_runtime()->allocate(device_, bytes); }
  void give_back(void* pointer) noexcept override {
    try {
      cuda_runtime()->release(device_, pointer);
    } catch (const Error&) {
      // The device has failed: its next user gets the error.
    }
  }
  std::size_t alignment() const override { return kCudaAlignment; }
  std::size_t segment_bytes(bool) const override { return kCudaSegment; }

 private:
  int device_;
};

constexpr std::size_t share_of(std::size_t bytes) { return bytes / 5 * 4; }

/// Allocators are never destroyed: tensors of static lifetime may be destroyed in any order.
Allocator& cuda_allocator(int device) {
  static auto* mutex = new std::mutex();  // NOLINT(cppcoreguidelines-owning-memory)
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
  static auto* allocators = new std::map<int, std::unique_ptr<Allocator>>();
  const std::lock_guard lock(*mutex);
  std::unique_ptr<Allocator>& allocator = (*allocators)[device];
  if (allocator == nullptr) {
    const std::size_t budget = share_of(cuda_runtime()->free_bytes(device));
    allocator = std::make_unique<CachingAllocator>(std::make_unique<CudaMemory>(device), budget);
  }
  return *allocator;
}

thread_local const char* current_tag = "other";
thread_local bool short_lived = false;
thread_local const MemoryPool::Scope* innermost_scope = nullptr;

}  // namespace

Allocator& allocator_of(Device device) {
  if (!device.is_cpu()) {
    require_cuda(device);
    return cuda_allocator(device.index);
  }
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
  static auto* allocator =
      new CachingAllocator(std::make_unique<SystemMemory>(), share_of(available_memory()));
  return *allocator;
}

MemoryPool::Scope::Scope(const MemoryPool& pool)
    : pool_(pool), outer_(std::exchange(innermost_scope, this)) {}
MemoryPool::Scope::~Scope() { innermost_scope = outer_; }

int MemoryPool::Scope::current(const Allocator& allocator) {
  for (const Scope* scope = innermost_scope; scope != nullptr; scope = scope->outer_) {
    if (&scope->pool_.allocator_ == &allocator) return scope->pool_.pool_;
  }
  return 0;
}

MemoryTag::MemoryTag(const char* tag) : saved_(current_tag) { current_tag = tag; }
MemoryTag::~MemoryTag() { current_tag = saved_; }
const char* MemoryTag::current() { return current_tag; }

ShortLived::ShortLived(bool value) : saved_(std::exchange(short_lived, value)) {}
ShortLived::~ShortLived() { short_lived = saved_; }
bool ShortLived::current() { return short_lived; }

}  // namespace hanok
