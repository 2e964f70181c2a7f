// Convolutions whose groups have few channels (depthwise: one each). A tile of a matrix product
// would be nearly empty, so each thread computes one output from the definition:
//
//   y[n,p,q,k]  = sum_{r,s,c} x[n,h(p,r),w(q,s),c] w[k,r,s,c]
//   dx[n,h,w,c] = sum_{r,s,k} dy[n,p,q,k] w[k,r,s,c]        over taps (r,s) that map (h,w) to (p,q)
//   dw[k,r,s,c] = sum_{n,p,q} dy[n,p,q,k] x[n,h(p,r),w(q,s),c]
//
// Adjacent threads have adjacent channels (columns.h), so accesses are coalesced; taps are reread
// from the caches. Memory-bound: 2 * R*S FLOP per 8 bytes. dw is summed by blocks over fixed pieces
// of the pixels, whose partial sums are added in order.
#include "hanok/kernels/cuda/ops/columns.h"
#include "hanok/kernels/cuda/conv/conv2d_implicit_gemm.h"

namespace hanok::cuda {
namespace {

struct DirectSizes {
  int h, w, c, p, q, k, r, s;
  int c_per_group, k_per_group;
  int stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
};

DirectSizes sizes_of(const Conv2dShape& s) {
  const auto size = [](std::int64_t value) { return axis_size("conv2d", value); };
  const Window2d& w = s.window;
  return {size(s.h),
          size(s.w),
          size(s.c),
          size(s.p()),
          size(s.q()),
          size(s.k),
          size(s.r),
          size(s.s),
          size(s.c_per_group()),
          size(s.k_per_group()),
          size(w.stride_h),
          size(w.stride_w),
          size(w.pad_h),
          size(w.pad_w),
          size(w.dilation_h),
          size(w.dilation_w)};
}

/// A pixel of a batch of images of height x width.
struct Pixel {
  std::int64_t n;
  int h, w;
};
__device__ Pixel pixel_of(std::int64_t index, int height, int width) {
  const Split row = split(index, width);
  const Split image = split(row.quotient, height);
  return {image.quotient, image.remainder, row.remainder};
}

template <typename T>
__global__ void conv2d_direct_forward_kernel(DirectSizes s, ColumnTiles tiles, const T* x,
                                             const T* w, MatrixResult<T> result) {
  const ColumnPlace place = column_place(tiles);
  if (!place.inside) return;
  const auto k = static_cast<int>(place.packet);
  const int first_c = k / s.k_per_group * s.c_per_group;
  const T* filter = w + static_cast<std::int64_t>(k) * s.r * s.s * s.c_per_group;
  for (std::int64_t row = place.row; row < place.row_end; row += blockDim.y) {
    const Pixel at = pixel_of(row, s.p, s.q);
    float sum = 0;
    for (int r = 0; r < s.r; ++r) {
      const int h = at.h * s.stride_h - s.pad_h + r * s.dilation_h;
      if (h < 0 || h >= s.h) continue;
      for (int t = 0; t < s.s; ++t) {
        const int v = at.w * s.stride_w - s.pad_w + t * s.dilation_w;
        if (v < 0 || v >= s.w) continue;
        const T* pixel = x + ((at.n * s.h + h) * s.w + v) * s.c + first_c;
        const T* tap = filter + (r * s.s + t) * s.c_per_group;
        for (int c = 0; c < s.c_per_group; ++c) sum += to_float(pixel[c]) * to_float(tap[c]);
      }
    }
    result.store_one(row * s.k + k, k, sum);
  }
}

template <typename T>
__global__ void conv2d_direct_backward_data_kernel(DirectSizes s, ColumnTiles tiles, const T* dy,
                                                   const T* w, T* dx) {
  const ColumnPlace place = column_place(tiles);
  if (!place.inside) return;
  const auto c = static_cast<int>(place.packet);
  const int first_k = c / s.c_per_group * s.k_per_group;
  const std::int64_t filter_size = static_cast<std::int64_t>(s.r) * s.s * s.c_per_group;
  const T* filter = w + first_k * filter_size + c % s.c_per_group;
  for (std::int64_t row = place.row; row < place.row_end; row += blockDim.y) {
    const Pixel at = pixel_of(row, s.h, s.w);
    float sum = 0;
    for (int r = 0; r < s.r; ++r) {
      const int h = at.h + s.pad_h - r * s.dilation_h;
      if (h < 0 || h % s.stride_h != 0 || h / s.stride_h >= s.p) continue;
      for (int t = 0; t < s.s; ++t) {
        const int v = at.w + s.pad_w - t * s.dilation_w;
        if (v < 0 || v % s.stride_w != 0 || v / s.stride_w >= s.q) continue;
        const T* pixel =
            dy + ((at.n * s.p + h / s.stride_h) * s.q + v / s.stride_w) * s.k + first_k;
        const T* tap = filter + (r * s.s + t) * s.c_per_group;
        for (int k = 0; k < s.k_per_group; ++k) {
          sum += to_float(pixel[k]) * to_float(tap[k * filter_size]);
        }
      }
    }
    dx[row * s.c + c] = from_float<T>(sum);
  }
}

/// A block computes up to 32 filters k for one (r,s,c) and one piece of the pixels.
/// partial [pieces, K, R*S*C].
template <typename T>
__global__ void conv2d_direct_backward_weights_kernel(DirectSizes s, ColumnTiles tiles, const T* x,
                                                      const T* dy, float* partial) {
  __shared__ double shared[kColumnThreads];
  const int weights = s.r * s.s * s.c_per_group;  // per filter
  const int weight = static_cast<int>(blockIdx.x % weights);
  const ColumnPlace place = column_place(tiles, blockIdx.x / weights);
  const int tap = weight / s.c_per_group;
  const int offset_h = tap / s.s * s.dilation_h - s.pad_h;
  const int offset_w = tap % s.s * s.dilation_w - s.pad_w;
  const auto k = static_cast<int>(place.packet);
  double sums[1] = {};
  if (place.inside) {
    const int c = k / s.k_per_group * s.c_per_group + weight % s.c_per_group;
    for (std::int64_t row = place.row; row < place.row_end; row += blockDim.y) {
      const Pixel at = pixel_of(row, s.p, s.q);
      const int h = at.h * s.stride_h + offset_h;
      const int v = at.w * s.stride_w + offset_w;
      if (h < 0 || h >= s.h || v < 0 || v >= s.w) continue;
      sums[0] += static_cast<double>(to_float(dy[row * s.k + k]) *
                                     to_float(x[((at.n * s.h + h) * s.w + v) * s.c + c]));
    }
  }
  sum_block_rows(sums, shared);
  if (threadIdx.y == 0 && place.inside) {
    partial[(place.row_block * s.k + k) * weights + weight] = static_cast<float>(sums[0]);
  }
}

ColumnTiles piece_tiles(const Conv2dShape& s) {
  return column_tiles(s.n * s.p() * s.q(), s.k, 16, 256);
}

}  // namespace

namespace direct_conv2d {

void forward(ExecContext& ctx, const Conv2dShape& s, ConstView x, ConstView w,
             const Epilogue& epilogue, View y) {
  const std::int64_t pixels = s.n * s.p() * s.q();
  const ColumnTiles tiles = column_tiles(pixels, s.k, 2, 0);
  with_storage("conv2d_forward", x.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    launch(conv2d_direct_forward_kernel<T>, tiles.grid, tiles.block, 0, stream_of(ctx), sizes_of(s),
           tiles, x.as<T>(), w.as<T>(), result_of<T>(epilogue, y, pixels, s.k, s.k));
  });
}

void backward_data(ExecContext& ctx, const Conv2dShape& s, ConstView dy, ConstView w, View dx) {
  const ColumnTiles tiles = column_tiles(s.n * s.h * s.w, s.c, 2, 0);
  with_storage("conv2d_backward_data", dy.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    launch(conv2d_direct_backward_data_kernel<T>, tiles.grid, tiles.block, 0, stream_of(ctx),
           sizes_of(s), tiles, dy.as<T>(), w.as<T>(), dx.as<T>());
  });
}

std::size_t backward_weights_bytes(const Conv2dShape& s) {
  const std::int64_t weights = s.k * s.c_per_group() * s.r * s.s;
  return static_cast<std::size_t>(piece_tiles(s).row_blocks * weights) * sizeof(float) + 64;
}

void backward_weights(ExecContext& ctx, const Conv2dShape& s, ConstView x, ConstView dy, View dw) {
  const ColumnTiles tiles = piece_tiles(s);
  const std::int64_t weights = s.c_per_group() * s.r * s.s;
  Workspace::Scope scope(ctx.workspace);
  auto* partial = scope.take_array<float>(tiles.row_blocks * s.k * weights);
  if (tiles.row_blocks > 0) {
    with_storage("conv2d_backward_weights", x.dtype, [&](auto storage) {
      using T = typename decltype(storage)::type;
      launch(conv2d_direct_backward_weights_kernel<T>,
             dim3(static_cast<unsigned>(tiles.grid.x * weights)), tiles.block, 0, stream_of(ctx),
             sizes_of(s), tiles, x.as<T>(), dy.as<T>(), partial);
    });
  }
  sum_pieces(ctx, partial, tiles.row_blocks, s.k * weights, dw.f32());
}

}  // namespace direct_conv2d

}  // namespace hanok::cuda
