// Channels are the vector dimension: each pass walks rows of contiguous channels. The sums run over
// groups of 16 rows in f32, in strips of 32 channels whose accumulators stay in registers (4 + 4
// vectors and 4 centers of 16 registers), and add each group's to totals in double. So almost all
// additions are f32 ones, and no f32 sum has more than 16 terms.
#include "hanok/kernels/cpu/isa/batch_norm.h"

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int64_t kGroup = 16;  // rows
constexpr int kStrip = 4;       // vectors

/// Sums of d = x - pivot and of d^2: shifted by a row's value they lose nothing where the mean is
/// large.
template <int kVectors>
void moments_strip(const float* x, int64_t rows, int64_t channels, const float* pivot, double* sum,
                   double* squares) {
  Vec center[kVectors];
  Vec sums[kVectors] = {};
  Vec products[kVectors] = {};
  for (int v = 0; v < kVectors; ++v) {
    center[v] = load(pivot + v * kLanes);
  }
  for (int64_t row = 0; row < rows; ++row) {
    for (int v = 0; v < kVectors; ++v) {
      const Vec d = load(x + row * channels + v * kLanes) - center[v];
      sums[v] += d;
      products[v] += d * d;
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    add_to(sum + v * kLanes, sums[v]);
    add_to(squares + v * kLanes, products[v]);
  }
}

void statistics(const float* x, int64_t rows, int64_t channels, double* mean, double* m2) {
  double* sum = mean;
  double* squares = m2;
  for (int64_t c = 0; c < channels; ++c) {
    sum[c] = 0;
    squares[c] = 0;
  }
  const float* pivot = x;  // the first row
  for (int64_t begin = 0; begin < rows; begin += kGroup) {
    const int64_t group = rows - begin < kGroup ? rows - begin : kGroup;
    const float* first = x + begin * channels;
    int64_t c = 0;
    for (; c + kStrip * kLanes <= channels; c += kStrip * kLanes) {
      moments_strip<kStrip>(first + c, group, channels, pivot + c, sum + c, squares + c);
    }
    for (; c + kLanes <= channels; c += kLanes) {
      moments_strip<1>(first + c, group, channels, pivot + c, sum + c, squares + c);
    }
    for (; c < channels; ++c) {
      for (int64_t row = 0; row < group; ++row) {
        const double d = static_cast<double>(first[row * channels + c]) - pivot[c];
        sum[c] += d;
        squares[c] += d * d;
      }
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    const double shift = sum[c] / static_cast<double>(rows);
    squares[c] -= shift * sum[c];
    mean[c] = pivot[c] + shift;
  }
}

template <bool kResidual, bool kRelu, typename X>
void apply_rows(const BatchNormBlock<X>& b, const BatchNormChannels& k) {
  for (int64_t row = 0; row < b.rows; ++row) {
    const X* x = b.x + row * b.channels;
    const float* residual = kResidual ? b.residual + row * b.channels : nullptr;
    float* y = b.out + row * b.channels;
    HANOK_INDEPENDENT
    for (int64_t c = 0; c < b.channels; ++c) {
      float value = (to_float(x[c]) - k.mean[c]) * k.scale[c] + k.shift[c];
      if (kResidual) {
        value += residual[c];
      }
      y[c] = kRelu && value <= 0.0F ? 0.0F : value;
    }
  }
}

template <typename X>
void apply(const BatchNormBlock<X>& b, const BatchNormChannels& k, bool relu) {
  if (b.residual != nullptr) {
    relu ? apply_rows<true, true>(b, k) : apply_rows<true, false>(b, k);
  } else {
    relu ? apply_rows<false, true>(b, k) : apply_rows<false, false>(b, k);
  }
}

/// What decides whether ReLU let a value pass.
enum class Gate { None, Y, X };

/// Calls `run` with the block's gate as a compile-time constant.
template <typename X, typename Run>
void with_gate(const BatchNormBlock<X>& b, const BatchNormChannels& k, const Run& run) {
  if (b.y != nullptr) {
    run.template operator()<Gate::Y>();
  } else if (k.shift != nullptr) {
    run.template operator()<Gate::X>();
  } else {
    run.template operator()<Gate::None>();
  }
}

/// Without x (frozen statistics, gamma not wanted) sum_gx is 0.
template <Gate kGate, bool kWithX, int kVectors, typename X>
void sums_strip(const BatchNormBlock<X>& b, const BatchNormChannels& k, int64_t begin, int64_t rows,
                int64_t c, double* sum_g, double* sum_gx) {
  Vec center[kVectors] = {};
  Vec sums[kVectors] = {};
  Vec products[kVectors] = {};
  for (int v = 0; kWithX && v < kVectors; ++v) {
    center[v] = load(k.mean + c + v * kLanes);
  }
  for (int64_t row = begin; row < begin + rows; ++row) {
    for (int v = 0; v < kVectors; ++v) {
      const int64_t channel = c + v * kLanes;
      const int64_t at = row * b.channels + channel;
      const Vec d = kWithX ? load(b.x + at) - center[v] : Vec{};
      Vec g = load(b.dy + at);
      if (kGate == Gate::Y) {
        g = load(b.y + at) > 0.0F ? g : Vec{};
      }
      if (kGate == Gate::X) {
        g = d * load(k.scale + channel) + load(k.shift + channel) > 0.0F ? g : Vec{};
      }
      sums[v] += g;
      if (kWithX) {
        products[v] += g * d;
      }
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    add_to(sum_g + c + v * kLanes, sums[v]);
    add_to(sum_gx + c + v * kLanes, products[v]);
  }
}

template <Gate kGate, bool kWithX, typename X>
void sums_rows(const BatchNormBlock<X>& b, const BatchNormChannels& k, double* sum_g,
               double* sum_gx) {
  for (int64_t c = 0; c < b.channels; ++c) {
    sum_g[c] = 0;
    sum_gx[c] = 0;
  }
  for (int64_t begin = 0; begin < b.rows; begin += kGroup) {
    const int64_t group = b.rows - begin < kGroup ? b.rows - begin : kGroup;
    int64_t c = 0;
    for (; c + kStrip * kLanes <= b.channels; c += kStrip * kLanes) {
      sums_strip<kGate, kWithX, kStrip>(b, k, begin, group, c, sum_g, sum_gx);
    }
    for (; c + kLanes <= b.channels; c += kLanes) {
      sums_strip<kGate, kWithX, 1>(b, k, begin, group, c, sum_g, sum_gx);
    }
    for (; c < b.channels; ++c) {
      for (int64_t row = begin; row < begin + group; ++row) {
        const int64_t at = row * b.channels + c;
        const float d = kWithX ? to_float(b.x[at]) - k.mean[c] : 0.0F;
        const bool passed = kGate == Gate::Y   ? b.y[at] > 0.0F
                            : kGate == Gate::X ? d * k.scale[c] + k.shift[c] > 0.0F
                                               : true;
        const double g = passed ? b.dy[at] : 0.0;
        sum_g[c] += g;
        sum_gx[c] += kWithX ? g * (static_cast<double>(to_float(b.x[at])) - k.mean[c]) : 0.0;
      }
    }
  }
}

template <typename X>
void backward_sums(const BatchNormBlock<X>& b, const BatchNormChannels& k, double* sum_g,
                   double* sum_gx) {
  with_gate(b, k, [&]<Gate kGate>() {
    b.x != nullptr || kGate == Gate::X ? sums_rows<kGate, true>(b, k, sum_g, sum_gx)
                                       : sums_rows<kGate, false>(b, k, sum_g, sum_gx);
  });
}

template <Gate kGate, bool kResidual, bool kFrozen, typename X>
void backward_rows(const BatchNormBlock<X>& b, const BatchNormChannels& k) {
  for (int64_t row = 0; row < b.rows; ++row) {
    const int64_t at = row * b.channels;
    const X* x = kFrozen && kGate != Gate::X ? nullptr : b.x + at;
    const float* y = kGate == Gate::Y ? b.y + at : nullptr;
    const float* dy = b.dy + at;
    float* dx = b.out + at;
    float* dresidual = kResidual ? b.dresidual + at : nullptr;
    HANOK_INDEPENDENT
    for (int64_t c = 0; c < b.channels; ++c) {
      float g = dy[c];
      if (kGate == Gate::Y) {
        g = y[c] > 0.0F ? g : 0.0F;
      }
      if (kGate == Gate::X) {
        g = (to_float(x[c]) - k.mean[c]) * k.scale[c] + k.shift[c] > 0.0F ? g : 0.0F;
      }
      if (kResidual) {
        dresidual[c] = g;
      }
      dx[c] = kFrozen
                  ? k.scale[c] * g
                  : k.scale[c] * ((g - k.offset[c]) - (to_float(x[c]) - k.mean[c]) * k.slope[c]);
    }
  }
}

template <typename X>
void backward_apply(const BatchNormBlock<X>& b, const BatchNormChannels& k) {
  with_gate(b, k, [&]<Gate kGate>() {
    if (k.slope == nullptr) {
      b.dresidual != nullptr ? backward_rows<kGate, true, true>(b, k)
                             : backward_rows<kGate, false, true>(b, k);
    } else {
      b.dresidual != nullptr ? backward_rows<kGate, true, false>(b, k)
                             : backward_rows<kGate, false, false>(b, k);
    }
  });
}

}  // namespace

const BatchNormKernels batch_norm = {
    .statistics = statistics,
    .f32 = {apply<float>, backward_sums<float>, backward_apply<float>},
    .bf16 = {apply<uint16_t>, backward_sums<uint16_t>, backward_apply<uint16_t>}};

}  // namespace hanok::cpu::HANOK_ISA
