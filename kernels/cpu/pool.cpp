// Pooling in both directions is one pattern: for each pixel of the result, list the pixels of the
// operand that it depends on, then run over all channels. Backward gathers from the windows that
// cover an input pixel rather than scattering into it, so tasks never write the same element.
#include "kernels/cpu/pool.h"

#include <algorithm>
#include <vector>

#include "kernels/cpu/isa/pool.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGrain = 16384;  // floats of the result a task, about

const PoolKernels& kernels(Isa isa) { return isa == Isa::Avx2 ? avx2::pool : portable::pool; }

struct Range {  // [begin, end)
  std::int64_t begin, end;
};

/// One dimension of a pooling window.
struct Axis {
  std::int64_t input, kernel, stride, pad, dilation, output;

  std::int64_t position(std::int64_t out, std::int64_t tap) const {
    return out * stride - pad + tap * dilation;
  }
  /// Taps of output `out` that lie within the input.
  Range taps_of(std::int64_t out) const {
    const std::int64_t first = position(out, 0);
    const std::int64_t begin = first < 0 ? (-first + dilation - 1) / dilation : 0;
    const std::int64_t end = (input - first + dilation - 1) / dilation;
    return {std::min(begin, kernel), std::clamp<std::int64_t>(end, 0, kernel)};
  }
  /// Output whose tap `tap` is the input position `at`, or -1.
  std::int64_t output_of(std::int64_t at, std::int64_t tap) const {
    const std::int64_t shifted = at + pad - tap * dilation;
    return shifted >= 0 && shifted % stride == 0 && shifted / stride < output ? shifted / stride
                                                                              : -1;
  }
  /// Positions of the window including the padding, but not beyond it (PyTorch's divisor).
  std::int64_t padded_size(std::int64_t out) const {
    const std::int64_t begin = position(out, 0);
    return std::min(begin + kernel, input + pad) - begin;
  }
};

Axis rows_of(const Pool2dShape& s) {
  return {s.h, s.r, s.window.stride_h, s.window.pad_h, s.window.dilation_h, s.p()};
}
Axis columns_of(const Pool2dShape& s) {
  return {s.w, s.s, s.window.stride_w, s.window.pad_w, s.window.dilation_w, s.q()};
}

/// Calls pixel(image, row, column, taps) for all pixels of a result [images, rows, columns,
/// channels]; `taps` is scratch that keeps its memory from pixel to pixel.
template <typename Pixel>
void for_pixels(ExecContext& ctx, std::int64_t images, std::int64_t rows, std::int64_t columns,
                std::int64_t channels, const Pixel& pixel) {
  const std::int64_t row_size = std::max<std::int64_t>(columns * channels, 1);
  const std::int64_t grain = std::max<std::int64_t>(kGrain / row_size, 1);
  ctx.pool.run_blocks(images * rows, grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<PoolTap> taps;
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) {
        taps.clear();
        pixel(row / rows, row % rows, column, taps);
      }
    }
  });
}

/// 1 / (number of pixels that an average divides by).
float average_weight(const Pool2dShape& shape, const Axis& rows, const Axis& columns,
                     std::int64_t p, std::int64_t q) {
  std::int64_t count = 0;
  if (shape.count_include_pad) {
    count = rows.padded_size(p) * columns.padded_size(q);
  } else {
    const Range r = rows.taps_of(p);
    const Range s = columns.taps_of(q);
    count = (r.end - r.begin) * (s.end - s.begin);
  }
  return 1.0F / static_cast<float>(std::max<std::int64_t>(count, 1));
}

/// Input positions of output `i` in adaptive pooling.
Range adaptive_range(std::int64_t i, std::int64_t input, std::int64_t output) {
  return {i * input / output, ((i + 1) * input + output - 1) / output};
}

/// Outputs whose range contains the input position `at`.
Range adaptive_outputs(std::int64_t at, std::int64_t input, std::int64_t output) {
  std::int64_t begin = at * output / input;
  while (begin > 0 && adaptive_range(begin - 1, input, output).end > at) {
    --begin;
  }
  std::int64_t end = begin;
  while (end < output && adaptive_range(end, input, output).begin <= at) {
    ++end;
  }
  return {begin, end};
}

}  // namespace

void max_pool2d(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView x, View y,
                View indices) {
  const Axis rows = rows_of(shape);
  const Axis columns = columns_of(shape);
  for_pixels(ctx, shape.n, rows.output, columns.output, shape.c,
             [&](std::int64_t n, std::int64_t p, std::int64_t q, std::vector<PoolTap>& taps) {
               const Range rs = rows.taps_of(p);
               const Range ss = columns.taps_of(q);
               for (std::int64_t r = rs.begin; r < rs.end; ++r) {
                 const std::int64_t line = n * shape.h + rows.position(p, r);
                 for (std::int64_t s = ss.begin; s < ss.end; ++s) {
                   const std::int64_t at = line * shape.w + columns.position(q, s);
                   taps.push_back({x.f32() + at * shape.c, nullptr,
                                   static_cast<std::uint8_t>(r * shape.s + s), 0});
                 }
               }
               const std::int64_t out = ((n * rows.output + p) * columns.output + q) * shape.c;
               kernels(isa).max(taps.data(), static_cast<std::int64_t>(taps.size()), shape.c,
                                y.f32() + out,
                                indices.defined() ? indices.as<std::uint8_t>() + out : nullptr);
             });
}

void max_pool2d_backward(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView dy,
                         ConstView indices, View dx) {
  const Axis rows = rows_of(shape);
  const Axis columns = columns_of(shape);
  for_pixels(ctx, shape.n, shape.h, shape.w, shape.c,
             [&](std::int64_t n, std::int64_t h, std::int64_t w, std::vector<PoolTap>& taps) {
               for (std::int64_t r = 0; r < shape.r; ++r) {
                 const std::int64_t p = rows.output_of(h, r);
                 for (std::int64_t s = 0; p >= 0 && s < shape.s; ++s) {
                   const std::int64_t q = columns.output_of(w, s);
                   if (q >= 0) {
                     const std::int64_t at = ((n * rows.output + p) * columns.output + q) * shape.c;
                     taps.push_back({dy.f32() + at, indices.as<std::uint8_t>() + at,
                                     static_cast<std::uint8_t>(r * shape.s + s), 0});
                   }
                 }
               }
               const std::int64_t out = ((n * shape.h + h) * shape.w + w) * shape.c;
               kernels(isa).max_backward(taps.data(), static_cast<std::int64_t>(taps.size()),
                                         shape.c, dx.f32() + out);
             });
}

void avg_pool2d(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView x, View y) {
  const Axis rows = rows_of(shape);
  const Axis columns = columns_of(shape);
  for_pixels(ctx, shape.n, rows.output, columns.output, shape.c,
             [&](std::int64_t n, std::int64_t p, std::int64_t q, std::vector<PoolTap>& taps) {
               const float weight = average_weight(shape, rows, columns, p, q);
               const Range rs = rows.taps_of(p);
               const Range ss = columns.taps_of(q);
               for (std::int64_t r = rs.begin; r < rs.end; ++r) {
                 const std::int64_t line = n * shape.h + rows.position(p, r);
                 for (std::int64_t s = ss.begin; s < ss.end; ++s) {
                   const std::int64_t at = line * shape.w + columns.position(q, s);
                   taps.push_back({x.f32() + at * shape.c, nullptr, 0, weight});
                 }
               }
               const std::int64_t out = ((n * rows.output + p) * columns.output + q) * shape.c;
               kernels(isa).weighted_sum(taps.data(), static_cast<std::int64_t>(taps.size()),
                                         shape.c, y.f32() + out);
             });
}

void avg_pool2d_backward(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView dy,
                         View dx) {
  const Axis rows = rows_of(shape);
  const Axis columns = columns_of(shape);
  for_pixels(ctx, shape.n, shape.h, shape.w, shape.c,
             [&](std::int64_t n, std::int64_t h, std::int64_t w, std::vector<PoolTap>& taps) {
               for (std::int64_t r = 0; r < shape.r; ++r) {
                 const std::int64_t p = rows.output_of(h, r);
                 for (std::int64_t s = 0; p >= 0 && s < shape.s; ++s) {
                   const std::int64_t q = columns.output_of(w, s);
                   if (q >= 0) {
                     const std::int64_t at = (n * rows.output + p) * columns.output + q;
                     taps.push_back({dy.f32() + at * shape.c, nullptr, 0,
                                     average_weight(shape, rows, columns, p, q)});
                   }
                 }
               }
               const std::int64_t out = ((n * shape.h + h) * shape.w + w) * shape.c;
               kernels(isa).weighted_sum(taps.data(), static_cast<std::int64_t>(taps.size()),
                                         shape.c, dx.f32() + out);
             });
}

void adaptive_avg_pool2d(ExecContext& ctx, Isa isa, ConstView x, View y) {
  const std::int64_t channels = x.shape[1], height = x.shape[2], width = x.shape[3];
  const std::int64_t out_h = y.shape[2], out_w = y.shape[3];
  for_pixels(ctx, x.shape[0], out_h, out_w, channels,
             [&](std::int64_t n, std::int64_t p, std::int64_t q, std::vector<PoolTap>& taps) {
               const Range hs = adaptive_range(p, height, out_h);
               const Range ws = adaptive_range(q, width, out_w);
               const float weight =
                   1.0F / static_cast<float>((hs.end - hs.begin) * (ws.end - ws.begin));
               for (std::int64_t h = hs.begin; h < hs.end; ++h) {
                 for (std::int64_t w = ws.begin; w < ws.end; ++w) {
                   const std::int64_t at = (n * height + h) * width + w;
                   taps.push_back({x.f32() + at * channels, nullptr, 0, weight});
                 }
               }
               const std::int64_t out = ((n * out_h + p) * out_w + q) * channels;
               kernels(isa).weighted_sum(taps.data(), static_cast<std::int64_t>(taps.size()),
                                         channels, y.f32() + out);
             });
}

void adaptive_avg_pool2d_backward(ExecContext& ctx, Isa isa, ConstView dy, View dx) {
  const std::int64_t channels = dx.shape[1], height = dx.shape[2], width = dx.shape[3];
  const std::int64_t out_h = dy.shape[2], out_w = dy.shape[3];
  for_pixels(
      ctx, dx.shape[0], height, width, channels,
      [&](std::int64_t n, std::int64_t h, std::int64_t w, std::vector<PoolTap>& taps) {
        const Range ps = adaptive_outputs(h, height, out_h);
        const Range qs = adaptive_outputs(w, width, out_w);
        for (std::int64_t p = ps.begin; p < ps.end; ++p) {
          const Range hs = adaptive_range(p, height, out_h);
          for (std::int64_t q = qs.begin; q < qs.end; ++q) {
            const Range ws = adaptive_range(q, width, out_w);
            const std::int64_t at = (n * out_h + p) * out_w + q;
            taps.push_back({dy.f32() + at * channels, nullptr, 0,
                            1.0F / static_cast<float>((hs.end - hs.begin) * (ws.end - ws.begin))});
          }
        }
        const std::int64_t out = ((n * height + h) * width + w) * channels;
        kernels(isa).weighted_sum(taps.data(), static_cast<std::int64_t>(taps.size()), channels,
                                  dx.f32() + out);
      });
}

}  // namespace hanok::cpu
