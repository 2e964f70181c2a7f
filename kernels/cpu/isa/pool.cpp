// Channels are the vector dimension; the accumulators of 8 channels stay in registers over all
// taps.
#include "kernels/cpu/isa/pool.h"

#include "kernels/cpu/isa/simd.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

typedef int32_t I32x8 __attribute__((vector_size(32)));
typedef uint8_t U8x8 __attribute__((vector_size(8)));

void max(const PoolTap* taps, int64_t count, int64_t channels, float* y, uint8_t* indices) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    F32x8 best = load8(taps[0].values + c);
    I32x8 index = I32x8{} + static_cast<int32_t>(taps[0].number);
    for (int64_t t = 1; t < count; ++t) {
      const F32x8 value = load8(taps[t].values + c);
      const I32x8 better = (value > best) | (value != value);
      best = better ? value : best;
      index = better ? I32x8{} + static_cast<int32_t>(taps[t].number) : index;
    }
    store8(y + c, best);
    if (indices != nullptr) {
      const U8x8 narrow = __builtin_convertvector(index, U8x8);
      memcpy(indices + c, &narrow, sizeof narrow);
    }
  }
  for (; c < channels; ++c) {
    float best = taps[0].values[c];
    uint8_t index = taps[0].number;
    for (int64_t t = 1; t < count; ++t) {
      const float value = taps[t].values[c];
      if (value > best || value != value) {
        best = value;
        index = taps[t].number;
      }
    }
    y[c] = best;
    if (indices != nullptr) {
      indices[c] = index;
    }
  }
}

void max_backward(const PoolTap* taps, int64_t count, int64_t channels, float* dx) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    F32x8 sum = {};
    for (int64_t t = 0; t < count; ++t) {
      U8x8 narrow;
      memcpy(&narrow, taps[t].indices + c, sizeof narrow);
      const I32x8 mine = __builtin_convertvector(narrow, I32x8) == taps[t].number;
      sum += mine ? load8(taps[t].values + c) : F32x8{};
    }
    store8(dx + c, sum);
  }
  for (; c < channels; ++c) {
    float sum = 0;
    for (int64_t t = 0; t < count; ++t) {
      sum += taps[t].indices[c] == taps[t].number ? taps[t].values[c] : 0.0F;
    }
    dx[c] = sum;
  }
}

void weighted_sum(const PoolTap* taps, int64_t count, int64_t channels, float* y) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    F32x8 sum = {};
    for (int64_t t = 0; t < count; ++t) {
      sum += taps[t].weight * load8(taps[t].values + c);
    }
    store8(y + c, sum);
  }
  for (; c < channels; ++c) {
    float sum = 0;
    for (int64_t t = 0; t < count; ++t) {
      sum += taps[t].weight * taps[t].values[c];
    }
    y[c] = sum;
  }
}

}  // namespace

const PoolKernels pool = {max, max_backward, weighted_sum};

}  // namespace hanok::cpu::HANOK_ISA
