// Scratch, threads and data for benchmarks of kernels.
#pragma once

#include <cstdint>
#include <new>
#include <vector>

#include "hanok/kernels/base/philox.h"
#include "hanok/kernels/base/view.h"
#include "hanok/kernels/exec_context.h"

namespace hanok::bench {

/// Owns everything that an ExecContext refers to.
struct BenchContext {
  explicit BenchContext(int threads) : pool(threads) {}
  ThreadPool pool;
  Workspace workspace{[](std::size_t n) { return ::operator new (n, std::align_val_t{64}); },
                      [](void* p, std::size_t) { ::operator delete (p, std::align_val_t{64}); }};
  ExecContext exec{pool, workspace};
};

/// n floats uniform in [-1, 1).
inline std::vector<float> random_floats(std::int64_t n, std::uint64_t seed) {
  std::vector<float> data(static_cast<std::size_t>(n));
  const PhiloxKey key = philox_key(seed, RandomStream::Test);
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i] = 2 * to_unit_float(philox(key, {static_cast<std::uint32_t>(i), 0, 0, 0})[0]) - 1;
  }
  return data;
}

inline ConstView view_of(const std::vector<float>& data, const Shape& shape) {
  return {data.data(), DType::F32, shape};
}
inline View view_of(std::vector<float>& data, const Shape& shape) {
  return {data.data(), DType::F32, shape};
}

}  // namespace hanok::bench
