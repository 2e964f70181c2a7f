// Fills, copies, transposes and conversions. All are memory-bound, so what matters is the number of
// bytes per instruction and that a warp's addresses are adjacent.
//
// strided_copy sorts the dimensions by the destination's strides, merges those that are contiguous
// in both operands, and uses one of two kernels:
//   rows     Constant strides on both sides: one thread per word, of up to 16 bytes if both rows
//            are contiguous (then a copy of f32 and one of f16 are the same copy).
//   tiles    The destination is contiguous along one dimension (p), the source along another (q),
//            as between NCHW and NHWC. A block reads a tile of 32x32 words along q and writes it
//            along p, through shared memory; rows of 33 words keep the 32 words of a column in 32
//            banks.
#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "hanok/kernels/cuda/ops/convert.h"
#include "hanok/kernels/cuda/ops/storage.h"
#include "hanok/kernels/cuda/ops/strided.h"
#include "hanok/kernels/cuda/runtime/launch.h"
#include "hanok/kernels/primitives/layout.h"

namespace hanok::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kTile = 32;
constexpr int kTileRows = 8;  // rows of a tile covered by a block's threads at once

/// Calls function(Type<T>{}) with the device's storage type of `dtype`.
template <typename Function>
void with_type(DType dtype, const Function& function) {
  switch (dtype) {
    case DType::F32:
      return function(Type<float>{});
    case DType::F64:
      return function(Type<double>{});
    case DType::F16:
      return function(Type<__half>{});
    case DType::BF16:
      return function(Type<__nv_bfloat16>{});
    case DType::U8:
      return function(Type<std::uint8_t>{});
    case DType::I64:
      return function(Type<std::int64_t>{});
  }
}

/// A word that is copied unchanged; its alignment equals its size.
template <int bytes>
struct alignas(bytes) Word {
  unsigned char content[bytes];
};
template <>
struct Word<4> {
  std::uint32_t content;
};
template <>
struct Word<8> {
  std::uint64_t content;
};
template <>
struct alignas(16) Word<16> {
  std::uint64_t content[2];
};

// ---- kernels ----

/// Fills with the 8 bytes of `pattern` repeatedly; a thread writes 16.
__global__ void fill_kernel(std::uint64_t pattern, unsigned char* out, std::int64_t bytes,
                            bool aligned) {
  const std::int64_t begin = thread_number() * 16;
  if (aligned && begin + 16 <= bytes) {
    *reinterpret_cast<Word<16>*>(out + begin) = {{pattern, pattern}};
  } else {
    for (std::int64_t i = begin; i < begin + 16 && i < bytes; ++i) {
      out[i] = static_cast<unsigned char>(pattern >> (i % 8 * 8));
    }
  }
}

/// Operand 0 of the index is dst, operand 1 src.
template <typename T>
__global__ void copy_kernel(StridedIndex<2> index, const T* src, T* dst, std::int64_t count) {
  const std::int64_t number = thread_number();
  if (number >= count) return;
  std::int64_t at[2];
  index.offsets_of(number, at);
  dst[at[0]] = src[at[1]];
}

/// The two dimensions of a tile: dst is contiguous along p, src along q.
struct TilePlane {
  std::int64_t p_size, q_size;
  std::int64_t src_p_step, dst_q_step;
  std::int64_t p_tiles, q_tiles;
};

/// One block per tile; `outer` iterates over the planes.
template <typename T>
__global__ void transpose_kernel(StridedIndex<2> outer, TilePlane plane, const T* src, T* dst) {
  __shared__ T tile[kTile][kTile + 1];  // [p][q]
  const std::int64_t block = blockIdx.x;
  const std::int64_t p_first = block % plane.p_tiles * kTile;
  const std::int64_t q_first = block / plane.p_tiles % plane.q_tiles * kTile;
  std::int64_t at[2];
  outer.offsets_of(block / plane.p_tiles / plane.q_tiles, at);
  const int column = static_cast<int>(threadIdx.x);
  const int row = static_cast<int>(threadIdx.y);

  if (q_first + column < plane.q_size) {
    for (int p = row; p < kTile && p_first + p < plane.p_size; p += kTileRows) {
      tile[p][column] = src[at[1] + (p_first + p) * plane.src_p_step + q_first + column];
    }
  }
  __syncthreads();
  if (p_first + column < plane.p_size) {
    for (int q = row; q < kTile && q_first + q < plane.q_size; q += kTileRows) {
      dst[at[0] + (q_first + q) * plane.dst_q_step + p_first + column] = tile[column][q];
    }
  }
}

/// A thread converts as many elements as fit into 16 bytes of the wider type.
template <typename To, typename From>
inline constexpr int kCastCount = 16 / static_cast<int>(std::max(sizeof(To), sizeof(From)));

template <typename To, typename From>
__global__ void cast_kernel(const From* x, To* y, std::int64_t count, bool aligned) {
  constexpr int kCount = kCastCount<To, From>;
  const std::int64_t begin = thread_number() * kCount;
  if (begin + kCount <= count) {
    From values[kCount];
    To converted[kCount];
    load_elements(x + begin, aligned, values);
    for (int i = 0; i < kCount; ++i) converted[i] = convert<To>(values[i]);
    store_elements(converted, aligned, y + begin);
  } else {
    for (std::int64_t i = begin; i < count; ++i) y[i] = convert<To>(x[i]);
  }
}

/// y = (x / 255 - mean[c]) / stddev[c], 4 elements per thread, c = element % channels.
template <typename T>
__global__ void normalize_kernel(const std::uint8_t* x, const float* mean, const float* stddev,
                                 T* y, std::int64_t channels, std::int64_t count, bool aligned) {
  constexpr int kCount = 4;
  const std::int64_t begin = thread_number() * kCount;
  if (begin >= count) return;
  std::uint8_t pixels[kCount] = {};
  float values[kCount];
  const bool whole = begin + kCount <= count;
  if (whole) {
    load_elements(x + begin, aligned, pixels);
  } else {
    for (int i = 0; i < kCount; ++i) {
      if (begin + i < count) pixels[i] = x[begin + i];
    }
  }
  std::int64_t c = begin % channels;
  for (int i = 0; i < kCount; ++i) {
    values[i] = (static_cast<float>(pixels[i]) / 255.0F - mean[c]) / stddev[c];
    c = c + 1 == channels ? 0 : c + 1;
  }
  if (whole) {
    store_floats(values, aligned, y + begin);
  } else {
    for (int i = 0; i < kCount; ++i) {
      if (begin + i < count) y[begin + i] = from_float<T>(values[i]);
    }
  }
}

// ---- the two kernels of a strided copy ----

/// The dimensions in the order of dst's strides, merged where possible.
StridedIndex<2> sorted_index(const StridedView& dst, const StridedConstView& src) {
  std::array<int, kMaxRank> order{};
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.begin() + dst.sizes.rank(),
                   [&](int a, int b) { return dst.strides[a] > dst.strides[b]; });
  Shape sizes;
  Strides dst_strides;
  Strides src_strides;
  for (int i = 0; i < dst.sizes.rank(); ++i) {
    const int dim = order[static_cast<std::size_t>(i)];
    sizes.push_back(dst.sizes[dim]);
    dst_strides.push_back(dst.strides[dim]);
    src_strides.push_back(src.strides[dim]);
  }
  return StridedIndex<2>(StridedLoop<2>(sizes, {dst_strides, src_strides}));
}

/// Doubles the word while both rows are multiples of it, up to 16 bytes. Returns its bytes.
int widen(StridedIndex<2>& index, int bytes, const void* dst, const void* src) {
  const auto addresses =
      reinterpret_cast<std::uintptr_t>(dst) | reinterpret_cast<std::uintptr_t>(src);
  while (bytes < 16 && index.row_step(0) == 1 && index.row_step(1) == 1 &&
         index.sizes[index.rank - 1] % 2 == 0 && index.splits_into(2) &&
         addresses % static_cast<std::uintptr_t>(2 * bytes) == 0) {
    index.sizes[index.rank - 1] /= 2;
    for (int dim = 0; dim < index.rank - 1; ++dim) {
      for (std::int64_t& step : index.steps[dim]) step /= 2;
    }
    bytes *= 2;
  }
  return bytes;
}

/// The dimension along which src is contiguous if tiles pay off (both sides at least a quarter of a
/// tile), else -1.
int tile_dim(const StridedIndex<2>& index) {
  const int p = index.rank - 1;
  if (index.row_step(0) != 1 || index.sizes[p] < kTile / 4) return -1;
  for (int dim = 0; dim < p; ++dim) {
    if (index.steps[dim][1] == 1 && index.sizes[dim] >= kTile / 4) return dim;
  }
  return -1;
}

template <int bytes>
void copy_words(ExecContext& ctx, const StridedIndex<2>& index, void* dst, const void* src) {
  using T = Word<bytes>;
  auto* to = static_cast<T*>(dst);
  const auto* from = static_cast<const T*>(src);
  const std::int64_t count = index.numel();
  const int q = tile_dim(index);
  if (q < 0) {
    launch(copy_kernel<T>, grid_for(count, kThreads), dim3(kThreads), 0, stream_of(ctx), index,
           from, to, count);
    return;
  }
  const int p = index.rank - 1;
  const auto tiles = [](std::int64_t size) { return (size + kTile - 1) / kTile; };
  const TilePlane plane{index.sizes[p],    index.sizes[q],        index.steps[p][1],
                        index.steps[q][0], tiles(index.sizes[p]), tiles(index.sizes[q])};
  Shape sizes;
  Strides dst_strides;
  Strides src_strides;
  for (int dim = 0; dim < p; ++dim) {
    if (dim == q) continue;
    sizes.push_back(index.sizes[dim]);
    dst_strides.push_back(index.steps[dim][0]);
    src_strides.push_back(index.steps[dim][1]);
  }
  const StridedIndex<2> outer(StridedLoop<2>(sizes, {dst_strides, src_strides}));
  launch(transpose_kernel<T>, grid_for(outer.numel() * plane.p_tiles * plane.q_tiles, 1),
         dim3(kTile, kTileRows), 0, stream_of(ctx), outer, plane, from, to);
}

}  // namespace

void run(ExecContext& ctx, const Fill& op) {
  const auto bytes = op.out.numel() * static_cast<std::int64_t>(size_of(op.out.dtype));
  if (bytes == 0) return;
  std::uint64_t pattern = 0;
  with_type(op.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T element = convert<T>(op.value);
    for (std::size_t at = 0; at < sizeof pattern; at += sizeof(T)) {
      std::memcpy(reinterpret_cast<char*>(&pattern) + at, &element, sizeof(T));
    }
  });
  launch(fill_kernel, grid_for(bytes, kThreads * 16), dim3(kThreads), 0, stream_of(ctx), pattern,
         op.out.as<unsigned char>(), bytes, aligned16(op.out.data));
}

void run(ExecContext& ctx, const StridedCopy& op) {
  if (op.dst.sizes.numel() == 0) return;
  StridedIndex<2> index = sorted_index(op.dst, op.src);
  switch (widen(index, static_cast<int>(size_of(op.dst.dtype)), op.dst.data, op.src.data)) {
    case 1:
      return copy_words<1>(ctx, index, op.dst.data, op.src.data);
    case 2:
      return copy_words<2>(ctx, index, op.dst.data, op.src.data);
    case 4:
      return copy_words<4>(ctx, index, op.dst.data, op.src.data);
    case 8:
      return copy_words<8>(ctx, index, op.dst.data, op.src.data);
    default:
      return copy_words<16>(ctx, index, op.dst.data, op.src.data);
  }
}

void run(ExecContext& ctx, const Cast& op) {
  const std::int64_t count = op.dst.numel();
  if (count == 0) return;
  if (op.dst.dtype == op.src.dtype) {
    const Shape flat{count};
    run(ctx, StridedCopy{{op.dst.data, op.dst.dtype, flat, Shape{1}},
                         {op.src.data, op.src.dtype, flat, Shape{1}}});
    return;
  }
  with_type(op.src.dtype, [&](auto from) {
    with_type(op.dst.dtype, [&](auto to) {
      using From = typename decltype(from)::type;
      using To = typename decltype(to)::type;
      if constexpr (!std::is_same_v<From, To>) {
        launch(cast_kernel<To, From>, grid_for(count, kThreads * kCastCount<To, From>),
               dim3(kThreads), 0, stream_of(ctx), op.src.as<From>(), op.dst.as<To>(), count,
               aligned16(op.src.data, op.dst.data));
      }
    });
  });
}

void run(ExecContext& ctx, const NormalizeU8& op) {
  const std::int64_t count = op.y.numel();
  if (count == 0) return;
  with_storage(NormalizeU8::kName, op.y.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(normalize_kernel<T>, grid_for(count, kThreads * 4), dim3(kThreads), 0, stream_of(ctx),
           op.x.as<std::uint8_t>(), op.mean.f32(), op.stddev.f32(), op.y.as<T>(), op.x.shape[1],
           count, aligned16(op.x.data, op.y.data));
  });
}

}  // namespace hanok::cuda
