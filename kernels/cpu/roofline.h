// The machine's measured ceilings, with which a kernel's speed is compared.
#pragma once

#include "hanok/kernels/base/thread_pool.h"

#pragma GCC visibility push(default)
namespace hanok::cpu {

/// Highest rate of 40 short runs (about 10 ms) of independent multiply-adds on all threads of the
/// pool, in FLOP/s: fused and 8 wide where the CPU has AVX2, plain code otherwise.
double measure_fma_peak(ThreadPool& pool);

/// Highest rate of three passes over memory larger than the caches with all threads, in bytes/s.
double measure_read_bandwidth(ThreadPool& pool);

}  // namespace hanok::cpu
#pragma GCC visibility pop
