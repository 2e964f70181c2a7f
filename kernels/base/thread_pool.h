// A fixed set of compute threads. Work is split by problem size, never by thread count, so results
// do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#pragma GCC visibility push(default)
namespace hanok {

class ThreadPool {
 public:
  /// `threads` includes the caller: 1 runs everything inline and starts no thread. Throws Error if
  /// the system cannot start all of them.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  /// Calls task(i) once for each i in [0, count), in any order, on any thread; returns when all are
  /// done. A call from inside a task runs inline. The first exception is rethrown here after all
  /// running tasks have ended.
  void run(std::int64_t count, const std::function<void(std::int64_t)>& task);

  /// Splits [0, total) into blocks of `grain` (chosen by problem size) and calls task(begin, end)
  /// for each.
  void run_blocks(std::int64_t total, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& task);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// While alive, denormal floats are flushed to zero on this thread; the destructor restores the
/// previous state.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned saved_;
};

}  // namespace hanok
#pragma GCC visibility pop
