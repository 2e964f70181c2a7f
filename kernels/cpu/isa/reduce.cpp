// Four vectors of doubles hide the latency of the additions; they are added pairwise at the end.
#include "hanok/kernels/cpu/isa/reduce.h"

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kSums = 4;

template <bool kSquare>
double sum_of(const float* x, int64_t count) {
  DoubleVec sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums * kDoubleLanes <= count; i += kSums * kDoubleLanes) {
    for (int v = 0; v < kSums; ++v) {
      const DoubleVec value = load_as_double(x + i + v * kDoubleLanes);
      sums[v] += kSquare ? value * value : value;
    }
  }
  double total = sum_of_lanes((sums[0] + sums[2]) + (sums[1] + sums[3]));
  for (; i < count; ++i) {
    const double value = x[i];
    total += kSquare ? value * value : value;
  }
  return total;
}

double sum(const float* x, int64_t count) { return sum_of<false>(x, count); }

double sum_squares(const float* x, int64_t count) { return sum_of<true>(x, count); }

void accumulate(const float* x, double* sums, int64_t count) {
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) {
    sums[i] += x[i];
  }
}

}  // namespace

const ReduceKernels reduce = {sum, sum_squares, accumulate};

}  // namespace hanok::cpu::HANOK_ISA
