// Random delays of threads, for tests: in whatever order threads come and go, results must be the
// same bits.
#pragma once

#include <cstdint>

#pragma GCC visibility push(default)
namespace hanok {

class ThreadDelays {
 public:
  /// Of the environment variable HANOK_THREAD_DELAYS, which holds a seed; null where it is not set,
  /// and then there is nothing to wait for. Throws ValueError for what is no whole number.
  static const ThreadDelays* from_environment();

  explicit ThreadDelays(std::uint64_t seed) : seed_(seed) {}
  /// Returns at once, or after up to 2 ms.
  void wait() const;

 private:
  std::uint64_t seed_;
};

}  // namespace hanok
#pragma GCC visibility pop
