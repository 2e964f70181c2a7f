#include "bench/bench_kernels/roofline.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "hanok/kernels/cpu/isa.h"
#include "hanok/kernels/cpu/isa/int16.h"
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

double integer_peak(ThreadPool& pool) {
  static std::map<int, double> best;
  const cpu::Int16Kernels& kernels = cpu::int16_kernels_for(cpu::kernels_of(cpu::choose_isa()));
  const bool vnni = kernels.multiply_vnni != nullptr && cpu::has_vnni();
  const cpu::Products16 products = vnni ? cpu::Products16::Vpdpwssd : cpu::Products16::Vpmaddwd;
  const std::vector<cpu::Products16> known = cpu::products16_of_this_cpu();
  if (std::find(known.begin(), known.end(), products) == known.end()) return fma_peak(pool);
  double& peak = best[pool.threads()];
  return peak = std::max(peak, cpu::measure_products16_peak(pool, products));
}

void add_peaks_to_context(ThreadPool& pool) {
  const auto add = [&](const std::string& name, double peak) {
    char text[64];
    std::snprintf(text, sizeof text, "%.0f GOP/s on %d threads", 1e-9 * peak, pool.threads());
    benchmark::AddCustomContext("peak_" + name, text);
  };
  add("fma", fma_peak(pool));
  for (const cpu::Products16 products : cpu::products16_of_this_cpu()) {
    add(cpu::name_of(products), cpu::measure_products16_peak(pool, products));
  }
}

double read_bandwidth(ThreadPool& pool) {
  static std::map<int, double> best;
  double& peak = best[pool.threads()];
  return peak = std::max(peak, cpu::measure_read_bandwidth(pool));
}

void run_compute_bound(benchmark::State& state, ThreadPool& pool, double flop,
                       const std::function<void()>& work, Products products) {
  const bool floats = products == Products::Floats;
  const auto peak = floats ? fma_peak : integer_peak;
  peak(pool);
  const Times times = measure(state, work);
  report(state, flop, times, peak(pool), pool.threads(), "FLOP/s",
         floats ? "%fma_peak" : "%int_peak");
}

void run_memory_bound(benchmark::State& state, ThreadPool& pool, double bytes,
                      const std::function<void()>& work) {
  read_bandwidth(pool);
  const Times times = measure(state, work);
  report(state, bytes, times, read_bandwidth(pool), pool.threads(), "bytes/s", "%read_bandwidth");
}

}  // namespace hanok::bench
