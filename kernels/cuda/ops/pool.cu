// Both directions of pooling are one pattern: each pixel of the result gathers from a list of
// pixels of the operand, in the same way for all channels. Windows are products of a row and a
// column range, so the lists are given by two axes. Backward gathers too, from the windows that
// cover a pixel: no thread writes another's element, there are no atomics, and the order of
// additions is fixed.
//
//   block   x: packets of channels, y: pixels of the result (columns.h)
//
// Memory-bound: the taps of adjacent pixels come from the caches, so a pass moves about operand +
// result (+ 1 byte per output for indices).
#include "hanok/kernels/cuda/ops/columns.h"
#include "hanok/kernels/cuda/ops/packet.h"
#include "hanok/kernels/cuda/ops/sizes.h"
#include "hanok/kernels/primitives/pool.h"

namespace hanok::cuda {
namespace {

/// The operand positions that contribute to a result's position.
enum class Links { Window, WindowBackward, Adaptive, AdaptiveBackward };

struct Axis {
  int results = 0, operands = 0;
  int kernel = 0, stride = 1, pad = 0, dilation = 1;
  bool count_pad = true;  // averages divide by the taps in the padding, too
};

__device__ int divide_up_int(int a, int b) { return (a + b - 1) / b; }

/// Taps of the window starting at `start` that are within [0, size).
__device__ int taps_inside(int start, int kernel, int dilation, int size) {
  int first = start < 0 ? divide_up_int(-start, dilation) : 0;
  int last = start < size ? divide_up_int(size - start, dilation) : 0;  // exclusive
  first = first < kernel ? first : kernel;
  last = last < kernel ? last : kernel;
  return last > first ? last - first : 0;
}

/// What an average over the window starting at `start` divides by. With count_pad these are the
/// taps within [-pad, size + pad), beyond which a last window may reach (PoolSize::Ceil).
__device__ int window_count(const Axis& a, int start, int size) {
  if (!a.count_pad) return taps_inside(start, a.kernel, a.dilation, size);
  const int left = size + a.pad - start;
  return left < a.kernel ? left : a.kernel;
}

/// Start and end of window `i` of `windows` adaptive ones over `size` pixels.
__device__ int adaptive_begin(int i, int size, int windows) {
  return static_cast<int>(static_cast<std::int64_t>(i) * size / windows);
}
__device__ int adaptive_end(int i, int size, int windows) {
  return static_cast<int>((static_cast<std::int64_t>(i + 1) * size + windows - 1) / windows);
}

/// Calls visit(operand position, tap number, divisor of the window's average) for all operand
/// positions of `result`, in order.
template <Links kLinks, typename Visit>
__device__ void for_links(const Axis& a, int result, const Visit& visit) {
  if constexpr (kLinks == Links::Window) {
    const int start = result * a.stride - a.pad;
    const int count = window_count(a, start, a.operands);
    for (int tap = 0; tap < a.kernel; ++tap) {
      const int operand = start + tap * a.dilation;
      if (operand >= 0 && operand < a.operands) visit(operand, tap, count);
    }
  } else if constexpr (kLinks == Links::WindowBackward) {
    for (int tap = a.kernel - 1; tap >= 0; --tap) {
      const int start = result + a.pad - tap * a.dilation;  // operand * stride
      if (start < 0 || start % a.stride != 0) continue;
      const int operand = start / a.stride;
      if (operand >= a.operands) continue;
      visit(operand, tap, window_count(a, start - a.pad, a.results));
    }
  } else if constexpr (kLinks == Links::Adaptive) {
    const int begin = adaptive_begin(result, a.operands, a.results);
    const int end = adaptive_end(result, a.operands, a.results);
    for (int operand = begin; operand < end; ++operand)
      visit(operand, operand - begin, end - begin);
  } else {
    // begin(i) <= result < end(i) is solved by the same formula with the sizes exchanged.
    const int first = adaptive_begin(result, a.operands, a.results);
    const int last = adaptive_end(result, a.operands, a.results);
    for (int operand = first; operand < last; ++operand) {
      const int begin = adaptive_begin(operand, a.results, a.operands);
      visit(operand, result - begin, adaptive_end(operand, a.results, a.operands) - begin);
    }
  }
}

struct Pixels {
  Axis rows, columns;
  ColumnTiles tiles;
};

/// Calls one(result offset, row, column, offset of the operand's image) for a thread's pixels.
template <int kWidth, typename One>
__device__ void for_pixels(const Pixels& p, const One& one) {
  const ColumnPlace place = column_place(p.tiles);
  if (!place.inside) return;
  const std::int64_t channels = p.tiles.packets * kWidth;
  for (std::int64_t pixel = place.row; pixel < place.row_end; pixel += blockDim.y) {
    const Split line = split(pixel, p.columns.results);
    const Split image = split(line.quotient, p.rows.results);
    const std::int64_t operand_image =
        image.quotient * p.rows.operands * p.columns.operands * channels + place.packet * kWidth;
    one(pixel * channels + place.packet * kWidth, image.remainder, line.remainder, operand_image);
  }
}

template <int kWidth>
struct alignas(kWidth) Bytes {
  std::uint8_t values[kWidth];
};

template <typename T, int kWidth>
__global__ void max_pool_kernel(Pixels p, const T* x, T* y, std::uint8_t* indices) {
  const std::int64_t channels = p.tiles.packets * kWidth;
  for_pixels<kWidth>(p, [&](std::int64_t at, int row, int column, std::int64_t image) {
    float best[kWidth];
    Bytes<kWidth> index = {};
    // All dilated taps may be in the padding, which counts as minus infinity.
    for (int i = 0; i < kWidth; ++i) best[i] = -INFINITY;
    bool first = true;
    for_links<Links::Window>(p.rows, row, [&](int h, int r, int) {
      for_links<Links::Window>(p.columns, column, [&](int w, int s, int) {
        const std::int64_t pixel = static_cast<std::int64_t>(h) * p.columns.operands + w;
        const auto number = static_cast<std::uint8_t>(r * p.columns.kernel + s);
        float values[kWidth];
        load<kWidth>(x + image + pixel * channels, values);
        for (int i = 0; i < kWidth; ++i) {
          // NaN propagates.
          if (first || values[i] > best[i] || isnan(values[i])) {
            best[i] = values[i];
            index.values[i] = number;
          }
        }
        first = false;
      });
    });
    store<kWidth>(best, y + at);
    if (indices) *reinterpret_cast<Bytes<kWidth>*>(indices + at) = index;
  });
}

template <typename T, int kWidth>
__global__ void max_pool_backward_kernel(Pixels p, const T* dy, const std::uint8_t* indices,
                                         T* dx) {
  const std::int64_t channels = p.tiles.packets * kWidth;
  for_pixels<kWidth>(p, [&](std::int64_t at, int row, int column, std::int64_t image) {
    float sum[kWidth] = {};
    for_links<Links::WindowBackward>(p.rows, row, [&](int h, int r, int) {
      for_links<Links::WindowBackward>(p.columns, column, [&](int w, int s, int) {
        const std::int64_t pixel = static_cast<std::int64_t>(h) * p.columns.operands + w;
        const auto number = static_cast<std::uint8_t>(r * p.columns.kernel + s);
        const std::int64_t from = image + pixel * channels;
        float values[kWidth];
        load<kWidth>(dy + from, values);
        const auto index = *reinterpret_cast<const Bytes<kWidth>*>(indices + from);
        for (int i = 0; i < kWidth; ++i) {
          if (index.values[i] == number) sum[i] += values[i];
        }
      });
    });
    store<kWidth>(sum, dx + at);
  });
}

/// result = averages over windows, or their gradient. Each row of a window is summed separately,
/// which reduces rounding errors.
template <typename T, int kWidth, Links kLinks>
__global__ void average_pool_kernel(Pixels p, const T* operand, T* result) {
  const std::int64_t channels = p.tiles.packets * kWidth;
  for_pixels<kWidth>(p, [&](std::int64_t at, int row, int column, std::int64_t image) {
    float sum[kWidth] = {};
    for_links<kLinks>(p.rows, row, [&](int h, int, int row_count) {
      float row_sum[kWidth] = {};
      for_links<kLinks>(p.columns, column, [&](int w, int, int column_count) {
        const std::int64_t pixel = static_cast<std::int64_t>(h) * p.columns.operands + w;
        const float weight =
            1.0F / static_cast<float>(static_cast<std::int64_t>(row_count) * column_count);
        float values[kWidth];
        load<kWidth>(operand + image + pixel * channels, values);
        for (int i = 0; i < kWidth; ++i) row_sum[i] += weight * values[i];
      });
      for (int i = 0; i < kWidth; ++i) sum[i] += row_sum[i];
    });
    store<kWidth>(sum, result + at);
  });
}

// ---- axes and launches ----

Axis row_axis(const char* op, const Pool2dShape& s) {
  const Window2d& w = s.window;
  return {axis_size(op, s.p()),      axis_size(op, s.h),     axis_size(op, s.r),
          axis_size(op, w.stride_h), axis_size(op, w.pad_h), axis_size(op, w.dilation_h),
          s.count_include_pad};
}

Axis column_axis(const char* op, const Pool2dShape& s) {
  const Window2d& w = s.window;
  return {axis_size(op, s.q()),      axis_size(op, s.w),     axis_size(op, s.s),
          axis_size(op, w.stride_w), axis_size(op, w.pad_w), axis_size(op, w.dilation_w),
          s.count_include_pad};
}

Axis adaptive_axis(const char* op, std::int64_t results, std::int64_t operands) {
  Axis axis;
  axis.results = axis_size(op, results);
  axis.operands = axis_size(op, operands);
  return axis;
}

/// The same windows from the input's side.
Axis backward(Axis axis) {
  const int results = axis.results;
  axis.results = axis.operands;
  axis.operands = results;
  return axis;
}

/// The threads of a result [images, rows.results, columns.results, packets].
Pixels pixels_of(const Axis& rows, const Axis& columns, std::int64_t images, std::int64_t packets) {
  Pixels p;
  p.rows = rows;
  p.columns = columns;
  p.tiles = column_tiles(images * rows.results * columns.results, packets, 2, 0);
  return p;
}

template <Links kLinks>
void average(ExecContext& ctx, const char* op, const Axis& rows, const Axis& columns,
             ConstView operand, View result) {
  check_dtype(op, "the result", result, operand.dtype);
  if (result.numel() == 0) return;
  const std::int64_t images = result.shape[0];
  const std::int64_t channels = result.shape[1];
  with_storage(op, operand.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const auto launch_packed = [&](auto kernel, int width) {
      const Pixels p = pixels_of(rows, columns, images, channels / width);
      launch(kernel, p.tiles.grid, p.tiles.block, 0, stream_of(ctx), p, operand.as<T>(),
             result.as<T>());
    };
    if (packets_fit<T>(channels, operand.as<T>(), result.as<T>())) {
      launch_packed(average_pool_kernel<T, kPackOf<T>, kLinks>, kPackOf<T>);
    } else {
      launch_packed(average_pool_kernel<T, 1, kLinks>, 1);
    }
  });
}

}  // namespace

void run(ExecContext& ctx, const MaxPool2d& op) {
  const Pool2dShape& shape = op.shape;
  const char* name = MaxPool2d::kName;
  check_dtype(name, "y", op.y, op.x.dtype);
  check_dtype(name, "indices", op.indices, DType::U8);
  if (op.y.numel() == 0) return;
  with_storage(name, op.x.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const auto launch_packed = [&](auto kernel, int width) {
      const Pixels p =
          pixels_of(row_axis(name, shape), column_axis(name, shape), shape.n, shape.c / width);
      launch(kernel, p.tiles.grid, p.tiles.block, 0, stream_of(ctx), p, op.x.as<T>(), op.y.as<T>(),
             op.indices.as<std::uint8_t>());
    };
    if (packets_fit<T>(shape.c, op.x.as<T>(), op.y.as<T>(), op.indices.as<std::uint8_t>())) {
      launch_packed(max_pool_kernel<T, kPackOf<T>>, kPackOf<T>);
    } else {
      launch_packed(max_pool_kernel<T, 1>, 1);
    }
  });
}

void run(ExecContext& ctx, const MaxPool2dBackward& op) {
  const Pool2dShape& shape = op.shape;
  const char* name = MaxPool2dBackward::kName;
  check_dtype(name, "dx", op.dx, op.dy.dtype);
  check_dtype(name, "indices", op.indices, DType::U8);
  if (op.dx.numel() == 0) return;
  with_storage(name, op.dy.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const auto launch_packed = [&](auto kernel, int width) {
      const Pixels p = pixels_of(backward(row_axis(name, shape)),
                                 backward(column_axis(name, shape)), shape.n, shape.c / width);
      launch(kernel, p.tiles.grid, p.tiles.block, 0, stream_of(ctx), p, op.dy.as<T>(),
             op.indices.as<std::uint8_t>(), op.dx.as<T>());
    };
    if (packets_fit<T>(shape.c, op.dy.as<T>(), op.indices.as<std::uint8_t>(), op.dx.as<T>())) {
      launch_packed(max_pool_backward_kernel<T, kPackOf<T>>, kPackOf<T>);
    } else {
      launch_packed(max_pool_backward_kernel<T, 1>, 1);
    }
  });
}

void run(ExecContext& ctx, const AvgPool2d& op) {
  const char* name = AvgPool2d::kName;
  average<Links::Window>(ctx, name, row_axis(name, op.shape), column_axis(name, op.shape), op.x,
                         op.y);
}

void run(ExecContext& ctx, const AvgPool2dBackward& op) {
  const char* name = AvgPool2dBackward::kName;
  average<Links::WindowBackward>(ctx, name, backward(row_axis(name, op.shape)),
                                 backward(column_axis(name, op.shape)), op.dy, op.dx);
}

void run(ExecContext& ctx, const AdaptiveAvgPool2d& op) {
  const char* name = AdaptiveAvgPool2d::kName;
  average<Links::Adaptive>(ctx, name, adaptive_axis(name, op.y.shape[2], op.x.shape[2]),
                           adaptive_axis(name, op.y.shape[3], op.x.shape[3]), op.x, op.y);
}

void run(ExecContext& ctx, const AdaptiveAvgPool2dBackward& op) {
  const char* name = AdaptiveAvgPool2dBackward::kName;
  average<Links::AdaptiveBackward>(ctx, name, adaptive_axis(name, op.dx.shape[2], op.dy.shape[2]),
                                   adaptive_axis(name, op.dx.shape[3], op.dy.shape[3]), op.dy,
                                   op.dx);
}

}  // namespace hanok::cuda
