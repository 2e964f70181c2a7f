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

// Written as instructions: g++ 12 keeps the accumulators of VNNI's intrinsics in memory. Vectors of
// 512 bits are the compiler's own, since its intrinsics for them warn of uninitialised values.
using Ints512 = std::int32_t __attribute__((vector_size(64)));
using Floats512 = float __attribute__((vector_size(64)));

__attribute__((target("avx2"), noinline)) float vpmaddwd_chains(std::int64_t steps) {
  __m256i sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_epi32(i);
  const __m256i a = _mm256_set1_epi16(3);
  const __m256i b = _mm256_set1_epi16(5);
  for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    // NOLINTNEXTLINE(modernize-loop-convert): the pragma wants a counted loop
    for (int i = 0; i < kChains; ++i) {
      __m256i sum = sums[i];  // an element as an operand would keep the array in memory
      __m256i product;
      asm volatile("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0"
                   : "+x"(sum), "=&x"(product)
                   : "x"(a), "x"(b));
      sums[i] = sum;
    }
  }
  for (int i = 1; i < kChains; ++i) sums[0] = _mm256_add_epi32(sums[0], sums[i]);
  return static_cast<float>(_mm256_extract_epi32(sums[0], 0));
}

__attribute__((target("avx512f,avx512bw,avx512vnni"), noinline)) float vpdpwssd_chains(
    std::int64_t steps) {
  Ints512 sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = Ints512{} + i;
  const Ints512 a = Ints512{} + 0x00030003;
  const Ints512 b = Ints512{} + 0x00050005;
  for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    // NOLINTNEXTLINE(modernize-loop-convert): the pragma wants a counted loop
    for (int i = 0; i < kChains; ++i) {
      Ints512 sum = sums[i];
      asm volatile("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
      sums[i] = sum;
    }
  }
  for (int i = 1; i < kChains; ++i) sums[0] += sums[i];
  return static_cast<float>(sums[0][0]);
}

__attribute__((target("avx512f,avx512bw,avx512bf16"), noinline)) float vdpbf16ps_chains(
    std::int64_t steps) {
  Floats512 sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = Floats512{} + static_cast<float>(i);
  const Ints512 ones = Ints512{} + 0x3f803f80;  // pairs of 1 in bf16
  for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    // NOLINTNEXTLINE(modernize-loop-convert): the pragma wants a counted loop
    for (int i = 0; i < kChains; ++i) {
      Floats512 sum = sums[i];
      asm volatile("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(ones), "v"(ones));
      sums[i] = sum;
    }
  }
  for (int i = 1; i < kChains; ++i) sums[0] += sums[i];
  return sums[0][0];
}

bool has(Products16 products) {
  switch (products) {
    case Products16::Vpmaddwd:
      return __builtin_cpu_supports("avx2");
    case Products16::Vpdpwssd:
      return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni");
    case Products16::Vdpbf16ps:
      break;
  }
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512bf16");
}

/// The chains of one kind, and the products of a step of one of them.
struct Products16Chains {
  float (*run)(std::int64_t steps);
  int products;
};
Products16Chains chains_of(Products16 products) {
  switch (products) {
    case Products16::Vpmaddwd:
      return {vpmaddwd_chains, 16};
    case Products16::Vpdpwssd:
      return {vpdpwssd_chains, 32};
    case Products16::Vdpbf16ps:
      break;
  }
  return {vdpbf16ps_chains, 32};
}

bool has_fused() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
float fused_chains(std::int64_t steps) { return plain_chains(steps); }
bool has_fused() { return false; }
bool has(Products16) { return false; }
struct Products16Chains {
  float (*run)(std::int64_t steps);
  int products;
};
Products16Chains chains_of(Products16) { return {plain_chains, kLanes}; }
#endif

/// Highest rate of 40 short runs on all threads, in operations/s.
double measure_chains(ThreadPool& pool, float (*chains)(std::int64_t steps), int products) {
  constexpr std::int64_t kSteps = 40'000;  // about 0.1 ms
  double peak = 0;
  std::vector<float> sinks(static_cast<std::size_t>(pool.threads()));
  for (int repetition = 0; repetition < 40; ++repetition) {
    const auto start = Clock::now();
    pool.run(pool.threads(),
             [&](std::int64_t i) { sinks[static_cast<std::size_t>(i)] = chains(kSteps); });
    const double operations =
        2.0 * kChains * products * static_cast<double>(kSteps) * pool.threads();
    peak = std::max(peak, operations / seconds_since(start));
  }
  return peak;
}

}  // namespace

double measure_fma_peak(ThreadPool& pool) {
  return measure_chains(pool, has_fused() ? fused_chains : plain_chains, kLanes);
}

const char* name_of(Products16 products) {
  switch (products) {
    case Products16::Vpmaddwd:
      return "vpmaddwd + vpaddd";
    case Products16::Vpdpwssd:
      return "vpdpwssd";
    case Products16::Vdpbf16ps:
      break;
  }
  return "vdpbf16ps";
}

std::vector<Products16> products16_of_this_cpu() {
  std::vector<Products16> found;
  for (const Products16 products :
       {Products16::Vpmaddwd, Products16::Vpdpwssd, Products16::Vdpbf16ps}) {
    if (has(products)) found.push_back(products);
  }
  return found;
}

double measure_products16_peak(ThreadPool& pool, Products16 products) {
  const Products16Chains chains = chains_of(products);
  return measure_chains(pool, chains.run, chains.products);
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
