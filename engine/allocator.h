// Where tensors get their bytes: a caching allocator with a budget and statistics. CPU and CUDA
// share this interface.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "kernels/base/device.h"

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
  /// At least `bytes` bytes aligned to 64, counted under `tag`. Cached blocks are given back to the
  /// system before it throws OutOfMemory; after the throw the allocator is usable. Thread-safe.
  virtual void* allocate(std::size_t bytes, const char* tag) = 0;
  virtual void deallocate(void* pointer) noexcept = 0;
  virtual MemoryStatistics statistics() const = 0;
  virtual void reset_peak() = 0;
  virtual void set_budget(std::size_t bytes) = 0;
  /// Gives cached blocks back to the system.
  virtual void release_cached() = 0;
};

/// The process-wide allocator of a device. The CPU's default budget is 80% of what the control
/// group or the machine has left.
Allocator& allocator_of(Device device);

/// Names what is allocated on this thread while it lives: "activations", "parameters", "gradients",
/// ...
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

}  // namespace hanok
