#include "hanok/kernels/cpu/roofline.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace hanok::cpu {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr int kChains = 12;  // enough to cover 2 FMA units with 4..5 cycles of latency
constexpr int kLanes = 8;

/// `kChains` chains of `kLanes` independent multiply-adds, `steps` long.
float plain_chains(std::int64_t steps) {
  float sums[kChains * kLanes];
  for (int i = 0; i < kChains * kLanes; ++i) sums[i] = static_cast<float>(i);
  for (std::int64_t step = 0; step < steps; ++step) {
    for (float& sum : sums) sum = sum * 0.999F + 0.001F;
  }
  float total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"), noinline)) float fused_chains(std::int64_t steps) {
  __m256 sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(0.999F);
  const __m256 b = _mm256_set1_ps(0.001F);
  for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    // NOLINTNEXTLINE(modernize-loop-convert): the pragma wants a counted loop
    for (int i = 0; i < kChains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], a, b);
  }
  for (int i = 1; i < kChains; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return _mm256_cvtss_f32(sums[0]);
}

bool has_fused() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
float fused_chains(std::int64_t steps) { return plain_chains(steps); }
bool has_fused() { return false; }
#endif

}  // namespace

double measure_fma_peak(ThreadPool& pool) {
  constexpr std::int64_t kSteps = 40'000;  // about 0.1 ms
  const auto chains = has_fused() ? fused_chains : plain_chains;
  double peak = 0;
  std::vector<float> sinks(static_cast<std::size_t>(pool.threads()));
  for (int repetition = 0; repetition < 40; ++repetition) {
    const auto start = Clock::now();
    pool.run(pool.threads(),
             [&](std::int64_t i) { sinks[static_cast<std::size_t>(i)] = chains(kSteps); });
    const double flop = 2.0 * kChains * kLanes * static_cast<double>(kSteps) * pool.threads();
    peak = std::max(peak, flop / seconds_since(start));
  }
  return peak;
}

double measure_read_bandwidth(ThreadPool& pool) {
  const std::vector<std::uint64_t> data(std::size_t{1} << 24, 1);  // 128 MiB
  const auto total = static_cast<std::int64_t>(data.size());
  constexpr std::int64_t kBlocks = 64;
  std::vector<std::uint64_t> sums(kBlocks);
  double peak = 0;
  for (int repetition = 0; repetition < 3; ++repetition) {
    const auto start = Clock::now();
    pool.run(kBlocks, [&](std::int64_t block) {
      std::uint64_t sum = 0;
      const std::int64_t end = (block + 1) * (total / kBlocks);
      for (std::int64_t i = block * (total / kBlocks); i < end; ++i) {
        sum += data[static_cast<std::size_t>(i)];
      }
      sums[static_cast<std::size_t>(block)] = sum;
    });
    peak = std::max(peak, static_cast<double>(data.size() * 8) / seconds_since(start));
  }
  return peak;
}

}  // namespace hanok::cpu
