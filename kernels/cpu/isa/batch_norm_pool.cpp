// Channels are the vector dimension; strips of them stay in registers over all taps. Values and
// their order are those of batch_norm.cpp and pool.cpp one after the other.
#include "hanok/kernels/cpu/isa/batch_norm_pool.h"

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kStrip = 4;  // vectors

/// Calls strip(c, constant of vectors) for all channels but the last few, and returns those' first.
template <typename Strip>
inline int64_t over_strips(int64_t channels, const Strip& strip) {
  int64_t c = 0;
  for (; c + kStrip * kLanes <= channels; c += kStrip * kLanes) {
    strip.template operator()<kStrip>(c);
  }
  for (; c + kLanes <= channels; c += kLanes) {
    strip.template operator()<1>(c);
  }
  return c;
}

template <int kVectors, typename X>
inline void apply_strip(const NormTap<X>* taps, int64_t count, int64_t c,
                        const BatchNormChannels& k, bool relu, float* y, uint8_t* indices,
                        X* chosen) {
  Vec mean[kVectors];
  Vec scale[kVectors];
  Vec shift[kVectors];
  Vec best[kVectors];
  IntVec index[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const int64_t at = c + v * kLanes;
    mean[v] = load(k.mean + at);
    scale[v] = load(k.scale + at);
    shift[v] = load(k.shift + at);
    best[v] = (load(taps[0].values + at) - mean[v]) * scale[v] + shift[v];
    index[v] = broadcast_int(static_cast<int32_t>(taps[0].number));
  }
  for (int64_t t = 1; t < count; ++t) {
    const X* values = taps[t].values + c;
    const IntVec number = broadcast_int(static_cast<int32_t>(taps[t].number));
    for (int v = 0; v < kVectors; ++v) {
      const Vec value = (load(values + v * kLanes) - mean[v]) * scale[v] + shift[v];
      // A NaN is the only value that differs from itself: it wins, so that it propagates.
      // NOLINTNEXTLINE(misc-redundant-expression)
      const IntVec better = (value > best[v]) | (value != value);
      best[v] = better ? value : best[v];
      index[v] = better ? number : index[v];
    }
  }
  for (int v = 0; chosen != nullptr && v < kVectors; ++v) {
    const int64_t at = c + v * kLanes;
    Vec x = load(taps[0].values + at);
    for (int64_t t = 1; t < count; ++t) {
      const IntVec mine = index[v] == static_cast<int32_t>(taps[t].number);
      x = mine ? load(taps[t].values + at) : x;
    }
    store(chosen + at, x);
  }
  for (int v = 0; v < kVectors; ++v) {
    const int64_t at = c + v * kLanes;
    if (relu) {
      index[v] = best[v] > 0.0F ? index[v] : broadcast_int(static_cast<int32_t>(kNothingPassed));
      best[v] = best[v] <= 0.0F ? Vec{} : best[v];
    }
    store(y + at, best[v]);
    if (indices != nullptr) {
      store_u8(indices + at, index[v]);
    }
  }
}

template <typename X>
void apply(const NormTap<X>* taps, int64_t count, int64_t channels, const BatchNormChannels& k,
           bool relu, float* y, uint8_t* indices, X* chosen) {
  if (count == 0) {  // dilated taps may all lie in the padding, which counts as minus infinity
    for (int64_t c = 0; c < channels; ++c) {
      y[c] = -__builtin_inff();
    }
    if (indices != nullptr) {
      memset(indices, kNothingPassed, static_cast<size_t>(channels));
    }
    return;
  }
  int64_t c = over_strips(channels, [&]<int kVectors>(int64_t at) {
    apply_strip<kVectors>(taps, count, at, k, relu, y, indices, chosen);
  });
  for (; c < channels; ++c) {
    float best = (to_float(taps[0].values[c]) - k.mean[c]) * k.scale[c] + k.shift[c];
    uint8_t index = taps[0].number;
    X x = taps[0].values[c];
    for (int64_t t = 1; t < count; ++t) {
      const float value = (to_float(taps[t].values[c]) - k.mean[c]) * k.scale[c] + k.shift[c];
      if (value > best || value != value) {
        best = value;
        index = taps[t].number;
        x = taps[t].values[c];
      }
    }
    if (relu) {
      index = best > 0.0F ? index : kNothingPassed;
      best = best <= 0.0F ? 0.0F : best;
    }
    y[c] = best;
    if (chosen != nullptr) {
      chosen[c] = x;
    }
    if (indices != nullptr) {
      indices[c] = index;
    }
  }
}

template <int kVectors, typename X>
inline void sums_strip(const PooledWindow<X>* windows, int64_t count, int64_t c, const float* mean,
                       double* sum_g, double* sum_gx) {
  Vec center[kVectors];
  Vec sums[kVectors] = {};
  Vec products[kVectors] = {};
  for (int v = 0; v < kVectors; ++v) {
    center[v] = load(mean + c + v * kLanes);
  }
  for (int64_t w = 0; w < count; ++w) {
    const PooledWindow<X>& window = windows[w];
    IntVec index[kVectors];
    Vec x[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      index[v] = load_u8(window.indices + c + v * kLanes);
      x[v] = center[v];
    }
    for (int64_t t = 0; t < window.count; ++t) {
      const IntVec number = broadcast_int(static_cast<int32_t>(window.taps[t].number));
      for (int v = 0; v < kVectors; ++v) {
        const IntVec mine = index[v] == number;
        x[v] = mine ? load(window.taps[t].values + c + v * kLanes) : x[v];
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      const IntVec passed = index[v] != static_cast<int32_t>(kNothingPassed);
      const Vec g = passed ? load(window.dy + c + v * kLanes) : Vec{};
      sums[v] += g;
      products[v] += g * (x[v] - center[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    add_to(sum_g + c + v * kLanes, sums[v]);
    add_to(sum_gx + c + v * kLanes, products[v]);
  }
}

template <typename X>
void backward_sums(const PooledWindow<X>* windows, int64_t count, int64_t channels,
                   const float* mean, double* sum_g, double* sum_gx) {
  int64_t c = over_strips(channels, [&]<int kVectors>(int64_t at) {
    sums_strip<kVectors>(windows, count, at, mean, sum_g, sum_gx);
  });
  for (; c < channels; ++c) {
    for (int64_t w = 0; w < count; ++w) {
      const PooledWindow<X>& window = windows[w];
      for (int64_t t = 0; t < window.count; ++t) {
        if (window.indices[c] == window.taps[t].number) {
          const double g = window.dy[c];
          sum_g[c] += g;
          sum_gx[c] += g * (static_cast<double>(to_float(window.taps[t].values[c])) - mean[c]);
        }
      }
    }
  }
}

template <int kVectors, bool kFrozen, typename X>
inline void backward_strip(const PoolTap* taps, int64_t count, int64_t c,
                           const BatchNormChannels& k, const X* x, float* dx) {
  Vec g[kVectors] = {};
  for (int64_t t = 0; t < count; ++t) {
    const IntVec number = broadcast_int(static_cast<int32_t>(taps[t].number));
    for (int v = 0; v < kVectors; ++v) {
      const int64_t at = c + v * kLanes;
      const IntVec mine = load_u8(taps[t].indices + at) == number;
      g[v] += mine ? load(taps[t].values + at) : Vec{};
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    const int64_t at = c + v * kLanes;
    if (!kFrozen) {
      g[v] = (g[v] - load(k.offset + at)) - (load(x + at) - load(k.mean + at)) * load(k.slope + at);
    }
    store(dx + at, load(k.scale + at) * g[v]);
  }
}

template <bool kFrozen, typename X>
void backward_pixel(const PoolTap* taps, int64_t count, int64_t channels,
                    const BatchNormChannels& k, const X* x, float* dx) {
  int64_t c = over_strips(channels, [&]<int kVectors>(int64_t at) {
    backward_strip<kVectors, kFrozen>(taps, count, at, k, x, dx);
  });
  for (; c < channels; ++c) {
    float g = 0;
    for (int64_t t = 0; t < count; ++t) {
      g += taps[t].indices[c] == taps[t].number ? taps[t].values[c] : 0.0F;
    }
    dx[c] =
        k.scale[c] * (kFrozen ? g : (g - k.offset[c]) - (to_float(x[c]) - k.mean[c]) * k.slope[c]);
  }
}

template <typename X>
void backward_apply(const PoolTap* taps, int64_t count, int64_t channels,
                    const BatchNormChannels& k, const X* x, float* dx) {
  k.slope == nullptr ? backward_pixel<true>(taps, count, channels, k, x, dx)
                     : backward_pixel<false>(taps, count, channels, k, x, dx);
}

}  // namespace

const BatchNormPoolKernels batch_norm_pool = {
    .f32 = {apply<float>, backward_sums<float>, backward_apply<float>},
    .bf16 = {apply<uint16_t>, backward_sums<uint16_t>, backward_apply<uint16_t>}};

}  // namespace hanok::cpu::HANOK_ISA
