// Memory that only saves time: it is given back where memory ran out, and what it held is computed
// or read again.
#pragma once

#include <functional>

#pragma GCC visibility push(default)
namespace hanok {

/// A cache that can be given back, for the lifetime of this object.
class Reclaimable {
 public:
  /// `give_back` frees the cache for good and returns whether there was anything to free. It is
  /// called on the thread that ran out of memory and must not throw.
  explicit Reclaimable(std::function<bool()> give_back);
  ~Reclaimable();
  Reclaimable(const Reclaimable&) = delete;
  Reclaimable& operator=(const Reclaimable&) = delete;

 private:
  friend bool reclaim_memory();
  std::function<bool()> give_back_;
};

/// Gives back what this process can do without in main memory: every Reclaimable, packed weights,
/// which are not kept again (keep_packed_weights), and free blocks of the CPU's allocator. Results
/// do not change. Returns whether any cache was given back, so that trying again may help. Not
/// while ops run on this thread.
bool reclaim_memory();

}  // namespace hanok
#pragma GCC visibility pop
