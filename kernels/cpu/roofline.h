// The machine's measured ceilings, with which a kernel's speed is compared.
#pragma once

#include <vector>

#include "hanok/kernels/base/thread_pool.h"

#pragma GCC visibility push(default)
namespace hanok::cpu {

/// Highest rate of 40 short runs (about 10 ms) of independent multiply-adds on all threads of the
/// pool, in FLOP/s: fused and 8 wide where the CPU has AVX2, plain code otherwise.
double measure_fma_peak(ThreadPool& pool);

/// A kind of multiply-add on 16-bit operands that this CPU may have.
enum class Products16 {
  Vpmaddwd,   // integers, AVX2: pairs of products, and an addition of its own
  Vpdpwssd,   // integers, AVX-512 VNNI
  Vdpbf16ps,  // bf16, AVX-512 BF16
};

/// "vpmaddwd + vpaddd", "vpdpwssd", "vdpbf16ps".
const char* name_of(Products16 products);

/// Those that cpuid reports.
std::vector<Products16> products16_of_this_cpu();

/// As measure_fma_peak, of 16-bit operands: two operations a product.
double measure_products16_peak(ThreadPool& pool, Products16 products);

/// Highest rate of three passes over memory larger than the caches with all threads, in bytes/s.
double measure_read_bandwidth(ThreadPool& pool);

}  // namespace hanok::cpu
#pragma GCC visibility pop
