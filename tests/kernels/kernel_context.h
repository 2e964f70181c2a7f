// What tests of kernels need around a call: a pool, scratch memory, paths of this CPU, test data.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "hanok/kernels/base/philox.h"
#include "hanok/kernels/base/view.h"
#include "hanok/kernels/cpu/cpu_backend.h"
#include "hanok/kernels/exec_context.h"

namespace hanok::test {

/// Owns everything that an ExecContext refers to.
class KernelContext {
 public:
  explicit KernelContext(int threads = 2)
      : pool_(threads),
        workspace_([](std::size_t n) { return ::operator new (n, std::align_val_t{64}); },
                   [](void* p, std::size_t) { ::operator delete (p, std::align_val_t{64}); }) {}
  operator ExecContext&() { return context_; }
  Workspace& workspace() { return workspace_; }

 private:
  ThreadPool pool_;
  Workspace workspace_;
  ExecContext context_{pool_, workspace_};
};

/// The backends that this program tests: the CPU's instruction-set paths in test_kernels, the GPU's
/// kernels in test_kernels_cuda (there the stand-in takes operands to the device and back).
std::vector<std::shared_ptr<Backend>> testable_backends();

/// n floats uniform in [mean - range, mean + range), the same for every run.
inline std::vector<float> test_data(std::int64_t n, std::uint64_t seed, float mean = 0,
                                    float range = 1) {
  std::vector<float> data(static_cast<std::size_t>(n));
  const PhiloxKey key = philox_key(seed, RandomStream::Test);
  for (std::size_t i = 0; i < data.size(); ++i) {
    const auto words = philox(key, {static_cast<std::uint32_t>(i), 0, 0, 0});
    data[i] = mean + range * (2 * to_unit_float(words[0]) - 1);
  }
  return data;
}

inline ConstView view_of(const std::vector<float>& data, const Shape& shape) {
  return {data.data(), DType::F32, shape};
}
inline View view_of(std::vector<float>& data, const Shape& shape) {
  return {data.data(), DType::F32, shape};
}

/// Largest |got - want| over the root mean square of want.
inline double error_over_rms(const std::vector<float>& got, const std::vector<double>& want) {
  double squares = 0;
  double worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    squares += want[i] * want[i];
    const double error = std::fabs(static_cast<double>(got[i]) - want[i]);
    if (!(error <= worst)) worst = error;  // NaN counts as the worst
  }
  if (want.empty() || worst == 0) return 0;
  return worst / std::sqrt(squares / static_cast<double>(want.size()) + 1e-30);
}

}  // namespace hanok::test
