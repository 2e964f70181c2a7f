#include "hanok/kernels/cpu/isa/softmax.h"

#include "hanok/kernels/base/vector_math.h"
#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

/// The sum of term(i) in double: four partial sums hide the latency of the additions.
template <typename Term>
inline double sum_terms(int64_t count, Term term) {
  double sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int lane = 0; lane < 4; ++lane) {
      sums[lane] += term(i + lane);
    }
  }
  double total = (sums[0] + sums[2]) + (sums[1] + sums[3]);
  for (; i < count; ++i) {
    total += term(i);
  }
  return total;
}

void forward(bool log, const float* x, float* y, int64_t length) {
  float largest = -__builtin_inff();
  for (int64_t i = 0; i < length; ++i) {
    largest = x[i] > largest ? x[i] : largest;
  }
  if (log) {
    const double sum =
        sum_terms(length, [&](int64_t i) { return math::exp_double(x[i] - largest); });
    const double log_sum = math::log_double(sum);
    HANOK_INDEPENDENT
    for (int64_t i = 0; i < length; ++i) {
      y[i] = static_cast<float>((static_cast<double>(x[i]) - largest) - log_sum);
    }
    return;
  }
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < length; ++i) {
    y[i] = math::exp(x[i] - largest);
  }
  const double sum = sum_terms(length, [&](int64_t i) -> double { return y[i]; });
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < length; ++i) {
    y[i] = static_cast<float>(y[i] / sum);
  }
}

void backward(bool log, const float* y, const float* dy, float* dx, int64_t length) {
  if (log) {
    const double sum = sum_terms(length, [&](int64_t i) -> double { return dy[i]; });
    HANOK_INDEPENDENT
    for (int64_t i = 0; i < length; ++i) {
      dx[i] = static_cast<float>(dy[i] - math::exp_double(y[i]) * sum);
    }
    return;
  }
  const double sum =
      sum_terms(length, [&](int64_t i) { return static_cast<double>(y[i]) * dy[i]; });
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < length; ++i) {
    dx[i] = static_cast<float>(y[i] * (dy[i] - sum));
  }
}

}  // namespace

const SoftmaxKernels softmax = {forward, backward};

}  // namespace hanok::cpu::HANOK_ISA
