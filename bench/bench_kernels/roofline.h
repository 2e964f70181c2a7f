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

/// The same for multiply-adds of 16-bit integers, with the instruction that --precision int16 uses
/// on this CPU and path: two operations a product.
double integer_peak(ThreadPool& pool);

/// Adds the peaks of all kinds of multiply-adds to what a run prints and saves first: "peak_fma",
/// "peak_vpdpwssd".
void add_peaks_to_context(ThreadPool& pool);

/// Best rate so far of reading memory larger than the caches with all threads, in bytes/s.
double read_bandwidth(ThreadPool& pool);

/// Whose products a benchmark computes.
enum class Products { Floats, Integers };

/// Runs `work` for the benchmark's iterations; reports GFLOP/s and per cent of the peak of its
/// products measured in this run (%fma_peak, %int_peak), for the mean iteration and for the best
/// one (which other load disturbs least).
void run_compute_bound(benchmark::State& state, ThreadPool& pool, double flop,
                       const std::function<void()>& work, Products products = Products::Floats);

/// The same for memory-bound work: bytes/s, %read_bandwidth.
void run_memory_bound(benchmark::State& state, ThreadPool& pool, double bytes,
                      const std::function<void()>& work);

}  // namespace hanok::bench
