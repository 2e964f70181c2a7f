// Where tensors get their memory: a caching allocator with a budget and statistics. CPU and CUDA
// share this interface.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "hanok/kernels/base/device.h"

#pragma GCC visibility push(default)
namespace hanok {

struct MemoryStatistics {
  std::size_t in_use = 0;  // bytes handed out
  std::size_t peak = 0;    // highest in_use since the last reset_peak()
  std::size_t cached = 0;  // bytes kept for reuse
  std::size_t budget = 0;  // in_use + cached stay below this
  std::map<std::string, std::size_t> in_use_by_tag;
  std::map<std::string, std::size_t> peak_by_tag;  // in_use_by_tag when peak was reached
};

class Allocator {
 public:
  virtual ~Allocator() = default;
  /// At least `bytes` bytes aligned to 64, counted under `tag`. Frees cached blocks before it
  /// throws OutOfMemory, and remains usable afterwards. Thread-safe.
  virtual void* allocate(std::size_t bytes, const char* tag) = 0;
  /// Returns a block to the cache.
  virtual void deallocate(void* pointer) noexcept = 0;
  virtual MemoryStatistics statistics() const = 0;
  virtual void reset_peak() = 0;
  /// Limits in_use + cached; memory in use already is kept.
  virtual void set_budget(std::size_t bytes) = 0;
  /// Returns cached blocks to the system.
  virtual void release_cached() = 0;
  /// For tests: the `number`-th request from now on (1: the next) throws OutOfMemory as if memory
  /// had run out; 0: none does. Returns whether one was still to be refused.
  virtual bool refuse_request(std::int64_t number) = 0;

  // A pool's blocks, in use or free, serve only requests to the pool until it is dropped: a
  // captured graph keeps reading and writing the addresses of its capture. See MemoryPool.
  virtual int make_pool() = 0;
  virtual void drop_pool(int pool) = 0;
};

/// A pool of an allocator, for the lifetime of this object.
class MemoryPool {
 public:
  explicit MemoryPool(Allocator& allocator) : allocator_(allocator), pool_(allocator.make_pool()) {}
  ~MemoryPool() { allocator_.drop_pool(pool_); }
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  /// While alive, this thread's requests to the pool's allocator are served from the pool.
  class Scope {
   public:
    explicit Scope(const MemoryPool& pool);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    /// The pool that serves this thread's requests to the allocator; 0: the shared one.
    static int current(const Allocator& allocator);

   private:
    const MemoryPool& pool_;
    const Scope* outer_;
  };

 private:
  Allocator& allocator_;
  int pool_;
};

/// The process-wide allocator of a device. The CPU's default budget is 80% of the memory available
/// to the process (engine/available_memory.h), a GPU's 80% of its free memory. Throws DeviceError
/// if the device is missing.
Allocator& allocator_of(Device device);

/// While alive, tags what this thread allocates: "activations", "parameters", "gradients", ...
class MemoryTag {
 public:
  explicit MemoryTag(const char* tag);
  ~MemoryTag();
  MemoryTag(const MemoryTag&) = delete;
  MemoryTag& operator=(const MemoryTag&) = delete;
  static const char* current();

 private:
  const char* saved_;
};

/// While alive, what this thread allocates is taken for short-lived (or, with false, for lasting):
/// not kept from the forward pass to the backward pass, or for the step's end. The CPU's allocator
/// keeps the two apart.
class ShortLived {
 public:
  explicit ShortLived(bool value = true);
  ~ShortLived();
  ShortLived(const ShortLived&) = delete;
  ShortLived& operator=(const ShortLived&) = delete;
  static bool current();

 private:
  bool saved_;
};

}  // namespace hanok
#pragma GCC visibility pop
