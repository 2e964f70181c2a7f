// Channels are the vector dimension: each pass walks rows of contiguous channels. The sums take a
// strip of 16 channels (one cache line) down all rows of the block, so that their accumulators stay
// in registers: 4 + 4 vectors of 4 doubles.
#include "kernels/cpu/isa/batch_norm.h"

#include "kernels/cpu/isa/simd.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kStrip = 4;  // vectors of 4 doubles

inline void store4(double* p, F64x4 v) { memcpy(p, &v, sizeof v); }

/// Shifted by the first row's value, the sums lose nothing where the mean is large.
template <int kVectors>
void statistics_strip(const float* x, int64_t rows, int64_t channels, double* mean, double* m2) {
  F64x4 pivot[kVectors];
  F64x4 sum[kVectors] = {};
  F64x4 squares[kVectors] = {};
  for (int v = 0; v < kVectors; ++v) {
    pivot[v] = load4_as_double(x + 4 * v);
  }
  for (int64_t row = 0; row < rows; ++row) {
    for (int v = 0; v < kVectors; ++v) {
      const F64x4 d = load4_as_double(x + row * channels + 4 * v) - pivot[v];
      sum[v] += d;
      squares[v] += d * d;
    }
  }
  const double count = static_cast<double>(rows);
  for (int v = 0; v < kVectors; ++v) {
    const F64x4 shift = sum[v] / count;
    store4(mean + 4 * v, pivot[v] + shift);
    store4(m2 + 4 * v, squares[v] - shift * sum[v]);
  }
}

void statistics(const float* x, int64_t rows, int64_t channels, double* mean, double* m2) {
  int64_t c = 0;
  for (; c + 4 * kStrip <= channels; c += 4 * kStrip) {
    statistics_strip<kStrip>(x + c, rows, channels, mean + c, m2 + c);
  }
  for (; c + 4 <= channels; c += 4) {
    statistics_strip<1>(x + c, rows, channels, mean + c, m2 + c);
  }
  for (; c < channels; ++c) {
    const double pivot = x[c];
    double sum = 0;
    double squares = 0;
    for (int64_t row = 0; row < rows; ++row) {
      const double d = x[row * channels + c] - pivot;
      sum += d;
      squares += d * d;
    }
    const double shift = sum / static_cast<double>(rows);
    mean[c] = pivot + shift;
    m2[c] = squares - shift * sum;
  }
}

template <bool kResidual, bool kRelu>
void apply_rows(const BatchNormBlock& b, const float* mean, const float* scale,
                const float* shift) {
  for (int64_t row = 0; row < b.rows; ++row) {
    const float* x = b.x + row * b.channels;
    const float* residual = kResidual ? b.residual + row * b.channels : nullptr;
    float* y = b.out + row * b.channels;
    HANOK_INDEPENDENT
    for (int64_t c = 0; c < b.channels; ++c) {
      float value = (x[c] - mean[c]) * scale[c] + shift[c];
      if (kResidual) {
        value += residual[c];
      }
      y[c] = kRelu && value <= 0.0F ? 0.0F : value;
    }
  }
}

void apply(const BatchNormBlock& b, const float* mean, const float* scale, const float* shift,
           bool relu) {
  if (b.residual != nullptr) {
    relu ? apply_rows<true, true>(b, mean, scale, shift)
         : apply_rows<true, false>(b, mean, scale, shift);
  } else {
    relu ? apply_rows<false, true>(b, mean, scale, shift)
         : apply_rows<false, false>(b, mean, scale, shift);
  }
}

/// Without x (frozen statistics, gamma not wanted) sum_gx is 0.
template <bool kGate, bool kWithX, int kVectors>
void sums_strip(const BatchNormBlock& b, int64_t c, const float* mean, double* sum_g,
                double* sum_gx) {
  F64x4 center[kVectors] = {};
  F64x4 sum[kVectors] = {};
  F64x4 sum_x[kVectors] = {};
  for (int v = 0; kWithX && v < kVectors; ++v) {
    center[v] = load4_as_double(mean + c + 4 * v);
  }
  for (int64_t row = 0; row < b.rows; ++row) {
    const int64_t at = row * b.channels + c;
    for (int v = 0; v < kVectors; ++v) {
      F64x4 g = load4_as_double(b.dy + at + 4 * v);
      if (kGate) {
        const F64x4 y = load4_as_double(b.y + at + 4 * v);
        g = y > 0.0 ? g : F64x4{};
      }
      sum[v] += g;
      if (kWithX) {
        sum_x[v] += g * (load4_as_double(b.x + at + 4 * v) - center[v]);
      }
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    store4(sum_g + c + 4 * v, sum[v]);
    store4(sum_gx + c + 4 * v, sum_x[v]);
  }
}

template <bool kGate, bool kWithX>
void sums_rows(const BatchNormBlock& b, const float* mean, double* sum_g, double* sum_gx) {
  int64_t c = 0;
  for (; c + 4 * kStrip <= b.channels; c += 4 * kStrip) {
    sums_strip<kGate, kWithX, kStrip>(b, c, mean, sum_g, sum_gx);
  }
  for (; c + 4 <= b.channels; c += 4) {
    sums_strip<kGate, kWithX, 1>(b, c, mean, sum_g, sum_gx);
  }
  for (; c < b.channels; ++c) {
    double sum = 0;
    double sum_x = 0;
    for (int64_t row = 0; row < b.rows; ++row) {
      const int64_t at = row * b.channels + c;
      const double g = kGate && !(b.y[at] > 0.0F) ? 0.0 : b.dy[at];
      sum += g;
      sum_x += kWithX ? g * (static_cast<double>(b.x[at]) - mean[c]) : 0.0;
    }
    sum_g[c] = sum;
    sum_gx[c] = sum_x;
  }
}

void backward_sums(const BatchNormBlock& b, const float* mean, double* sum_g, double* sum_gx) {
  if (b.x != nullptr) {
    b.y != nullptr ? sums_rows<true, true>(b, mean, sum_g, sum_gx)
                   : sums_rows<false, true>(b, mean, sum_g, sum_gx);
  } else {
    b.y != nullptr ? sums_rows<true, false>(b, mean, sum_g, sum_gx)
                   : sums_rows<false, false>(b, mean, sum_g, sum_gx);
  }
}

template <bool kGate, bool kResidual, bool kFrozen>
void backward_rows(const BatchNormBlock& b, const float* mean, const float* scale,
                   const float* offset, const float* slope) {
  for (int64_t row = 0; row < b.rows; ++row) {
    const int64_t at = row * b.channels;
    const float* x = kFrozen ? nullptr : b.x + at;
    const float* y = kGate ? b.y + at : nullptr;
    const float* dy = b.dy + at;
    float* dx = b.out + at;
    float* dresidual = kResidual ? b.dresidual + at : nullptr;
    HANOK_INDEPENDENT
    for (int64_t c = 0; c < b.channels; ++c) {
      float g = dy[c];
      if (kGate) {
        g = y[c] > 0.0F ? g : 0.0F;
      }
      if (kResidual) {
        dresidual[c] = g;
      }
      dx[c] = kFrozen ? scale[c] * g : scale[c] * ((g - offset[c]) - (x[c] - mean[c]) * slope[c]);
    }
  }
}

template <bool kFrozen>
void backward_choose(const BatchNormBlock& b, const float* mean, const float* scale,
                     const float* offset, const float* slope) {
  if (b.y != nullptr) {
    b.dresidual != nullptr ? backward_rows<true, true, kFrozen>(b, mean, scale, offset, slope)
                           : backward_rows<true, false, kFrozen>(b, mean, scale, offset, slope);
  } else {
    b.dresidual != nullptr ? backward_rows<false, true, kFrozen>(b, mean, scale, offset, slope)
                           : backward_rows<false, false, kFrozen>(b, mean, scale, offset, slope);
  }
}

void backward_apply(const BatchNormBlock& b, const float* mean, const float* scale,
                    const float* offset, const float* slope) {
  backward_choose<false>(b, mean, scale, offset, slope);
}

void backward_frozen(const BatchNormBlock& b, const float* scale) {
  backward_choose<true>(b, nullptr, scale, nullptr, nullptr);
}

}  // namespace

const BatchNormKernels batch_norm = {statistics, apply, backward_sums, backward_apply,
                                     backward_frozen};

}  // namespace hanok::cpu::HANOK_ISA
