// Runs one job at a time. Each thread has an equal share of a job's tasks, in order, and takes over
// those that others have not begun when its own are done. A network's kernels cut their work alike,
// along the image or the channels: with the same share a thread finds in its own caches what it
// wrote in the kernel before, and the weights that it read for the last image. A worker that wakes
// too late for a short job is not waited for.
#include "hanok/kernels/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/thread_delays.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace hanok {
namespace {

/// Longer than the gaps between a network's kernels: waking a thread costs tens of microseconds, as
/// much as a kernel at batch 1 (measured: with 20 us here ResNet18 was a sixth slower). Short
/// enough not to load an idle machine.
constexpr std::chrono::microseconds kSpin{200};

thread_local bool inside_task = false;

/// Waits for `ready` for at most kSpin; returns whether it became true.
template <typename Ready>
bool spin_until(const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) {
        return true;
      }
#if defined(__SSE2__)
      _mm_pause();
#endif
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

/// Sets MXCSR's flush-to-zero (bit 15) and denormals-are-zero (bit 6); returns the previous state.
unsigned set_flush_denormals() {
#if defined(__SSE2__)
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040U);
  return before;
#else
  return 0;
#endif
}

/// Tasks [next, end) of a thread that are not begun; others may take them as well.
struct alignas(64) Share {
  std::atomic<std::int64_t> next{0};
  std::int64_t end = 0;
};

}  // namespace

struct ThreadPool::Impl {
  explicit Impl(int threads) : shares(static_cast<std::size_t>(std::max(threads, 1))) {}

  std::vector<std::thread> workers;
  const ThreadDelays* delays = ThreadDelays::from_environment();

  std::mutex submit;  // held by the caller whose job is on the pool
  std::mutex mutex;   // guards open, error and changes of the atomics below
  std::condition_variable wake;
  std::condition_variable done;
  bool open = false;  // workers may still join the job
  std::exception_ptr error;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> generation{0};  // counts jobs
  std::atomic<int> active{0};                // workers inside the job

  const std::function<void(std::int64_t)>* task = nullptr;
  std::vector<Share> shares;  // the caller's first

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stop.store(true);
    }
    wake.notify_all();
    for (std::thread& worker : workers) {
      worker.join();
    }
  }

  void run_share(Share& share) {
    for (std::int64_t i = share.next.fetch_add(1, std::memory_order_relaxed); i < share.end;
         i = share.next.fetch_add(1, std::memory_order_relaxed)) {
      (*task)(i);
    }
  }

  void work(std::size_t thread) {
    inside_task = true;
    try {
      for (std::size_t i = 0; i < shares.size(); ++i) {
        if (delays != nullptr) delays->wait();
        run_share(shares[(thread + i) % shares.size()]);
        if (delays != nullptr) delays->wait();
      }
    } catch (...) {
      for (Share& share : shares) {  // no further task starts
        share.next.store(share.end, std::memory_order_relaxed);
      }
      const std::lock_guard lock(mutex);
      if (!error) {
        error = std::current_exception();
      }
    }
    inside_task = false;
  }

  void worker_loop(std::size_t thread) {
    set_flush_denormals();
    std::uint64_t seen = 0;
    while (true) {
      const auto changed = [&] { return stop.load() || generation.load() != seen; };
      spin_until(changed);
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, changed);
        if (stop.load()) {
          return;
        }
        seen = generation.load();
        if (!open) {
          continue;
        }
        active.fetch_add(1);
      }
      work(thread);
      {
        const std::lock_guard lock(mutex);
        if (active.fetch_sub(1) == 1) {
          done.notify_one();
        }
      }
    }
  }

  void run(std::int64_t tasks, const std::function<void(std::int64_t)>& function) {
    {
      const std::lock_guard lock(mutex);
      task = &function;
      const auto threads = static_cast<std::int64_t>(shares.size());
      for (std::int64_t i = 0; i < threads; ++i) {
        Share& share = shares[static_cast<std::size_t>(i)];
        share.next.store(tasks * i / threads);
        share.end = tasks * (i + 1) / threads;
      }
      error = nullptr;
      open = true;
      generation.fetch_add(1);
    }
    if (tasks > static_cast<std::int64_t>(workers.size())) {
      wake.notify_all();
    } else {
      for (std::int64_t i = 1; i < tasks; ++i) {
        wake.notify_one();
      }
    }
    work(0);
    {
      const std::lock_guard lock(mutex);
      open = false;
    }
    const auto idle = [&] { return active.load() == 0; };
    spin_until(idle);
    std::unique_lock lock(mutex);
    done.wait(lock, idle);
    if (error) {
      const std::exception_ptr first = std::exchange(error, nullptr);
      lock.unlock();
      std::rethrow_exception(first);
    }
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>(threads)) {
  try {
    for (int i = 1; i < threads; ++i) {
      impl_->workers.emplace_back(
          [impl = impl_.get(), i] { impl->worker_loop(static_cast<std::size_t>(i)); });
    }
  } catch (const std::system_error& error) {
    throw Error("thread pool: the system started " + std::to_string(this->threads()) + " of " +
                std::to_string(threads) + " threads (" + error.code().message() +
                "); use fewer threads");
  }
}

ThreadPool::~ThreadPool() = default;

int ThreadPool::threads() const { return static_cast<int>(impl_->workers.size()) + 1; }

void ThreadPool::run(std::int64_t count, const std::function<void(std::int64_t)>& task) {
  // If the pool is busy, a second caller runs its tasks itself instead of waiting.
  std::unique_lock job(impl_->submit, std::defer_lock);
  if (count <= 1 || inside_task || impl_->workers.empty() || !job.try_lock()) {
    for (std::int64_t i = 0; i < count; ++i) {
      task(i);
    }
    return;
  }
  impl_->run(count, task);
}

void ThreadPool::run_blocks(std::int64_t total, std::int64_t grain,
                            const std::function<void(std::int64_t, std::int64_t)>& task) {
  grain = std::max<std::int64_t>(grain, 1);
  run((total + grain - 1) / grain, [&](std::int64_t block) {
    const std::int64_t begin = block * grain;
    task(begin, std::min(begin + grain, total));
  });
}

FlushDenormals::FlushDenormals() : saved_(set_flush_denormals()) {}

FlushDenormals::~FlushDenormals() {
#if defined(__SSE2__)
  _mm_setcsr(saved_);
#endif
}

}  // namespace hanok
