// Selection by condition and by index.
//
// gather and select are maps over their outputs: one thread per element (gather: per word of up to
// 16 bytes if one index applies to a whole row).
//
// gather_backward adds in the order of j without atomics, so that every run gives the same bits.
// With one index per element, a thread owns a lane (o, i) of dx and iterates over j. With shared
// indices (rows of an embedding) a block belongs to one j: if an earlier j has the same index, it
// exits; else it is the first, and adds the rows of all later j with this index, checking 256
// indices per round. The checks take count^2 / 256 rounds over all blocks, mostly from cache; each
// row of dy is read once.
//
// topk takes k rounds; each finds the next element in the total order "NaN first, then larger, then
// smaller index". A warp shares a lane of x, or each thread has its own if lanes are adjacent in
// memory. Roofline: memory, k reads of x, all but the first from cache if a lane fits there.
#include "hanok/kernels/cuda/ops/storage.h"
#include "hanok/kernels/cuda/ops/strided.h"
#include "hanok/kernels/cuda/runtime/launch.h"
#include "hanok/kernels/primitives/index.h"
#include "hanok/kernels/primitives/layout.h"

namespace hanok::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffU;

/// out = condition ? a : b; operands 0, 1, 2 of the walk are condition, a, b.
template <typename T>
__global__ void select_kernel(StridedIndex<3> index, const std::uint8_t* condition, const T* a,
                              const T* b, T* out, std::int64_t count, bool packed) {
  constexpr int kPack = kPackOf<T>;
  const std::int64_t begin = thread_number() * kPack;
  std::int64_t at[3];
  if (packed && begin + kPack <= count) {
    index.offsets_of(begin, at);
    const std::int64_t(&steps)[3] = index.steps[index.rank - 1];
    T chosen[kPack];
    for (int i = 0; i < kPack; ++i) {
      chosen[i] =
          condition[at[0] + i * steps[0]] != 0 ? a[at[1] + i * steps[1]] : b[at[2] + i * steps[2]];
    }
    store_elements(chosen, true, out + begin);
    return;
  }
  for (std::int64_t number = begin; number < count && number < begin + kPack; ++number) {
    index.offsets_of(number, at);
    out[number] = condition[at[0]] != 0 ? a[at[1]] : b[at[2]];
  }
}

/// A kernel cannot throw. An element selected by an index out of range has all bits set (NaN in
/// every float, -1 in i64), and its gradient is dropped.
__device__ bool outside(std::int64_t index, std::int64_t length) {
  return index < 0 || index >= length;
}

template <typename T>
__global__ void gather_kernel(GatherShape shape, const T* x, const std::int64_t* indices, T* y,
                              std::int64_t count) {
  const std::int64_t number = thread_number();
  if (number >= count) return;
  const std::int64_t row = number / shape.inner;  // o * count + j
  const std::int64_t i = number - row * shape.inner;
  const std::int64_t o = row / shape.count;
  const std::int64_t index = indices[shape.shared ? row - o * shape.count : number];
  if (outside(index, shape.length)) {
    auto* bytes = reinterpret_cast<unsigned char*>(y + number);
    for (std::size_t byte = 0; byte < sizeof(T); ++byte) bytes[byte] = 0xff;
    return;
  }
  y[number] = x[(o * shape.length + index) * shape.inner + i];
}

/// One index per element: thread (o, i) owns dx[o, :, i].
__global__ void gather_backward_lanes_kernel(GatherShape shape, const float* dy,
                                             const std::int64_t* indices, float* dx) {
  const std::int64_t lane = thread_number();
  if (lane >= shape.outer * shape.inner) return;
  const std::int64_t o = lane / shape.inner;
  const std::int64_t i = lane - o * shape.inner;
  for (std::int64_t j = 0; j < shape.count; ++j) {
    const std::int64_t at = (o * shape.count + j) * shape.inner + i;
    if (outside(indices[at], shape.length)) continue;
    dx[(o * shape.length + indices[at]) * shape.inner + i] += dy[at];
  }
}

/// Shared indices: block (j, o), see above. The block's threads iterate over rows of dy and dx.
__global__ void gather_backward_rows_kernel(GatherShape shape, const float* dy,
                                            const std::int64_t* indices, float* dx) {
  __shared__ int same[kThreads];  // which of the next kThreads indices equal ours
  const std::int64_t j = blockIdx.x % shape.count;
  const std::int64_t o = blockIdx.x / shape.count;
  const std::int64_t index = indices[j];
  if (outside(index, shape.length)) return;  // the whole block
  int earlier = 0;
  for (std::int64_t at = threadIdx.x; at < j; at += kThreads) {
    earlier |= static_cast<int>(indices[at] == index);
  }
  if (__syncthreads_or(earlier) != 0) return;

  float* sums = dx + (o * shape.length + index) * shape.inner;
  const float* rows = dy + o * shape.count * shape.inner;
  for (std::int64_t first = j; first < shape.count; first += kThreads) {
    const std::int64_t mine = first + threadIdx.x;
    same[threadIdx.x] = static_cast<int>(mine < shape.count && indices[mine] == index);
    if (__syncthreads_or(same[threadIdx.x]) != 0) {
      for (std::int64_t i = threadIdx.x; i < shape.inner; i += kThreads) {
        float sum = sums[i];
        for (int at = 0; at < kThreads; ++at) {
          if (same[at] != 0) sum += rows[(first + at) * shape.inner + i];
        }
        sums[i] = sum;
      }
      __syncthreads();  // before `same` is written again
    }
  }
}

/// An element of a lane. Index -1: none.
struct Candidate {
  float value;
  std::int64_t index;
};

/// Whether a precedes b: NaN before numbers, larger before smaller, equal ones by index.
__device__ bool before(const Candidate& a, const Candidate& b) {
  const bool a_nan = a.value != a.value;
  const bool b_nan = b.value != b.value;
  if (a_nan != b_nan) return a_nan;
  if (!a_nan && a.value != b.value) return a.value > b.value;
  return a.index < b.index;
}

__device__ Candidate first_of(const Candidate& a, const Candidate& b) {
  if (a.index < 0) return b;
  if (b.index < 0) return a;
  return before(b, a) ? b : a;
}

/// The first of a warp's candidates, returned to all of its threads.
__device__ Candidate warp_first(Candidate candidate) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const Candidate other{
        __shfl_xor_sync(kAllLanes, candidate.value, offset),
        __shfl_xor_sync(kAllLanes, static_cast<long long>(candidate.index), offset)};
    candidate = first_of(candidate, other);
  }
  return candidate;
}

/// `threads` (1 or a warp) share a lane. x is viewed as [outer, length, inner], lane = o * inner +
/// i.
template <int threads, typename T>
__global__ void topk_kernel(const T* x, std::int64_t lanes, std::int64_t length, std::int64_t inner,
                            std::int64_t k, T* values, std::int64_t* indices) {
  const std::int64_t lane = thread_number() / threads;
  if (lane >= lanes) return;  // whole warps at once if they share a lane
  const std::int64_t o = lane / inner;
  const std::int64_t i = lane - o * inner;
  const T* elements = x + o * length * inner + i;
  const auto first = static_cast<std::int64_t>(threadIdx.x % threads);
  Candidate last{0, -1};
  for (std::int64_t round = 0; round < k; ++round) {
    Candidate best{0, -1};
    for (std::int64_t l = first; l < length; l += threads) {
      const Candidate candidate{to_float(elements[l * inner]), l};
      if (last.index >= 0 && !before(last, candidate)) continue;  // taken in an earlier round
      best = first_of(best, candidate);
    }
    if constexpr (threads == kWarp) best = warp_first(best);
    if (first == 0) {
      const std::int64_t to = (o * k + round) * inner + i;
      values[to] = elements[best.index * inner];
      indices[to] = best.index;
    }
    last = best;
  }
}

template <typename T>
void launch_gather(ExecContext& ctx, const GatherShape& shape, ConstView x, ConstView indices,
                   View y) {
  const std::int64_t count = shape.outer * shape.count * shape.inner;
  launch(gather_kernel<T>, grid_for(count, kThreads), dim3(kThreads), 0, stream_of(ctx), shape,
         x.as<T>(), indices.as<std::int64_t>(), y.as<T>(), count);
}

/// Words of 16 bytes that are only copied.
struct alignas(16) Word16 {
  std::uint64_t content[2];
};

}  // namespace

void run(ExecContext& ctx, const Select& op) {
  const std::int64_t count = op.out.numel();
  if (count == 0) return;
  const StridedIndex<3> index(
      StridedLoop<3>(op.a.sizes, {op.condition.strides, op.a.strides, op.b.strides}));
  with_storage(Select::kName, op.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const bool packed = index.splits_into(kPackOf<T>) && aligned16(op.out.data);
    launch(select_kernel<T>, grid_for(count, kThreads * kPackOf<T>), dim3(kThreads), 0,
           stream_of(ctx), index, static_cast<const std::uint8_t*>(op.condition.data),
           static_cast<const T*>(op.a.data), static_cast<const T*>(op.b.data), op.out.as<T>(),
           count, packed);
  });
}

void run(ExecContext& ctx, const Gather& op) {
  const GatherShape& shape = op.shape;
  if (shape.outer * shape.count * shape.inner == 0) return;
  auto bytes = static_cast<std::int64_t>(size_of(op.x.dtype));
  GatherShape words = shape;
  while (shape.shared && bytes < 16 && words.inner % 2 == 0 && aligned16(op.x.data, op.y.data)) {
    words.inner /= 2;
    bytes *= 2;
  }
  switch (bytes) {
    case 1:
      return launch_gather<std::uint8_t>(ctx, words, op.x, op.indices, op.y);
    case 2:
      return launch_gather<std::uint16_t>(ctx, words, op.x, op.indices, op.y);
    case 4:
      return launch_gather<std::uint32_t>(ctx, words, op.x, op.indices, op.y);
    case 8:
      return launch_gather<std::uint64_t>(ctx, words, op.x, op.indices, op.y);
    default:
      return launch_gather<Word16>(ctx, words, op.x, op.indices, op.y);
  }
}

void run(ExecContext& ctx, const GatherBackward& op) {
  const GatherShape& shape = op.shape;
  run(ctx, Fill{op.dx, 0});
  if (shape.outer * shape.count * shape.inner == 0) return;
  if (shape.shared) {
    launch(gather_backward_rows_kernel, grid_for(shape.outer * shape.count, 1), dim3(kThreads), 0,
           stream_of(ctx), shape, op.dy.f32(), op.indices.as<std::int64_t>(), op.dx.f32());
  } else {
    launch(gather_backward_lanes_kernel, grid_for(shape.outer * shape.inner, kThreads),
           dim3(kThreads), 0, stream_of(ctx), shape, op.dy.f32(), op.indices.as<std::int64_t>(),
           op.dx.f32());
  }
}

void run(ExecContext& ctx, const TopK& op) {
  const std::int64_t inner = op.lanes.inner;
  const std::int64_t lanes = op.lanes.outer * inner;
  if (lanes == 0 || op.k == 0) return;
  with_storage(TopK::kName, op.x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const bool alone = inner >= kWarp;  // adjacent threads then read adjacent elements
    launch(alone ? topk_kernel<1, T> : topk_kernel<kWarp, T>,
           grid_for(lanes * (alone ? 1 : kWarp), kThreads), dim3(kThreads), 0, stream_of(ctx),
           op.x.as<T>(), lanes, op.lanes.length, inner, op.k, op.values.as<T>(),
           op.indices.as<std::int64_t>());
  });
}

}  // namespace hanok::cuda
