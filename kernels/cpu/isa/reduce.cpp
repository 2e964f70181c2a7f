// Four vectors of 4 doubles hide the latency of the additions; they are added pairwise at the end.
#include "hanok/kernels/cpu/isa/reduce.h"

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/simd.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

template <bool kSquare>
double sum_of(const float* x, int64_t count) {
  F64x4 sums[4] = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int v = 0; v < 4; ++v) {
      const F64x4 value = load4_as_double(x + i + 4 * v);
      sums[v] += kSquare ? value * value : value;
    }
  }
  const F64x4 all = (sums[0] + sums[2]) + (sums[1] + sums[3]);
  double total = (all[0] + all[2]) + (all[1] + all[3]);
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
