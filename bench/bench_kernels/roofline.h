// The machine's measured ceilings, and how a benchmark reports itself relative to them.
#pragma once

#include <benchmark/benchmark.h>
#include <functional>

#include "hanok/kernels/base/thread_pool.h"

namespace hanok::bench {

/// Best rate so far of independent AVX2 fused multiply-adds on all threads of the pool, in FLOP/s.
/// Every call measures for about 10 ms and keeps the maximum, since other programs can only lower
/// the rate.
double fma_peak(ThreadPool& pool);

/// Best rate so far of reading memory larger than the caches with all threads, in bytes/s.
double read_bandwidth(ThreadPool& pool);

/// Runs `work` for the benchmark's iterations; reports GFLOP/s and per cent of the FMA peak
/// measured in this run, for the mean iteration and for the best one (which other load disturbs
/// least).
void run_compute_bound(benchmark::State& state, ThreadPool& pool, double flop,
                       const std::function<void()>& work);

/// The same for memory-bound work: bytes/s, %read_bandwidth.
void run_memory_bound(benchmark::State& state, ThreadPool& pool, double bytes,
                      const std::function<void()>& work);

}  // namespace hanok::bench
