// Winograd's minimal filtering F(4x4, 3x3): 16 outputs of a 3x3 convolution from 36 products
// instead of 144.
//
//   Y = A^T [ (G g G^T) . (B^T d B) ] A          d: 6x6 inputs, g: 3x3 filter, Y: 4x4 outputs
//
// summed over input channels between the brackets, which gives 36 matrix products, one per point:
//
//   U [36, K, C]      = filters       filter kernel, one thread per filter plane
//   V [36, tiles, C]  = inputs        input kernel, one thread per tile and channel
//   M [36, tiles, K]  = V U^T         gemm.h, batch 36
//   y                 = outputs of M  output kernel with the epilogue
//
// The gradient of x is the same map with filters rotated by 180 degrees and input and output
// channels exchanged. Adjacent threads have adjacent channels: all accesses are coalesced. V and M
// are split into chunks of tiles that fit into kChunkBytes.
//
// Points 0, +-2/3, +-3/2 and infinity: with the usual 0, +-1, +-2 the matrices hold numbers up to 8
// and lose a decimal digit, these lose a third of that. Row factors of Cook-Toom are in G:
//
//   B^T = [1    0   -97/36   0    1   0]   G = [  1      0      0  ]
//         [0   3/2    9/4  -2/3  -1   0]       [81/130  27/65 18/65]
//         [0  -3/2    9/4   2/3  -1   0]       [81/130 -27/65 18/65]
//         [0  -2/3   -4/9   3/2   1   0]       [ 8/65   12/65 18/65]
//         [0   2/3   -4/9  -3/2   1   0]       [ 8/65  -12/65 18/65]
//         [0    1      0  -97/36  0   1]       [  0      0      1  ]
//   A^T = [1  1    1    1    1    0;  0  2/3 -2/3  3/2 -3/2  0;
//          0  4/9  4/9  9/4  9/4  0;  0  8/27 -8/27  27/8 -27/8  1]
//
// Roofline: products are 36 * 2 * C * K FLOP per tile; the transforms move 36 * (C + K) floats
// twice and 16 * (C + K) once. At C = K = 128 that is 52 FLOP per byte, on the compute side of most
// GPUs' f32 ridge; below 32 channels it is memory-bound.
//
// Winograd, "Arithmetic complexity of computations", 1980; Lavin, Gray, "Fast algorithms for
// convolutional neural networks", CVPR 2016; Barabasz et al., "Error analysis and improving the
// accuracy of Winograd convolution", ACM TOMS 2020 (choice of points).
#include <algorithm>

#include "hanok/kernels/cuda/conv/conv2d_winograd.h"
#include "hanok/kernels/cuda/gemm/gemm.h"

namespace hanok::cuda::winograd {
namespace {

constexpr int kTile = 4;  // outputs per side
constexpr int kWindow = 6;  // inputs per side
constexpr int kPoints = 36;  // products
constexpr int kThreads = 128;
constexpr std::int64_t kChunkBytes = std::int64_t{32} << 20;  // fits into large L2 caches

// ---- one-dimensional transforms, in place of rows (kStride 6 or 3 or 1 apart) ----

/// B^T d: 6 -> 6.
template <int kStride>
__device__ void map_input(float* d) {
  const float d0 = d[0], d1 = d[kStride], d2 = d[2 * kStride];
  const float d3 = d[3 * kStride], d4 = d[4 * kStride], d5 = d[5 * kStride];
  const float even1 = 9.0F / 4 * d2 - d4;
  const float odd1 = 3.0F / 2 * d1 - 2.0F / 3 * d3;
  const float even2 = d4 - 4.0F / 9 * d2;
  const float odd2 = 3.0F / 2 * d3 - 2.0F / 3 * d1;
  d[0] = d0 + d4 - 97.0F / 36 * d2;
  d[kStride] = even1 + odd1;
  d[2 * kStride] = even1 - odd1;
  d[3 * kStride] = even2 + odd2;
  d[4 * kStride] = even2 - odd2;
  d[5 * kStride] = d1 + d5 - 97.0F / 36 * d3;
}

/// A^T m: 6 -> 4, the results in the first four places.
template <int kStride>
__device__ void map_output(float* m) {
  const float even1 = m[kStride] + m[2 * kStride];
  const float odd1 = m[kStride] - m[2 * kStride];
  const float even2 = m[3 * kStride] + m[4 * kStride];
  const float odd2 = m[3 * kStride] - m[4 * kStride];
  m[0] = m[0] + (even1 + even2);
  m[kStride] = 2.0F / 3 * odd1 + 3.0F / 2 * odd2;
  m[2 * kStride] = 4.0F / 9 * even1 + 9.0F / 4 * even2;
  m[3 * kStride] = 8.0F / 27 * odd1 + (27.0F / 8 * odd2 + m[5 * kStride]);
}

/// G g: 3 -> 6.
template <int kFrom, int kTo>
__device__ void map_filter(const float* g, float* out) {
  const float last = 18.0F / 65 * g[2 * kFrom];
  const float even1 = 81.0F / 130 * g[0] + last;
  const float odd1 = 27.0F / 65 * g[kFrom];
  const float even2 = 8.0F / 65 * g[0] + last;
  const float odd2 = 12.0F / 65 * g[kFrom];
  out[0] = g[0];
  out[kTo] = even1 + odd1;
  out[2 * kTo] = even1 - odd1;
  out[3 * kTo] = even2 + odd2;
  out[4 * kTo] = even2 - odd2;
  out[5 * kTo] = g[2 * kFrom];
}

// ---- kernels ----

/// w [K,3,3,C] -> U [36,K,C]; `turned`: filters rotated by 180 degrees.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    winograd_filter_kernel(const T* w, std::int64_t k, int c, bool turned, float* u) {
  const std::int64_t i = blockIdx.x * std::int64_t{kThreads} + threadIdx.x;
  if (i >= k * c) return;
  const Split filter = split(i, c);
  const T* from = w + filter.quotient * 9 * c + filter.remainder;
  float g[9];
#pragma unroll
  for (int tap = 0; tap < 9; ++tap) g[tap] = to_float(from[(turned ? 8 - tap : tap) * c]);
  float half[18];  // [6][3]
#pragma unroll
  for (int column = 0; column < 3; ++column) map_filter<3, 3>(g + column, half + column);
#pragma unroll
  for (int row = 0; row < 6; ++row) {
    float points[6];
    map_filter<1, 1>(half + 3 * row, points);
#pragma unroll
    for (int column = 0; column < 6; ++column) {
      u[(row * 6 + column) * k * c + i] = points[column];
    }
  }
}

/// The images that tiles are read from or written to, [n, height, width, channels].
struct Images {
  int height, width, channels;
  int tiles_h, tiles_w;
  int pad_h, pad_w;  // the first window starts above and left of the image
};

struct Place {
  std::int64_t n;
  int i, j, channel;  // tile row and column
};
/// `item`: a tile and a channel, the channel innermost.
__device__ Place place_of(const Images& images, std::int64_t first_tile, std::int64_t item) {
  const Split channel = split(item, images.channels);
  const Split column = split(first_tile + channel.quotient, images.tiles_w);
  const Split row = split(column.quotient, images.tiles_h);
  return {row.quotient, row.remainder, column.remainder, channel.remainder};
}

/// x -> V [36, tiles, C] for `tiles` tiles from `first_tile`.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    winograd_input_kernel(Images images, const T* x, std::int64_t first_tile, std::int64_t tiles,
                          float* v) {
  const std::int64_t item = blockIdx.x * std::int64_t{kThreads} + threadIdx.x;
  const std::int64_t items = tiles * images.channels;
  if (item >= items) return;
  const Place at = place_of(images, first_tile, item);
  const int h0 = at.i * kTile - images.pad_h;
  const int w0 = at.j * kTile - images.pad_w;
  float d[kPoints];
#pragma unroll
  for (int row = 0; row < kWindow; ++row) {
#pragma unroll
    for (int column = 0; column < kWindow; ++column) {
      const int h = h0 + row;
      const int w = w0 + column;
      const bool inside = h >= 0 && h < images.height && w >= 0 && w < images.width;
      const std::int64_t pixel = (at.n * images.height + h) * images.width + w;
      d[row * kWindow + column] = inside ? to_float(x[pixel * images.channels + at.channel]) : 0.0F;
    }
  }
#pragma unroll
  for (int column = 0; column < kWindow; ++column) map_input<kWindow>(d + column);
#pragma unroll
  for (int row = 0; row < kWindow; ++row) map_input<1>(d + row * kWindow);
#pragma unroll
  for (int point = 0; point < kPoints; ++point) v[point * items + item] = d[point];
}

/// M [36, tiles, K] -> the result's pixels, with the epilogue.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    winograd_output_kernel(Images images, const float* m, std::int64_t first_tile,
                           std::int64_t tiles, MatrixResult<T> result) {
  const std::int64_t item = blockIdx.x * std::int64_t{kThreads} + threadIdx.x;
  const std::int64_t items = tiles * images.channels;
  if (item >= items) return;
  const Place at = place_of(images, first_tile, item);
  float d[kPoints];
#pragma unroll
  for (int point = 0; point < kPoints; ++point) d[point] = m[point * items + item];
#pragma unroll
  for (int column = 0; column < kWindow; ++column) map_output<kWindow>(d + column);
#pragma unroll
  for (int row = 0; row < kTile; ++row) {
    map_output<1>(d + row * kWindow);
    const int h = at.i * kTile + row;
#pragma unroll
    for (int column = 0; column < kTile; ++column) {
      const int w = at.j * kTile + column;
      if (h >= images.height || w >= images.width) continue;
      const std::int64_t pixel = (at.n * images.height + h) * images.width + w;
      result.store_one(pixel * images.channels + at.channel, at.channel, d[row * kWindow + column]);
    }
  }
}

// ---- the passes ----

/// A pass as a correlation of `source` with 3x3 filters: the sizes of both.
struct Problem {
  std::int64_t n, inputs, outputs;  // images; channels
  Images source, target;
  std::int64_t tiles() const { return n * target.tiles_h * target.tiles_w; }
  std::int64_t chunk() const {
    const std::int64_t bytes_of_tile = kPoints * (inputs + outputs) * 4;
    return std::clamp<std::int64_t>(kChunkBytes / bytes_of_tile, 1,
                                    std::max<std::int64_t>(tiles(), 1));
  }
};

Problem problem_of(Conv2dPass pass, const Conv2dShape& s) {
  const auto size = [](std::int64_t value) { return axis_size("conv2d", value); };
  const bool backward = pass == Conv2dPass::BackwardData;
  Problem p;
  p.n = s.n;
  p.inputs = backward ? s.k : s.c;
  p.outputs = backward ? s.c : s.k;
  Images x{size(s.h), size(s.w), size(s.c), 0, 0, size(s.window.pad_h), size(s.window.pad_w)};
  // From dx's side, dy is padded by the rotated filter's overhang.
  Images y{size(s.p()),
           size(s.q()),
           size(s.k),
           0,
           0,
           size(2 - s.window.pad_h),
           size(2 - s.window.pad_w)};
  p.source = backward ? y : x;
  p.target = backward ? x : y;
  for (Images* images : {&p.source, &p.target}) {
    images->tiles_h = (p.target.height + kTile - 1) / kTile;
    images->tiles_w = (p.target.width + kTile - 1) / kTile;
  }
  return p;
}

template <typename T>
void run(ExecContext& ctx, const Problem& p, bool backward, const T* source, const T* w,
         const MatrixResult<T>& result) {
  if (p.tiles() == 0) return;
  const std::int64_t filters = p.inputs * p.outputs;
  const std::int64_t chunk = p.chunk();
  Workspace::Scope scope(ctx.workspace);
  auto* u = scope.take_array<float>(kPoints * filters);
  auto* v = scope.take_array<float>(kPoints * chunk * p.inputs);
  auto* m = scope.take_array<float>(kPoints * chunk * p.outputs);
  // U is [36, K, C] like w, whether K or C is summed over.
  launch(winograd_filter_kernel<T>, grid_for(filters, kThreads), dim3(kThreads), 0, stream_of(ctx),
         w, backward ? p.inputs : p.outputs, static_cast<int>(backward ? p.outputs : p.inputs),
         backward, u);
  for (std::int64_t first = 0; first < p.tiles(); first += chunk) {
    const std::int64_t tiles = std::min(chunk, p.tiles() - first);
    launch(winograd_input_kernel<T>, grid_for(tiles * p.inputs, kThreads), dim3(kThreads), 0,
           stream_of(ctx), p.source, source, first, tiles, v);
    GemmShape product;
    product.m = tiles;
    product.n = p.outputs;
    product.k = p.inputs;
    product.transpose_b = !backward;
    product.lda = p.inputs;
    product.ldb = backward ? p.outputs : p.inputs;
    product.ldc = p.outputs;
    product.batch = kPoints;
    product.stride_a = tiles * p.inputs;
    product.stride_b = filters;
    product.stride_c = tiles * p.outputs;
    gemm(ctx, product, {v, DType::F32, {kPoints, tiles, p.inputs}},
         {u, DType::F32, {kPoints, p.inputs, p.outputs}}, Epilogue{},
         {m, DType::F32, {kPoints, tiles, p.outputs}});
    launch(winograd_output_kernel<T>, grid_for(tiles * p.outputs, kThreads), dim3(kThreads), 0,
           stream_of(ctx), p.target, m, first, tiles, result);
  }
}

}  // namespace

bool fits(const Conv2dShape& s) {
  const Window2d& w = s.window;
  return s.r == 3 && s.s == 3 && s.groups == 1 && w.stride_h == 1 && w.stride_w == 1 &&
         w.dilation_h == 1 && w.dilation_w == 1 && w.pad_h <= 2 && w.pad_w <= 2;
}

std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& s) {
  const Problem p = problem_of(pass, s);
  const std::int64_t floats = kPoints * (p.inputs * p.outputs + p.chunk() * (p.inputs + p.outputs));
  return static_cast<std::size_t>(floats) * sizeof(float) + 3 * 64;
}

void forward(ExecContext& ctx, const Conv2dShape& s, ConstView x, ConstView w,
             const Epilogue& epilogue, View y) {
  with_storage("conv2d_forward", x.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    run(ctx, problem_of(Conv2dPass::Forward, s), false, x.as<T>(), w.as<T>(),
        result_of<T>(epilogue, y, s.n * s.p() * s.q(), s.k, s.k));
  });
}

void backward_data(ExecContext& ctx, const Conv2dShape& s, ConstView dy, ConstView w, View dx) {
  with_storage("conv2d_backward_data", dy.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    run(ctx, problem_of(Conv2dPass::BackwardData, s), true, dy.as<T>(), w.as<T>(),
        result_of<T>({}, dx, s.n * s.h * s.w, s.c, s.c));
  });
}

}  // namespace hanok::cuda::winograd
