#include "bench/bench_kernels/roofline.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <string>

#include "hanok/kernels/cpu/roofline.h"

namespace hanok::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Times of one benchmark: its best iteration, and the CPU time of all threads per iteration.
struct Times {
  double best_seconds = 1e30;
  double processor_seconds = 0;
};

double processor_seconds_now() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

Times measure(benchmark::State& state, const std::function<void()>& work) {
  work();  // warm-up: touches pages, allocates scratch
  Times times;
  const double start = processor_seconds_now();
  for (auto _ : state) {
    const auto iteration = Clock::now();
    work();
    times.best_seconds = std::min(times.best_seconds, seconds_since(iteration));
  }
  times.processor_seconds =
      (processor_seconds_now() - start) / static_cast<double>(state.iterations());
  return times;
}

void report(benchmark::State& state, double amount, const Times& times, double ceiling, int threads,
            const std::string& rate, const std::string& percent) {
  using benchmark::Counter;
  state.counters[rate] = Counter(amount, Counter::kIsIterationInvariantRate, Counter::kIs1000);
  state.counters[percent] = 100 * amount / times.best_seconds / ceiling;
  state.counters[percent + "_cpu"] = 100 * amount / times.processor_seconds / (ceiling / threads);
}

}  // namespace

double fma_peak(ThreadPool& pool) {
  static std::map<int, double> best;
  double& peak = best[pool.threads()];
  return peak = std::max(peak, cpu::measure_fma_peak(pool));
}

double read_bandwidth(ThreadPool& pool) {
  static std::map<int, double> best;
  double& peak = best[pool.threads()];
  return peak = std::max(peak, cpu::measure_read_bandwidth(pool));
}

void run_compute_bound(benchmark::State& state, ThreadPool& pool, double flop,
                       const std::function<void()>& work) {
  fma_peak(pool);
  const Times times = measure(state, work);
  report(state, flop, times, fma_peak(pool), pool.threads(), "FLOP/s", "%fma_peak");
}

void run_memory_bound(benchmark::State& state, ThreadPool& pool, double bytes,
                      const std::function<void()>& work) {
  read_bandwidth(pool);
  const Times times = measure(state, work);
  report(state, bytes, times, read_bandwidth(pool), pool.threads(), "bytes/s", "%read_bandwidth");
}

}  // namespace hanok::bench
