// Convolutions as products of tiles (gemm_tile.h), one for each group:
//
//   forward           y [N*P*Q, K]   = patches of x [N*P*Q, R*S*C]  * w^T [R*S*C, K]
//   backward_data     dx [N*H*W, C]  = patches of dy [N*H*W, R*S*K] * w [R*S*K, C]
//   backward_weights  dw [K, R*S*C]  = dy^T [K, N*P*Q]              * patches of x [N*P*Q, R*S*C]
//
// A patch is read in place: k is split into (tap, channel), the tap shifts the pixel, and 4
// adjacent channels are one access (of 16 bytes in f32, of 8 in 16 bits). The caches serve the
// R*S-fold rereading.
//
// backward_data with a stride: tap r contributes to pixel h only if (h + pad - r * dilation) is a
// multiple of the stride. So pixels are processed phase by phase (h mod stride, w mod stride), each
// with its own taps, and no product is spent on the other taps.
//
// backward_weights has few outputs and a long k, so k is split into pieces, their number fixed by
// the shape. Each piece has its own partial dw, and these are added in order: the same bits in
// every run.
//
// cuDNN's "implicit GEMM": Chetlur et al., "cuDNN: Efficient Primitives for Deep Learning", 2014.
#include <algorithm>
#include <numeric>

#include "hanok/kernels/cuda/conv/conv2d_implicit_gemm.h"

namespace hanok::cuda {
namespace {

/// Lines are pixels of the result, k is (vertical tap, horizontal tap, channel). Along each axis
/// pixel i and tap t read  i * mul + add + t * step  of the source.
struct PatchAxis {
  int pixels = 0, taps = 0, source = 0;  // sizes
  int mul = 1, add = 0, step = 1;
};

template <typename T>
struct PatchOperand {
  static constexpr bool kAlongK = true;
  const T* data = nullptr;
  std::int64_t lines = 0;
  PatchAxis down, across;
  int channels = 0;  // of this group
  int source_channels = 0;  // per pixel
  bool vectors = false;

  struct Line {
    const T* image;  // null: no such pixel
    int h, w;  // position of tap 0
  };
  __device__ Line line(std::int64_t pixel) const {
    if (pixel >= lines) return {nullptr, 0, 0};
    const Split row = split(pixel, across.pixels);
    const Split image = split(row.quotient, down.pixels);
    return {data + image.quotient * down.source * across.source * source_channels,
            image.remainder * down.mul + down.add, row.remainder * across.mul + across.add};
  }
  /// The source at k; null in the padding.
  __device__ const T* at(const Line& line, int k) const {
    const int tap = k / channels;
    const int row = tap / across.taps;
    const int h = line.h + row * down.step;
    const int w = line.w + (tap - row * across.taps) * across.step;
    if (h < 0 || h >= down.source || w < 0 || w >= across.source) return nullptr;
    return line.image + (static_cast<std::int64_t>(h) * across.source + w) * source_channels +
           (k - tap * channels);
  }
  __device__ void load(const Line& line, int k, int k_end, float (&out)[4]) const {
    for (int i = 0; i < 4; ++i) out[i] = 0;
    if (!line.image) return;
    if (vectors) {  // 4 channels of one tap
      const T* from = k < k_end ? at(line, k) : nullptr;
      if (from) load4(from, out);
      return;
    }
    for (int i = 0; i < 4; ++i) {
      const T* from = k + i < k_end ? at(line, k + i) : nullptr;
      if (from) out[i] = to_float(*from);
    }
  }
};

/// w [K,R,S,C] of a group for backward_data: lines are channels c, k is (tap, channel of y).
template <typename T>
struct FilterOperand {
  static constexpr bool kAlongK = false;
  const T* data = nullptr;
  int lines = 0;                   // C
  int k_channels = 0;              // K
  int kernel_h = 0, kernel_w = 0;  // R, S
  int first_h = 0, step_h = 1;     // taps of the phase: first + i * step
  int first_w = 0, step_w = 1, taps_w = 0;
  bool vectors = false;

  struct Line {
    const T* at;
    int count;
  };
  __device__ Line line(std::int64_t first) const {
    const std::int64_t left = lines - first;
    return {data + first, left < 4 ? static_cast<int>(left) : 4};
  }
  __device__ void load(const Line& line, int k, int k_end, float (&out)[4]) const {
    for (int i = 0; i < 4; ++i) out[i] = 0;
    if (k >= k_end) return;
    const int tap = k / k_channels;
    const int row = tap / taps_w;
    const int r = first_h + row * step_h;
    const int s = first_w + (tap - row * taps_w) * step_w;
    const std::int64_t filter = static_cast<std::int64_t>(k - tap * k_channels);
    const T* from = line.at + ((filter * kernel_h + r) * kernel_w + s) * lines;
    if (vectors && line.count == 4) return load4(from, out);
    for (int i = 0; i < 4; ++i) {
      if (i < line.count) out[i] = to_float(from[i]);
    }
  }
};

/// Patches of x for backward_weights: lines are (tap, channel), k is the pixel of y.
template <typename T>
struct PatchColumnOperand {
  static constexpr bool kAlongK = false;
  const T* data = nullptr;
  int lines = 0;  // R*S*C
  PatchAxis down, across;
  int channels = 0, source_channels = 0;
  bool vectors = false;

  struct Line {
    int first;    // line
    int h, w, c;  // the offset of its tap, and its channel
  };
  __device__ Line line(std::int64_t first) const {
    const int at = static_cast<int>(first);
    const int tap = at / channels;
    const int row = tap / across.taps;
    return {at, row * down.step, (tap - row * across.taps) * across.step, at - tap * channels};
  }
  __device__ void load(const Line& first, int k, int k_end, float (&out)[4]) const {
    for (int i = 0; i < 4; ++i) out[i] = 0;
    if (k >= k_end) return;
    const int row = k / across.pixels;
    const int image = row / down.pixels;
    const int h0 = (row - image * down.pixels) * down.mul + down.add;
    const int w0 = (k - row * across.pixels) * across.mul + across.add;
    const auto at = [&](const Line& line) -> const T* {
      const int h = h0 + line.h;
      const int w = w0 + line.w;
      if (line.first >= lines || h < 0 || h >= down.source || w < 0 || w >= across.source) {
        return nullptr;
      }
      const std::int64_t source_row = static_cast<std::int64_t>(image) * down.source + h;
      return data + (source_row * across.source + w) * source_channels + line.c;
    };
    if (vectors) {
      if (const T* from = at(first)) load4(from, out);
      return;
    }
    for (int i = 0; i < 4; ++i) {
      if (const T* from = at(line(first.first + i))) out[i] = to_float(*from);
    }
  }
};

/// dx seen as the pixels of one phase: row -> (n, i, j) -> pixel (h + i * stride, w + j * stride).
template <typename T>
struct PhaseResult {
  MatrixResult<T> image;  // its rows are counted within the phase
  std::int64_t rows = 0, columns = 0;
  int pixels_h = 0, pixels_w = 0;  // of the phase
  int first_h = 0, first_w = 0, stride_h = 1, stride_w = 1;
  int height = 0, width = 0;

  __device__ void store(std::int64_t row, std::int64_t column, float (&values)[4]) const {
    const Split line = split(row, pixels_w);
    const Split n = split(line.quotient, pixels_h);
    const std::int64_t h = n.quotient * height + first_h + n.remainder * stride_h;
    const std::int64_t w = first_w + line.remainder * stride_w;
    image.store_at((h * width + w) * image.stride, column, values);
  }
};

// ---- kernels; the grid enumerates groups (and pieces) of tiles ---- Launch bounds of one block
// per multiprocessor: otherwise ptxas saves registers for more blocks and spills some in 16 bits.

template <typename T>
struct ForwardProblem {
  PatchOperand<T> a;
  MatrixOperand<true, T> b;
  MatrixResult<T> c;
  int k;
  TileGrid grid;
};

template <typename Sizes, typename T>
__global__ void __launch_bounds__(Sizes::kThreads, 1) conv2d_forward_kernel(ForwardProblem<T> p) {
  __shared__ TileMemory<Sizes> tiles;
  const TilePlace place = tile_place<Sizes>(p.grid);
  const std::int64_t channel = place.batch * p.c.columns;
  p.a.data += place.batch * p.a.channels;
  p.b.data += channel * p.k;
  p.c.move(channel);
  if (p.c.scale) p.c.scale += channel;
  if (p.c.shift) p.c.shift += channel;
  multiply_tile<Sizes>(p.a, p.b, p.c, place.row, place.column, 0, p.k, tiles);
}

template <typename T>
struct BackwardDataProblem {
  PatchOperand<T> a;
  FilterOperand<T> b;
  PhaseResult<T> c;
  int k;
  TileGrid grid;
};

template <typename Sizes, typename T>
__global__ void __launch_bounds__(Sizes::kThreads, 1)
    conv2d_backward_data_kernel(BackwardDataProblem<T> p) {
  __shared__ TileMemory<Sizes> tiles;
  const TilePlace place = tile_place<Sizes>(p.grid);
  p.a.data += place.batch * p.a.channels;
  p.b.data += place.batch * p.a.channels * p.b.kernel_h * p.b.kernel_w * p.b.lines;
  p.c.image.data += place.batch * p.b.lines;
  multiply_tile<Sizes>(p.a, p.b, p.c, place.row, place.column, 0, p.k, tiles);
}

template <typename T>
struct BackwardWeightsProblem {
  MatrixOperand<false, T> a;
  PatchColumnOperand<T> b;
  MatrixResult<float> c;
  int k, piece;  // pixels, and pixels per piece
  std::int64_t groups;
  TileGrid grid;
};

template <typename Sizes, typename T>
__global__ void __launch_bounds__(Sizes::kThreads)
    conv2d_backward_weights_kernel(BackwardWeightsProblem<T> p) {
  __shared__ TileMemory<Sizes> tiles;
  const TilePlace place = tile_place<Sizes>(p.grid);
  const std::int64_t group = place.batch % p.groups;
  const auto begin = static_cast<int>(place.batch / p.groups) * p.piece;
  const int end = p.k - begin < p.piece ? p.k : begin + p.piece;
  p.a.data += group * p.a.lines;
  p.b.data += group * p.b.channels;
  p.c.data += place.batch * p.c.rows * p.c.columns;  // pieces of [groups, K, R*S*C]
  multiply_tile<Sizes>(p.a, p.b, p.c, place.row, place.column, begin, end, tiles);
}

constexpr int kSumThreads = 256;

__global__ void sum_pieces_kernel(const float* partial, std::int64_t pieces, std::int64_t count,
                                  float* out) {
  const std::int64_t i = blockIdx.x * std::int64_t{kSumThreads} + threadIdx.x;
  if (i >= count) return;
  double sum = 0;
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    sum += static_cast<double>(partial[piece * count + i]);
  }
  out[i] = static_cast<float>(sum);
}

// ---- from the shape to problems ----

constexpr const char* kName = "conv2d";
int size(std::int64_t value) { return axis_size(kName, value); }

PatchAxis forward_down(const Conv2dShape& s) {
  return {size(s.p()),
          size(s.r),
          size(s.h),
          size(s.window.stride_h),
          -size(s.window.pad_h),
          size(s.window.dilation_h)};
}
PatchAxis forward_across(const Conv2dShape& s) {
  return {size(s.q()),
          size(s.s),
          size(s.w),
          size(s.window.stride_w),
          -size(s.window.pad_w),
          size(s.window.dilation_w)};
}

/// The pixels i * stride + phase of dx along one axis, and the taps that contribute to them.
struct Phase {
  PatchAxis patch;                  // source: dy
  int first_tap = 0, step_tap = 1;  // taps: first + i * step
};
Phase phase_of(int phase, int input, int output, int kernel, int stride, int pad, int dilation) {
  Phase result;
  result.patch.pixels = (input - phase + stride - 1) / stride;
  result.patch.source = output;
  result.step_tap = stride / std::gcd(stride, dilation);
  while (result.first_tap < kernel && (phase + pad - result.first_tap * dilation) % stride != 0) {
    ++result.first_tap;
  }
  result.patch.taps =
      std::max((kernel - result.first_tap + result.step_tap - 1) / result.step_tap, 0);
  result.patch.mul = 1;
  result.patch.add = (phase + pad - result.first_tap * dilation) / stride;
  result.patch.step = -(result.step_tap * dilation / stride);
  return result;
}

/// Number of pieces into which backward_weights splits its pixels: enough blocks for a large GPU,
/// each of at least 256 pixels.
struct Pieces {
  std::int64_t count, pixels;
};
Pieces pieces_of(const Conv2dShape& s) {
  const std::int64_t pixels = s.n * s.p() * s.q();
  const std::int64_t tiles =
      TileGrid::of<SmallTile>(s.k_per_group(), s.c_per_group() * s.r * s.s).blocks(s.groups).x;
  const std::int64_t wanted = std::clamp<std::int64_t>(1024 / std::max<std::int64_t>(tiles, 1), 1,
                                                       std::max<std::int64_t>(pixels / 256, 1));
  const std::int64_t piece =
      std::max<std::int64_t>(divide_up(divide_up(pixels, wanted), 16) * 16, 16);
  return {std::max<std::int64_t>(divide_up(pixels, piece), 1), piece};
}

template <typename T>
void run_forward(ExecContext& ctx, const Conv2dShape& s, const T* x, const T* w,
                 const MatrixResult<T>& result) {
  ForwardProblem<T> p;
  p.a.data = x;
  p.a.lines = s.n * s.p() * s.q();
  p.a.down = forward_down(s);
  p.a.across = forward_across(s);
  p.a.channels = size(s.c_per_group());
  p.a.source_channels = size(s.c);
  p.a.vectors = s.c_per_group() % 4 == 0 && aligned16(x);
  p.k = size(s.r * s.s * s.c_per_group());
  p.b.data = w;
  p.b.lines = s.k_per_group();
  p.b.stride = p.k;
  p.b.vectors = p.k % 4 == 0 && aligned16(w);
  p.c = result;
  p.c.columns = s.k_per_group();
  p.c.vectors = result.vectors && s.k_per_group() % 4 == 0;
  const auto run = [&](auto sizes, auto kernel) {
    using Sizes = decltype(sizes);
    p.grid = TileGrid::of<Sizes>(p.c.rows, p.c.columns);
    launch(kernel, p.grid.blocks(s.groups), dim3(Sizes::kThreads), 0, stream_of(ctx), p);
  };
  if (wants_large_tiles(p.c.rows, p.c.columns, s.groups)) {
    run(LargeTile{}, conv2d_forward_kernel<LargeTile, T>);
  } else {
    run(SmallTile{}, conv2d_forward_kernel<SmallTile, T>);
  }
}

template <typename T>
void run_backward_data(ExecContext& ctx, const Conv2dShape& s, const T* dy, const T* w, T* dx) {
  const Window2d& window = s.window;
  BackwardDataProblem<T> p;
  p.a.data = dy;
  p.a.channels = size(s.k_per_group());
  p.a.source_channels = size(s.k);
  p.a.vectors = s.k_per_group() % 4 == 0 && aligned16(dy);
  p.b.data = w;
  p.b.lines = size(s.c_per_group());
  p.b.k_channels = p.a.channels;
  p.b.kernel_h = size(s.r);
  p.b.kernel_w = size(s.s);
  p.b.vectors = s.c_per_group() % 4 == 0 && aligned16(w);
  p.c.image.data = dx;
  p.c.image.columns = s.c_per_group();
  p.c.image.stride = s.c;
  p.c.image.vectors = s.c_per_group() % 4 == 0 && aligned16(dx);
  p.c.columns = s.c_per_group();
  p.c.stride_h = size(window.stride_h);
  p.c.stride_w = size(window.stride_w);
  p.c.height = size(s.h);
  p.c.width = size(s.w);
  for (int h = 0; h < std::min<std::int64_t>(window.stride_h, s.h); ++h) {
    for (int v = 0; v < std::min<std::int64_t>(window.stride_w, s.w); ++v) {
      const Phase down = phase_of(h, p.c.height, size(s.p()), p.b.kernel_h, p.c.stride_h,
                                  size(window.pad_h), size(window.dilation_h));
      const Phase across = phase_of(v, p.c.width, size(s.q()), p.b.kernel_w, p.c.stride_w,
                                    size(window.pad_w), size(window.dilation_w));
      p.a.down = down.patch;
      p.a.across = across.patch;
      p.a.lines = s.n * down.patch.pixels * across.patch.pixels;
      p.b.first_h = down.first_tap;
      p.b.step_h = down.step_tap;
      p.b.first_w = across.first_tap;
      p.b.step_w = across.step_tap;
      p.b.taps_w = across.patch.taps;
      p.c.rows = p.a.lines;
      p.c.pixels_h = down.patch.pixels;
      p.c.pixels_w = across.patch.pixels;
      p.c.first_h = h;
      p.c.first_w = v;
      p.k = size(std::int64_t{down.patch.taps} * across.patch.taps * s.k_per_group());
      const auto run = [&](auto sizes, auto kernel) {
        using Sizes = decltype(sizes);
        p.grid = TileGrid::of<Sizes>(p.c.rows, p.c.columns);
        launch(kernel, p.grid.blocks(s.groups), dim3(Sizes::kThreads), 0, stream_of(ctx), p);
      };
      if (wants_large_tiles(p.c.rows, p.c.columns, s.groups)) {
        run(LargeTile{}, conv2d_backward_data_kernel<LargeTile, T>);
      } else {
        run(SmallTile{}, conv2d_backward_data_kernel<SmallTile, T>);
      }
    }
  }
}

template <typename T>
void run_backward_weights(ExecContext& ctx, const Conv2dShape& s, const T* x, const T* dy,
                          float* dw) {
  const Pieces pieces = pieces_of(s);
  const std::int64_t columns = s.r * s.s * s.c_per_group();
  Workspace::Scope scope(ctx.workspace);
  float* partial = pieces.count > 1 ? scope.take_array<float>(pieces.count * s.k * columns) : dw;
  BackwardWeightsProblem<T> p;
  p.a.data = dy;
  p.a.lines = s.k_per_group();
  p.a.stride = s.k;
  p.a.vectors = s.k_per_group() % 4 == 0 && aligned16(dy);
  p.b.data = x;
  p.b.lines = size(columns);
  p.b.down = forward_down(s);
  p.b.across = forward_across(s);
  p.b.channels = size(s.c_per_group());
  p.b.source_channels = size(s.c);
  p.b.vectors = s.c_per_group() % 4 == 0 && aligned16(x);
  p.c.data = partial;
  p.c.rows = s.k_per_group();
  p.c.columns = columns;
  p.c.stride = columns;
  p.c.vectors = columns % 4 == 0 && aligned16(partial);
  p.k = size(s.n * s.p() * s.q());
  p.piece = size(pieces.pixels);
  p.groups = s.groups;
  p.grid = TileGrid::of<SmallTile>(p.c.rows, columns);
  launch(conv2d_backward_weights_kernel<SmallTile, T>, p.grid.blocks(s.groups * pieces.count),
         dim3(SmallTile::kThreads), 0, stream_of(ctx), p);
  if (pieces.count > 1) sum_pieces(ctx, partial, pieces.count, s.k * columns, dw);
}

}  // namespace

namespace implicit_gemm {

void forward(ExecContext& ctx, const Conv2dShape& s, ConstView x, ConstView w,
             const Epilogue& epilogue, View y) {
  with_storage("conv2d_forward", x.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    run_forward(ctx, s, x.as<T>(), w.as<T>(),
                result_of<T>(epilogue, y, s.n * s.p() * s.q(), s.k, s.k));
  });
}

void backward_data(ExecContext& ctx, const Conv2dShape& s, ConstView dy, ConstView w, View dx) {
  with_storage("conv2d_backward_data", dy.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    run_backward_data(ctx, s, dy.as<T>(), w.as<T>(), dx.as<T>());
  });
}

std::size_t backward_weights_bytes(const Conv2dShape& s) {
  const Pieces pieces = pieces_of(s);
  const std::int64_t weights = s.k * s.c_per_group() * s.r * s.s;
  return pieces.count > 1 ? static_cast<std::size_t>(pieces.count * weights) * sizeof(float) + 64
                          : 0;
}

void backward_weights(ExecContext& ctx, const Conv2dShape& s, ConstView x, ConstView dy, View dw) {
  with_storage("conv2d_backward_weights", x.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    run_backward_weights(ctx, s, x.as<T>(), dy.as<T>(), dw.f32());
  });
}

}  // namespace implicit_gemm

void sum_pieces(ExecContext& ctx, const float* partial, std::int64_t pieces, std::int64_t count,
                float* out) {
  launch(sum_pieces_kernel, grid_for(count, kSumThreads), dim3(kSumThreads), 0, stream_of(ctx),
         partial, pieces, count, out);
}

}  // namespace hanok::cuda
