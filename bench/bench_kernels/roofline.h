// The machine's measured ceilings, and how a benchmark reports itself against them.
#pragma once

#include <benchmark/benchmark.h>
#include <functional>

#include "hanok/kernels/base/thread_pool.h"

namespace hanok::bench {

/// Best rate seen so far of independent AVX2 fused multiply-adds on all threads of the pool, in
/// FLOP/s. Every call measures again for about 10 ms and keeps the maximum, because other programs
/// can only make it smaller.
double fma_peak(ThreadPool& pool);

/// Best rate seen so far of reading memory larger than the caches with all threads, in bytes/s.
double read_bandwidth(ThreadPool& pool);

/// Runs `work` for the benchmark's iterations; reports GFLOP/s and per cent of the FMA peak
/// measured in this run, both of the mean iteration and of the best one (which a busy machine
/// disturbs least).
void run_compute_bound(benchmark::State& state, ThreadPool& pool, double flop,
                       const std::function<void()>& work);

/// The same for work that is limited by memory: bytes/s, %read_bandwidth.
void run_memory_bound(benchmark::State& state, ThreadPool& pool, double bytes,
                      const std::function<void()>& work);

}  // namespace hanok::bench
