// Channels are the vector dimension. Forward (and backward data), 4 pixels x 16 channels at a time:
//   for each tap
//     load 16 weights                     2 loads
//     4 x 2 multiply-adds from memory     8 loads
// Eight independent chains cover the latency of two FMA units; the loads of L1 are the limit: 10
// for 8 multiply-adds, 5.6 cycles or more per 8 results of a 3x3 filter, in which 32 bytes come in
// and 32 go out. That is about the memory bandwidth of one core.
//
// What the next row needs is prefetched while this one is computed: the order of the loops, short
// pieces of many rows, defeats the processor's own prefetching (measured: half the speed).
//
// Weight gradients, 8 channels at a time: the sums of up to 9 taps stay in registers over the run
// of pixels, one load of dy serves them all.
#include "hanok/kernels/cpu/isa/depthwise.h"

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int64_t kLine = 16;  // floats of a cache line

// Prefetches the part of the source rows ahead that belongs to these pixels and a cache line of
// channels: as many lines as the strip's share of them. Always inline: g++ treats a function that
// only prefetches as free of side effects and removes its calls.
__attribute__((always_inline)) inline void fetch_ahead(const DepthwiseRun& run, int64_t pixel,
                                                       int64_t pixels, int64_t c) {
  const int64_t lines = pixels * run.step_w;
  for (int64_t row = 0; row < run.ahead_rows; ++row) {
    const float* x = run.ahead + row * run.x_row + pixel * run.x_step + c * lines;
    for (int64_t i = 0; i < lines; ++i) __builtin_prefetch(x + i * kLine);
  }
}

// Every loop over pixels and vectors is unrolled, so that the sums are registers.
template <int kPixels, int kVectors>
void convolve_strip(const DepthwiseRun& run, const TileEpilogue& epilogue, int64_t pixel, int64_t c,
                    float* y) {
  Vec acc[kPixels][kVectors];
  const int64_t step = run.x_step;
  if (kVectors == 2) fetch_ahead(run, pixel, kPixels, c);
#pragma GCC unroll 4
  for (int i = 0; i < kPixels; ++i) {
    if (kVectors == 2) __builtin_prefetch(y + (pixel + i) * run.y_step + run.y_row + c, 1);
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) acc[i][v] = broadcast(0.0F);
  }
  for (int64_t t = 0; t < run.tap_count; ++t) {
    const float* x = run.taps[t].x + pixel * step + c;
    const float* w = run.taps[t].w + c;
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const Vec weight = load(w + kLanes * v);
#pragma GCC unroll 4
      for (int i = 0; i < kPixels; ++i) {
        acc[i][v] = mul_add(load(x + i * step + kLanes * v), weight, acc[i][v]);
      }
    }
  }
  const TileEpilogue e = epilogue;  // a copy, which stores to y cannot change
  const bool plain = !e.scale && !e.shift && !e.residual && !e.relu;
#pragma GCC unroll 4
  for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const int64_t channel = c + kLanes * v;
      const int64_t at = (pixel + i) * run.y_step + channel;
      Vec value = acc[i][v];
      if (!plain) {
        if (e.scale) value = value * load(e.scale + channel);
        if (e.shift) value = value + load(e.shift + channel);
        if (e.residual) value = value + load(e.residual + at);
        if (e.relu) value = clip(value, broadcast(e.ceiling));
      }
      store(y + at, value);
    }
  }
}

// The channels beyond the last whole vector, one at a time.
void convolve_channel(const DepthwiseRun& run, const TileEpilogue& e, int64_t pixel, int64_t c,
                      float* y) {
  float value = 0;
  for (int64_t t = 0; t < run.tap_count; ++t) {
    value += run.taps[t].x[pixel * run.x_step + c] * run.taps[t].w[c];
  }
  const int64_t at = pixel * run.y_step + c;
  if (e.scale) value *= e.scale[c];
  if (e.shift) value += e.shift[c];
  if (e.residual) value += e.residual[at];
  if (e.relu) value = clip(value, e.ceiling);
  y[at] = value;
}

// All channels before the next pixels: the operands are read in memory order.
template <int kPixels>
void convolve_pixels(const DepthwiseRun& run, const TileEpilogue& e, int64_t pixel, float* y) {
  int64_t c = 0;
  for (; c + 2 * kLanes <= run.channels; c += 2 * kLanes) {
    convolve_strip<kPixels, 2>(run, e, pixel, c, y);
  }
  for (; c + kLanes <= run.channels; c += kLanes) convolve_strip<kPixels, 1>(run, e, pixel, c, y);
  for (; c < run.channels; ++c) {
    for (int i = 0; i < kPixels; ++i) convolve_channel(run, e, pixel + i, c, y);
  }
}

void convolve(const DepthwiseRun& run, const TileEpilogue& epilogue, float* y) {
  int64_t pixel = 0;
  for (; pixel + 4 <= run.pixels; pixel += 4) convolve_pixels<4>(run, epilogue, pixel, y);
  for (; pixel < run.pixels; ++pixel) convolve_pixels<1>(run, epilogue, pixel, y);
}

constexpr int kTapGroup = 9;

// Taps [0, kTaps), channels [c, c + kLanes), pixels [begin, end).
template <int kTaps>
void add_strip(const DepthwiseRun& run, const DepthwiseTap* taps, const float* dy, int64_t begin,
               int64_t end, int64_t c) {
  Vec sum[kTaps];
  const float* x[kTaps];
#pragma GCC unroll 9
  for (int t = 0; t < kTaps; ++t) {
    sum[t] = broadcast(0.0F);
    x[t] = taps[t].x + c;
  }
  for (int64_t i = begin; i < end; ++i) {
    const Vec d = load(dy + i * run.y_step + c);
    const int64_t at = i * run.x_step;
#pragma GCC unroll 9
    for (int t = 0; t < kTaps; ++t) sum[t] = mul_add(load(x[t] + at), d, sum[t]);
  }
#pragma GCC unroll 9
  for (int t = 0; t < kTaps; ++t) {
    float* dw = taps[t].dw + c;
    store(dw, load(dw) + sum[t]);
  }
}

void add_strip_taps(const DepthwiseRun& run, const DepthwiseTap* taps, int64_t count,
                    const float* dy, int64_t begin, int64_t end, int64_t c) {
  switch (count) {
    case 1:
      return add_strip<1>(run, taps, dy, begin, end, c);
    case 2:
      return add_strip<2>(run, taps, dy, begin, end, c);
    case 3:
      return add_strip<3>(run, taps, dy, begin, end, c);
    case 4:
      return add_strip<4>(run, taps, dy, begin, end, c);
    case 5:
      return add_strip<5>(run, taps, dy, begin, end, c);
    case 6:
      return add_strip<6>(run, taps, dy, begin, end, c);
    case 7:
      return add_strip<7>(run, taps, dy, begin, end, c);
    case 8:
      return add_strip<8>(run, taps, dy, begin, end, c);
    default:
      return add_strip<9>(run, taps, dy, begin, end, c);
  }
}

void add_gradients(const DepthwiseRun& run, const float* dy) {
  // Few enough pixels that both cache lines' halves are read while the lines are in L1.
  constexpr int64_t kPixelBlock = 16;
  for (int64_t begin = 0; begin < run.pixels; begin += kPixelBlock) {
    const int64_t end = run.pixels - begin < kPixelBlock ? run.pixels : begin + kPixelBlock;
    int64_t c = 0;
    for (; c + kLanes <= run.channels; c += kLanes) {
      if (c % kLine == 0) {
        fetch_ahead(run, begin, end - begin, c);
        for (int64_t i = begin; i < end; ++i) {
          __builtin_prefetch(dy + i * run.y_step + run.y_row + c);
        }
      }
      for (int64_t t = 0; t < run.tap_count; t += kTapGroup) {
        add_strip_taps(run, run.taps + t, run.tap_count - t, dy, begin, end, c);
      }
    }
    for (; c < run.channels; ++c) {
      for (int64_t t = 0; t < run.tap_count; ++t) {
        float sum = 0;
        for (int64_t i = begin; i < end; ++i) {
          sum += dy[i * run.y_step + c] * run.taps[t].x[i * run.x_step + c];
        }
        run.taps[t].dw[c] += sum;
      }
    }
  }
}

}  // namespace

const DepthwiseKernels depthwise = {convolve, add_gradients};

}  // namespace hanok::cpu::HANOK_ISA
