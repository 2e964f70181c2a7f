#include "bench/bench_kernels/roofline.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <immintrin.h>
#include <map>
#include <string>
#include <vector>

namespace hanok::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr int kChains = 12;  // enough to cover 2 FMA units with 4..5 cycles of latency

// FLOP of `steps` steps of 12 independent chains of 8-wide fused multiply-adds.
constexpr double chain_flop(std::int64_t steps) {
  return 2.0 * 8.0 * kChains * static_cast<double>(steps);
}

__attribute__((target("avx2,fma"), noinline)) float fma_chains(std::int64_t steps) {
  __m256 acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(0.999F);
  const __m256 b = _mm256_set1_ps(0.001F);
  for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) acc[i] = _mm256_fmadd_ps(acc[i], a, b);
  }
  for (int i = 1; i < kChains; ++i) acc[0] = _mm256_add_ps(acc[0], acc[i]);
  return _mm256_cvtss_f32(acc[0]);
}

// What one benchmark took: its best iteration, and processor time of all threads per iteration.
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
  work();  // warm: pages touched, scratch taken
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
  constexpr std::int64_t kSteps = 40'000;  // about 0.1 ms
  for (int repetition = 0; repetition < 40; ++repetition) {
    std::vector<float> sinks(static_cast<std::size_t>(pool.threads()));
    const auto start = Clock::now();
    pool.run(pool.threads(),
             [&](std::int64_t i) { sinks[static_cast<std::size_t>(i)] = fma_chains(kSteps); });
    const double seconds = seconds_since(start);
    benchmark::DoNotOptimize(sinks.data());
    peak = std::max(peak, pool.threads() * chain_flop(kSteps) / seconds);
  }
  return peak;
}

double read_bandwidth(ThreadPool& pool) {
  static std::map<int, double> best;
  static const std::vector<std::uint64_t> data(std::size_t{1} << 24, 1);  // 128 MiB
  double& peak = best[pool.threads()];
  const auto total = static_cast<std::int64_t>(data.size());
  for (int repetition = 0; repetition < 3; ++repetition) {
    const auto start = Clock::now();
    pool.run_blocks(total, total / 64, [&](std::int64_t begin, std::int64_t end) {
      std::uint64_t sum = 0;
      for (std::int64_t i = begin; i < end; ++i) sum += data[static_cast<std::size_t>(i)];
      benchmark::DoNotOptimize(sum);
    });
    peak = std::max(peak, static_cast<double>(data.size() * 8) / seconds_since(start));
  }
  return peak;
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
