#include "bench/bench_precision/exact_conv2d.h"

#include <algorithm>
#include <cstddef>

#include "hanok/kernels/base/half.h"

namespace hanok::bench {
namespace {

std::vector<double> widened(const float* values, std::int64_t count, OperandsAre operands) {
  std::vector<double> out(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = operands == OperandsAre::Bf16 ? to_float(to_bf16(values[i])) : values[i];
  }
  return out;
}

/// The input row or column that tap `tap` of output `at` reads; -1: outside.
struct Taps {
  std::int64_t stride, pad, dilation, inputs, outputs;

  std::int64_t input(std::int64_t output, std::int64_t tap) const {
    const std::int64_t at = output * stride - pad + tap * dilation;
    return at < inputs ? std::max<std::int64_t>(at, -1) : -1;
  }
  /// The output whose tap `tap` reads `input`; -1: none does.
  std::int64_t output(std::int64_t input, std::int64_t tap) const {
    const std::int64_t at = input + pad - tap * dilation;
    if (at < 0 || at % stride != 0 || at / stride >= outputs) return -1;
    return at / stride;
  }
};

Taps rows_of(const Conv2dShape& s) {
  return {s.window.stride_h, s.window.pad_h, s.window.dilation_h, s.h, s.p()};
}
Taps columns_of(const Conv2dShape& s) {
  return {s.window.stride_w, s.window.pad_w, s.window.dilation_w, s.w, s.q()};
}

/// w [K,R,S,C/groups] -> [R,S,C/groups,K]: neighbouring filters side by side.
std::vector<double> filters_last(const std::vector<double>& w, const Conv2dShape& s) {
  std::vector<double> out(w.size());
  const auto inner = static_cast<std::size_t>(s.r * s.s * s.c_per_group());
  const auto k_count = static_cast<std::size_t>(s.k);
  for (std::size_t k = 0; k < k_count; ++k) {
    for (std::size_t i = 0; i < inner; ++i) out[i * k_count + k] = w[k * inner + i];
  }
  return out;
}

// y[n,p,q,k] = sum over r,s,c of x[n,h,w,c] w[k,r,s,c]
void forward(ThreadPool& pool, const Conv2dShape& s, const double* x, const double* by_filter,
             double* y) {
  const Taps rows = rows_of(s), columns = columns_of(s);
  const std::int64_t cg = s.c_per_group(), kg = s.k_per_group();
  pool.run(s.n * s.p(), [&](std::int64_t row) {
    const std::int64_t n = row / s.p();
    for (std::int64_t r = 0; r < s.r; ++r) {
      const std::int64_t h = rows.input(row % s.p(), r);
      for (std::int64_t t = 0; h >= 0 && t < s.s; ++t) {
        const double* filters = by_filter + (r * s.s + t) * cg * s.k;
        for (std::int64_t q = 0; q < s.q(); ++q) {
          const std::int64_t w = columns.input(q, t);
          if (w < 0) continue;
          const double* pixel = x + ((n * s.h + h) * s.w + w) * s.c;
          double* sums = y + (row * s.q() + q) * s.k;
          for (std::int64_t c = 0; c < cg; ++c) {
            const double* filter = filters + c * s.k;
            if (s.groups == 1) {
              const double value = pixel[c];
              for (std::int64_t k = 0; k < s.k; ++k) sums[k] += value * filter[k];
            } else {
              for (std::int64_t k = 0; k < s.k; ++k) sums[k] += pixel[k / kg * cg + c] * filter[k];
            }
          }
        }
      }
    }
  });
}

// dx[n,h,w,c] = sum over r,s,k of dy[n,p,q,k] w[k,r,s,c]
void backward_data(ThreadPool& pool, const Conv2dShape& s, const double* dy, const double* w,
                   double* dx) {
  const Taps rows = rows_of(s), columns = columns_of(s);
  const std::int64_t cg = s.c_per_group(), kg = s.k_per_group();
  pool.run(s.n * s.h, [&](std::int64_t row) {
    const std::int64_t n = row / s.h;
    for (std::int64_t r = 0; r < s.r; ++r) {
      const std::int64_t p = rows.output(row % s.h, r);
      for (std::int64_t t = 0; p >= 0 && t < s.s; ++t) {
        for (std::int64_t column = 0; column < s.w; ++column) {
          const std::int64_t q = columns.output(column, t);
          if (q < 0) continue;
          const double* gradient = dy + ((n * s.p() + p) * s.q() + q) * s.k;
          double* sums = dx + (row * s.w + column) * s.c;
          for (std::int64_t k = 0; k < s.k; ++k) {
            const double* filter = w + ((k * s.r + r) * s.s + t) * cg;
            double* group = sums + k / kg * cg;
            for (std::int64_t c = 0; c < cg; ++c) group[c] += gradient[k] * filter[c];
          }
        }
      }
    }
  });
}

// dw[k,r,s,c] = sum over n,p,q of dy[n,p,q,k] x[n,h,w,c]
void backward_weights(ThreadPool& pool, const Conv2dShape& s, const double* x, const double* dy,
                      double* dw) {
  const Taps rows = rows_of(s), columns = columns_of(s);
  const std::int64_t cg = s.c_per_group(), kg = s.k_per_group();
  constexpr std::int64_t kFilters = 16;  // whose sums stay in the caches
  const std::int64_t blocks = (s.k + kFilters - 1) / kFilters;
  pool.run(blocks * s.r * s.s, [&](std::int64_t task) {
    const std::int64_t first = task % blocks * kFilters, tap = task / blocks;
    const std::int64_t last = std::min(first + kFilters, s.k);
    for (std::int64_t row = 0; row < s.n * s.p(); ++row) {
      const std::int64_t h = rows.input(row % s.p(), tap / s.s);
      for (std::int64_t q = 0; h >= 0 && q < s.q(); ++q) {
        const std::int64_t w = columns.input(q, tap % s.s);
        if (w < 0) continue;
        const double* pixel = x + ((row / s.p() * s.h + h) * s.w + w) * s.c;
        const double* gradient = dy + (row * s.q() + q) * s.k;
        for (std::int64_t k = first; k < last; ++k) {
          const double* group = pixel + k / kg * cg;
          double* sums = dw + (k * s.r * s.s + tap) * cg;
          for (std::int64_t c = 0; c < cg; ++c) sums[c] += gradient[k] * group[c];
        }
      }
    }
  });
}

}  // namespace

std::int64_t result_count(Conv2dPass pass, const Conv2dShape& s) {
  switch (pass) {
    case Conv2dPass::Forward:
      return s.output_shape().numel();
    case Conv2dPass::BackwardData:
      return s.input_shape().numel();
    case Conv2dPass::BackwardWeights:
      break;
  }
  return s.weight_shape().numel();
}

std::vector<double> exact_conv2d(ThreadPool& pool, Conv2dPass pass, const Conv2dShape& s,
                                 const Conv2dFactors& factors, OperandsAre operands) {
  const bool reads_input = pass != Conv2dPass::BackwardData;
  const bool reads_weights = pass != Conv2dPass::BackwardWeights;
  const std::int64_t first = (reads_input ? s.input_shape() : s.output_shape()).numel();
  const std::int64_t second = (reads_weights ? s.weight_shape() : s.output_shape()).numel();
  const std::vector<double> a = widened(factors.first, first, operands);
  const std::vector<double> b = widened(factors.second, second, operands);
  std::vector<double> out(static_cast<std::size_t>(result_count(pass, s)));
  switch (pass) {
    case Conv2dPass::Forward:
      forward(pool, s, a.data(), filters_last(b, s).data(), out.data());
      break;
    case Conv2dPass::BackwardData:
      backward_data(pool, s, a.data(), b.data(), out.data());
      break;
    case Conv2dPass::BackwardWeights:
      backward_weights(pool, s, a.data(), b.data(), out.data());
      break;
  }
  return out;
}

}  // namespace hanok::bench
