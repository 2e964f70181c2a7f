// The sweeps of columns.h. All are memory-bound: affine moves 8 bytes per element (12 with a
// residual), moments read 4, sums read 4 to 12. Statistics are summed in f32 over 4 rows and then
// in double: few enough double additions to remain memory-bound even where double runs at 1/64
// rate.
//
// Moments are sums of d = x - pivot and d^2, where pivot is the block's first row: they stay
// accurate for a large mean, and are combined by Chan's formula (Chan, Golub, LeVeque: "Updating
// formulae and a pairwise algorithm for computing sample variances", 1979).
#include <type_traits>

#include "hanok/kernels/cuda/ops/columns.h"
#include "hanok/kernels/cuda/ops/packet.h"

namespace hanok::cuda {
namespace {

constexpr std::int64_t kMostBlocks = 2048;  // 15 per multiprocessor of a large GPU
constexpr int kGroup = 4;  // rows per f32 sum
constexpr std::int64_t kRowTurns = 16;  // minimum rows per thread

// ---- y = activation((x - center) * scale + shift + residual) ----

template <typename T>
struct AffinePointers {
  const T* x;
  const float *center, *scale_a, *scale_b, *shift;
  const T* residual;
  T* y;  // may be x: a thread reads an element before it writes it
  bool relu;
};

template <typename T, int kWidth>
__global__ void affine_columns_kernel(AffinePointers<T> p, ColumnTiles tiles) {
  const ColumnPlace place = column_place(tiles);
  if (!place.inside) return;
  const std::int64_t c = place.packet * kWidth;
  float center[kWidth];
  float scale[kWidth];
  float shift[kWidth];
  for (int i = 0; i < kWidth; ++i) {
    center[i] = p.center ? p.center[c + i] : 0.0F;
    scale[i] = (p.scale_a ? p.scale_a[c + i] : 1.0F) * (p.scale_b ? p.scale_b[c + i] : 1.0F);
    shift[i] = p.shift ? p.shift[c + i] : 0.0F;
  }
  for (std::int64_t row = place.row; row < place.row_end; row += blockDim.y) {
    const std::int64_t at = (row * tiles.packets + place.packet) * kWidth;
    float values[kWidth];
    float residual[kWidth] = {};
    load<kWidth>(p.x + at, values);
    if (p.residual) load<kWidth>(p.residual + at, residual);
    for (int i = 0; i < kWidth; ++i) {
      const float value = (values[i] - center[i]) * scale[i] + shift[i] + residual[i];
      values[i] = p.relu && value <= 0.0F ? 0.0F : value;
    }
    store<kWidth>(values, p.y + at);
  }
}

// ---- mean and variance ----

/// partial: double [row blocks, 2, channels], mean and sum of squared deviations of each block.
template <typename T, int kWidth>
__global__ void column_moments_kernel(const T* x, RowLayout layout, ColumnTiles tiles,
                                      double* partial) {
  __shared__ double shared[2 * kWidth * kColumnThreads];
  const ColumnPlace place = column_place(tiles);
  const auto row_of = [&](std::int64_t row) {
    const std::int64_t batch = layout.batch > 1 ? row / layout.rows : 0;
    return x + batch * layout.batch_stride + (row - batch * layout.rows) * layout.row_stride +
           place.packet * kWidth;
  };
  float pivot[kWidth] = {};
  double sums[2 * kWidth] = {};
  if (place.inside) {
    load<kWidth>(row_of(place.row_block * tiles.rows_per_block), pivot);
    std::int64_t row = place.row;
    while (row < place.row_end) {
      float sum[kWidth] = {};
      float squares[kWidth] = {};
      for (int turn = 0; turn < kGroup && row < place.row_end; ++turn, row += blockDim.y) {
        float values[kWidth];
        load<kWidth>(row_of(row), values);
        for (int i = 0; i < kWidth; ++i) {
          const float d = values[i] - pivot[i];
          sum[i] += d;
          squares[i] += d * d;
        }
      }
      for (int i = 0; i < kWidth; ++i) {
        sums[i] += static_cast<double>(sum[i]);
        sums[kWidth + i] += static_cast<double>(squares[i]);
      }
    }
  }
  sum_block_rows(sums, shared);
  if (threadIdx.y != 0 || !place.inside) return;
  const std::int64_t channels = tiles.packets * kWidth;
  const auto rows = static_cast<double>(place.row_end - place.row_block * tiles.rows_per_block);
  double* mean = partial + 2 * place.row_block * channels + place.packet * kWidth;
  for (int i = 0; i < kWidth; ++i) {
    const double shift = sums[i] / rows;
    mean[i] = static_cast<double>(pivot[i]) + shift;
    mean[channels + i] = sums[kWidth + i] - shift * sums[i];
  }
}

struct Moments {
  double count = 0, mean = 0, deviations = 0;
};

__device__ void add_moments(Moments& to, const Moments& next) {
  if (next.count == 0) return;
  const double weight = next.count / (to.count + next.count);
  const double delta = next.mean - to.mean;
  to.mean += delta * weight;
  to.deviations += next.deviations + delta * delta * (to.count * weight);
  to.count += next.count;
}

/// Lane y of a channel combines every kCombineLanes-th block; lane 0 combines the lanes. mean_var
/// [2,C].
__global__ void combine_column_moments_kernel(const double* partial, std::int64_t blocks,
                                              std::int64_t rows_per_block, std::int64_t rows,
                                              std::int64_t channels, float* mean_var) {
  __shared__ double shared[3][kCombineLanes][kCombineChannels];
  const std::int64_t c = blockIdx.x * std::int64_t{kCombineChannels} + threadIdx.x;
  Moments total;
  if (c < channels) {
    for (std::int64_t block = threadIdx.y; block < blocks; block += kCombineLanes) {
      const std::int64_t left = rows - block * rows_per_block;
      const double* next = partial + 2 * block * channels + c;
      add_moments(total, {static_cast<double>(left < rows_per_block ? left : rows_per_block),
                          next[0], next[channels]});
    }
  }
  shared[0][threadIdx.y][threadIdx.x] = total.count;
  shared[1][threadIdx.y][threadIdx.x] = total.mean;
  shared[2][threadIdx.y][threadIdx.x] = total.deviations;
  __syncthreads();
  if (threadIdx.y != 0 || c >= channels) return;
  for (int lane = 1; lane < kCombineLanes; ++lane) {
    add_moments(total, {shared[0][lane][threadIdx.x], shared[1][lane][threadIdx.x],
                        shared[2][lane][threadIdx.x]});
  }
  mean_var[c] = static_cast<float>(total.mean);
  mean_var[channels + c] =
      static_cast<float>(total.count > 0 ? total.deviations / total.count : 0.0);
}

// ---- sums of g and of g * (x - mean) ----

/// A thread with one channel (odd channel counts) is limited by its narrow loads, so it sums in
/// double throughout.
template <typename T, int kWidth>
__global__ void column_sums_kernel(const T* dy, const T* y, const T* x, const float* mean,
                                   GateFromX gate_from_x, ColumnTiles tiles, double* partial) {
  using Group = std::conditional_t<kWidth == 1, double, float>;
  __shared__ double shared[2 * kWidth * kColumnThreads];
  const ColumnPlace place = column_place(tiles);
  double sums[2 * kWidth] = {};
  if (place.inside) {
    float center[kWidth] = {};
    for (int i = 0; x && i < kWidth; ++i) center[i] = mean[place.packet * kWidth + i];
    float scale[kWidth] = {};
    float shift[kWidth] = {};
    for (int i = 0; gate_from_x.wanted && i < kWidth; ++i) {
      scale[i] = gate_from_x.scale(place.packet * kWidth + i);
      shift[i] = gate_from_x.shift(place.packet * kWidth + i);
    }
    std::int64_t row = place.row;
    while (row < place.row_end) {
      Group sum[kWidth] = {};
      Group products[kWidth] = {};
      for (int turn = 0; turn < kGroup && row < place.row_end; ++turn, row += blockDim.y) {
        const std::int64_t at = (row * tiles.packets + place.packet) * kWidth;
        float g[kWidth];
        load<kWidth>(dy + at, g);
        if (y) {
          float gate[kWidth];
          load<kWidth>(y + at, gate);
          for (int i = 0; i < kWidth; ++i) g[i] = gate[i] > 0.0F ? g[i] : 0.0F;
        }
        float values[kWidth] = {};
        if (x) load<kWidth>(x + at, values);
        for (int i = 0; i < kWidth; ++i) {
          if (gate_from_x.wanted && !((values[i] - center[i]) * scale[i] + shift[i] > 0.0F)) {
            g[i] = 0;
          }
          sum[i] += static_cast<Group>(g[i]);
          products[i] += static_cast<Group>(g[i]) *
                         (static_cast<Group>(values[i]) - static_cast<Group>(center[i]));
        }
      }
      for (int i = 0; i < kWidth; ++i) {
        sums[i] += static_cast<double>(sum[i]);
        sums[kWidth + i] += static_cast<double>(products[i]);
      }
    }
  }
  sum_block_rows(sums, shared);
  if (threadIdx.y != 0 || !place.inside) return;
  const std::int64_t channels = tiles.packets * kWidth;
  double* out = partial + 2 * place.row_block * channels + place.packet * kWidth;
  for (int i = 0; i < kWidth; ++i) {
    out[i] = sums[i];
    out[channels + i] = x ? sums[kWidth + i] : 0.0;
  }
}

// ---- the choice of width ----

ColumnTiles reduction_tiles(std::int64_t rows, std::int64_t packets) {
  return column_tiles(rows, packets, kRowTurns, kMostBlocks);
}

template <typename T, int kWidth>
void launch_affine(ExecContext& ctx, const AffineColumns& a, std::int64_t rows,
                   std::int64_t channels) {
  const ColumnTiles tiles = column_tiles(rows, channels / kWidth, 8, 0);
  const AffinePointers<T> pointers{
      a.x.as<T>(),   a.center.f32(),     a.scale_a.f32(), a.scale_b.f32(),
      a.shift.f32(), a.residual.as<T>(), a.y.as<T>(),     a.activation == Activation::Relu};
  launch(affine_columns_kernel<T, kWidth>, tiles.grid, tiles.block, 0, stream_of(ctx), pointers,
         tiles);
}

template <typename T, int kWidth>
void launch_moments(ExecContext& ctx, const T* x, const RowLayout& layout, std::int64_t channels,
                    float* mean_var) {
  const std::int64_t rows = layout.batch * layout.rows;
  const ColumnTiles tiles = reduction_tiles(rows, channels / kWidth);
  Workspace::Scope scope(ctx.workspace);
  auto* partial = scope.take_array<double>(2 * tiles.row_blocks * channels);
  if (tiles.row_blocks > 0) {
    launch(column_moments_kernel<T, kWidth>, tiles.grid, tiles.block, 0, stream_of(ctx), x, layout,
           tiles, partial);
  }
  launch(combine_column_moments_kernel, grid_for(channels, kCombineChannels),
         dim3(kCombineChannels, kCombineLanes), 0, stream_of(ctx), partial, tiles.row_blocks,
         tiles.rows_per_block, rows, channels, mean_var);
}

template <typename T, int kWidth>
PartialSums launch_sums(ExecContext& ctx, const ColumnSums& s, std::int64_t rows,
                        std::int64_t channels, Workspace::Scope& scope) {
  const ColumnTiles tiles = reduction_tiles(rows, channels / kWidth);
  PartialSums partial;
  partial.data = scope.take_array<double>(2 * tiles.row_blocks * channels);
  partial.blocks = tiles.row_blocks;
  if (tiles.row_blocks > 0) {
    launch(column_sums_kernel<T, kWidth>, tiles.grid, tiles.block, 0, stream_of(ctx), s.dy.as<T>(),
           s.y.as<T>(), s.x.as<T>(), s.mean.f32(), s.gate, tiles, partial.data);
  }
  return partial;
}

}  // namespace

void affine_columns(ExecContext& ctx, const char* op, const AffineColumns& a, std::int64_t rows,
                    std::int64_t channels) {
  check_dtype(op, "x", a.x, a.y.dtype);
  check_dtype(op, "the residual", a.residual, a.y.dtype);
  for (const ConstView* view : {&a.center, &a.scale_a, &a.scale_b, &a.shift}) {
    check_dtype(op, "a parameter of the channels", *view, DType::F32);
  }
  if (rows == 0 || channels == 0) return;
  with_storage(op, a.y.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    if (packets_fit<T>(channels, a.x.as<T>(), a.residual.as<T>(), a.y.as<T>())) {
      launch_affine<T, kPackOf<T>>(ctx, a, rows, channels);
    } else {
      launch_affine<T, 1>(ctx, a, rows, channels);
    }
  });
}

PartialSums column_sums(ExecContext& ctx, const char* op, const ColumnSums& s, std::int64_t rows,
                        std::int64_t channels, Workspace::Scope& scope) {
  check_dtype(op, "x", s.x, s.dy.dtype);
  check_dtype(op, "y", s.y, s.dy.dtype);
  check_dtype(op, "mean", s.mean, DType::F32);
  PartialSums partial;
  with_storage(op, s.dy.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    if (packets_fit<T>(channels, s.dy.as<T>(), s.y.as<T>(), s.x.as<T>())) {
      partial = launch_sums<T, kPackOf<T>>(ctx, s, rows, channels, scope);
    } else {
      partial = launch_sums<T, 1>(ctx, s, rows, channels, scope);
    }
  });
  return partial;
}

std::size_t column_moments_bytes(std::int64_t rows, std::int64_t channels) {
  // Wider packets mean fewer rows per block and so more blocks; 64: the workspace's alignment.
  std::int64_t blocks = 0;
  for (const std::int64_t width : {1, 4, 8}) {
    if (channels % width == 0) {
      blocks = std::max(blocks, reduction_tiles(rows, channels / width).row_blocks);
    }
  }
  return static_cast<std::size_t>(2 * blocks * channels) * sizeof(double) + 64;
}

void column_moments(ExecContext& ctx, ConstView x, const RowLayout& layout, std::int64_t channels,
                    View mean_var) {
  check_dtype("batch_norm_statistics", "mean_var", mean_var, DType::F32);
  if (channels == 0) return;
  with_storage("batch_norm_statistics", x.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const bool packets = packets_fit<T>(channels, x.as<T>()) &&
                         layout.row_stride % kPackOf<T> == 0 &&
                         layout.batch_stride % kPackOf<T> == 0;
    if (packets) {
      launch_moments<T, kPackOf<T>>(ctx, x.as<T>(), layout, channels, mean_var.f32());
    } else {
      launch_moments<T, 1>(ctx, x.as<T>(), layout, channels, mean_var.f32());
    }
  });
}

}  // namespace hanok::cuda
