// Runs a primitive on every backend under test, on the CPU with 1, 2 and 3 threads, and demands
// equal bits of all runs.
#pragma once

#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <vector>

#include "hanok/kernels/backend.h"
#include "tests/kernels/kernel_context.h"

namespace hanok::test {

inline bool equal_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

/// Calls compute(backend, context) for every path and thread count (on a GPU, whose threads run in
/// another order each time, just twice), checks that the runs agree and passes each path's result
/// to check(result).
inline void on_every_path(const std::function<std::vector<float>(Backend&, ExecContext&)>& compute,
                          const std::function<void(const std::vector<float>&)>& check) {
  for (const auto& backend : testable_backends()) {
    SCOPED_TRACE(backend->name());
    std::vector<float> first;
    const int runs = backend->device().is_cpu() ? 3 : 2;
    for (int threads = 1; threads <= runs; ++threads) {
      KernelContext context(threads);
      const std::vector<float> result = compute(*backend, context);
      if (threads == 1) {
        first = result;
      }
      ASSERT_TRUE(equal_bits(result, first))
          << threads << " threads (or a second run) give other bits";
    }
    check(first);
  }
}

/// Compares with a double-precision reference: largest error over the reference's RMS.
inline void expect_near(const std::vector<float>& got, const std::vector<double>& want,
                        double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  EXPECT_LE(error_over_rms(got, want), tolerance);
}

inline StridedConstView dense_strided(const std::vector<float>& data, const Shape& sizes) {
  return {data.data(), DType::F32, sizes, row_major_strides(sizes)};
}

}  // namespace hanok::test
