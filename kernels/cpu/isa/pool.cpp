// Channels are the vector dimension; strips of them stay in registers over all taps.
#include "hanok/kernels/cpu/isa/pool.h"

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

/// `kVectors` vectors of channels at once: their comparisons overlap.
template <int kVectors>
void max_strip(const PoolTap* taps, int64_t count, int64_t c, float* y, uint8_t* indices) {
  Vec best[kVectors];
  IntVec index[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    best[v] = load(taps[0].values + c + v * kLanes);
    index[v] = broadcast_int(static_cast<int32_t>(taps[0].number));
  }
  for (int64_t t = 1; t < count; ++t) {
    const float* values = taps[t].values + c;
    const IntVec number = broadcast_int(static_cast<int32_t>(taps[t].number));
    for (int v = 0; v < kVectors; ++v) {
      const Vec value = load(values + v * kLanes);
      // A NaN is the only value that differs from itself: it wins, so that it propagates.
      // NOLINTNEXTLINE(misc-redundant-expression)
      const IntVec better = (value > best[v]) | (value != value);
      best[v] = better ? value : best[v];
      index[v] = better ? number : index[v];
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    store(y + c + v * kLanes, best[v]);
    if (indices != nullptr) {
      store_u8(indices + c + v * kLanes, index[v]);
    }
  }
}

void max(const PoolTap* taps, int64_t count, int64_t channels, float* y, uint8_t* indices) {
  if (count == 0) {  // dilated taps may all lie in the padding, which counts as minus infinity
    for (int64_t c = 0; c < channels; ++c) {
      y[c] = -__builtin_inff();
    }
    if (indices != nullptr) {
      memset(indices, 0, static_cast<size_t>(channels));
    }
    return;
  }
  int64_t c = 0;
  for (; c + 4 * kLanes <= channels; c += 4 * kLanes) {
    max_strip<4>(taps, count, c, y, indices);
  }
  for (; c + kLanes <= channels; c += kLanes) {
    max_strip<1>(taps, count, c, y, indices);
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

template <int kVectors>
void max_backward_strip(const PoolTap* taps, int64_t count, int64_t c, float* dx) {
  Vec sum[kVectors] = {};
  for (int64_t t = 0; t < count; ++t) {
    for (int v = 0; v < kVectors; ++v) {
      const int64_t at = c + v * kLanes;
      const IntVec mine = load_u8(taps[t].indices + at) == taps[t].number;
      sum[v] += mine ? load(taps[t].values + at) : Vec{};
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    store(dx + c + v * kLanes, sum[v]);
  }
}

void max_backward(const PoolTap* taps, int64_t count, int64_t channels, float* dx) {
  int64_t c = 0;
  for (; c + 4 * kLanes <= channels; c += 4 * kLanes) {
    max_backward_strip<4>(taps, count, c, dx);
  }
  for (; c + kLanes <= channels; c += kLanes) {
    max_backward_strip<1>(taps, count, c, dx);
  }
  for (; c < channels; ++c) {
    float sum = 0;
    for (int64_t t = 0; t < count; ++t) {
      sum += taps[t].indices[c] == taps[t].number ? taps[t].values[c] : 0.0F;
    }
    dx[c] = sum;
  }
}

template <int kVectors>
void weighted_sum_strip(const PoolTap* taps, int64_t count, int64_t c, bool first, float* y) {
  Vec sum[kVectors] = {};
  for (int64_t t = 0; t < count; ++t) {
    for (int v = 0; v < kVectors; ++v) {
      sum[v] += taps[t].weight * load(taps[t].values + c + v * kLanes);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    float* at = y + c + v * kLanes;
    store(at, first ? sum[v] : load(at) + sum[v]);
  }
}

/// Taps in groups of 16: large windows are read pixel after pixel, and sums of sums round less.
void weighted_sum(const PoolTap* taps, int64_t count, int64_t channels, float* y) {
  constexpr int64_t kGroup = 16;
  for (int64_t begin = 0; begin == 0 || begin < count; begin += kGroup) {
    const PoolTap* group = taps + begin;
    const int64_t size = count - begin < kGroup ? count - begin : kGroup;
    const bool first = begin == 0;
    int64_t c = 0;
    for (; c + 8 * kLanes <= channels; c += 8 * kLanes) {
      weighted_sum_strip<8>(group, size, c, first, y);
    }
    for (; c + kLanes <= channels; c += kLanes) {
      weighted_sum_strip<1>(group, size, c, first, y);
    }
    for (; c < channels; ++c) {
      float sum = 0;
      for (int64_t t = 0; t < size; ++t) {
        sum += group[t].weight * group[t].values[c];
      }
      y[c] = first ? sum : y[c] + sum;
    }
  }
}

}  // namespace

const PoolKernels pool = {max, max_backward, weighted_sum};

}  // namespace hanok::cpu::HANOK_ISA
