// Sums over any dimensions of a strided operand, accumulated in double.
//
// The dimensions are split into kept and reduced ones, each walked by a StridedIndex. Threads are
// arranged so that a warp reads adjacent elements:
//   rows     The operand is contiguous along a reduced dimension: 8, 32 or 256 threads share one
//            kept element and add along it; shuffles and (for 256) shared memory combine their
//            sums.
//   columns  Else: 32 adjacent threads process 32 kept elements, and several such warps share the
//            reduced ones.
// Long reductions over few kept elements are split into parts depending on sizes alone; the
// columns kernel then adds the parts' sums [parts, kept]. Every order of additions is fixed by the
// shape, so every run gives the same bits.
//
// Roofline: memory, one read of x; 2 operations in f64 (conversion, addition) per 4 bytes. That is
// a fifth of an H100's f64 rate, and about the whole f64 rate of a consumer card.
#include <algorithm>

#include "hanok/kernels/cuda/ops/storage.h"
#include "hanok/kernels/cuda/ops/strided.h"
#include "hanok/kernels/cuda/ops/tensor_list.h"
#include "hanok/kernels/cuda/runtime/launch.h"
#include "hanok/kernels/primitives/index.h"
#include "hanok/kernels/primitives/reduce.h"

namespace hanok::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffU;

// Parts: enough blocks to fill a GPU, but each with enough work to hide the second pass.
constexpr std::int64_t kWantedBlocks = 1024;
constexpr std::int64_t kRowPart = 4096;  // minimum reduced elements per part, rows
constexpr std::int64_t kColumnPart = 256;  // the same, columns

__device__ double to_double(double x) { return x; }
template <typename T>
__device__ double to_double(T x) {
  return static_cast<double>(to_float(x));
}

/// Sum over groups of `lanes` (a power of two up to 32) neighbouring lanes, in all of them.
template <int lanes>
__device__ double group_sum(double x) {
  for (int offset = lanes / 2; offset > 0; offset /= 2) {
    x += __shfl_xor_sync(kAllLanes, x, offset);
  }
  return x;
}

/// Sum over a block of kThreads, in thread 0.
__device__ double block_sum(double x) {
  __shared__ double warp_sums[kThreads / kWarp];
  const double sum = group_sum<kWarp>(x);
  if (threadIdx.x % kWarp == 0) warp_sums[threadIdx.x / kWarp] = sum;
  __syncthreads();
  double total = 0;
  if (threadIdx.x == 0) {
    for (const double each : warp_sums) total += each;
  }
  return total;
}

/// What is summed and where the sums go: for part p of kept element k to partial[p * kept_size + k]
/// or, if partial is null, divided, to out[k].
struct Reduction {
  StridedIndex<1> kept, reduced;
  std::int64_t kept_size, reduced_size, part_length;
  double* partial;
  void* out;
  DType out_dtype;
  double divisor;
};

__device__ void store_sum(const Reduction& r, std::int64_t part, std::int64_t k, double sum) {
  if (r.partial != nullptr) {
    r.partial[part * r.kept_size + k] = sum;
    return;
  }
  const auto result = static_cast<float>(sum / r.divisor);
  if (r.out_dtype == DType::F32) {
    static_cast<float*>(r.out)[k] = result;
  } else if (r.out_dtype == DType::F16) {
    static_cast<__half*>(r.out)[k] = from_float<__half>(result);
  } else {
    static_cast<__nv_bfloat16*>(r.out)[k] = from_float<__nv_bfloat16>(result);
  }
}

/// Sum of x at the reduced elements first, first + step, ... below end.
template <typename T>
__device__ double sum_of(const StridedIndex<1>& reduced, const T* x, std::int64_t first,
                         std::int64_t end, int step) {
  double sum = 0;
  if (reduced.rank == 1) {
    const std::int64_t stride = reduced.steps[0][0];
    for (std::int64_t i = first; i < end; i += step) sum += to_double(x[i * stride]);
  } else {
    for (std::int64_t i = first; i < end; i += step) {
      std::int64_t at[1];
      reduced.offsets_of(i, at);
      sum += to_double(x[at[0]]);
    }
  }
  return sum;
}

/// `lanes` adjacent threads per kept element: 8, 32 or all 256.
template <int lanes, typename T>
__global__ void reduce_rows_kernel(Reduction r, const T* x, std::int64_t kept_blocks) {
  constexpr int kKept = kThreads / lanes;  // kept elements per block
  const std::int64_t part = blockIdx.x / kept_blocks;
  const std::int64_t k = blockIdx.x % kept_blocks * kKept + threadIdx.x / lanes;
  double sum = 0;
  if (k < r.kept_size) {
    const std::int64_t begin = part * r.part_length;
    const std::int64_t end =
        begin + r.part_length < r.reduced_size ? begin + r.part_length : r.reduced_size;
    std::int64_t at[1];
    r.kept.offsets_of(k, at);
    sum = sum_of(r.reduced, x + at[0], begin + threadIdx.x % lanes, end, lanes);
  }
  if constexpr (lanes == kThreads) {
    sum = block_sum(sum);
  } else {
    sum = group_sum<lanes>(sum);
  }
  if (threadIdx.x % lanes == 0 && k < r.kept_size) store_sum(r, part, k, sum);
}

/// A warp along the kept elements, `rows` warps along the reduced ones.
template <int rows, typename T>
__global__ void __launch_bounds__(kWarp* rows)
    reduce_columns_kernel(Reduction r, const T* x, std::int64_t kept_blocks) {
  __shared__ double sums[rows][kWarp];
  const std::int64_t part = blockIdx.x / kept_blocks;
  const std::int64_t k = blockIdx.x % kept_blocks * kWarp + threadIdx.x;
  if (k < r.kept_size) {
    const std::int64_t begin = part * r.part_length;
    const std::int64_t end =
        begin + r.part_length < r.reduced_size ? begin + r.part_length : r.reduced_size;
    std::int64_t at[1];
    r.kept.offsets_of(k, at);
    sums[threadIdx.y][threadIdx.x] = sum_of(r.reduced, x + at[0], begin + threadIdx.y, end, rows);
  }
  __syncthreads();
  if (threadIdx.y == 0 && k < r.kept_size) {
    double total = 0;
    for (const auto& row : sums) total += row[threadIdx.x];
    store_sum(r, part, k, total);
  }
}

/// dx[o,l,i] = dy[o,i] if indices[o,i] is l, else 0. Operand 0 of the walk over dx is dy's offset,
/// operand 1 is l itself.
template <typename T>
__global__ void scatter_along_kernel(StridedIndex<2> index, const T* dy,
                                     const std::int64_t* indices, T* dx, std::int64_t count) {
  const std::int64_t number = thread_number();
  if (number >= count) return;
  std::int64_t at[2];
  index.offsets_of(number, at);
  dx[number] = indices[at[0]] == at[1] ? dy[at[0]] : from_float<T>(0.0F);
}

// ---- norms ----

constexpr int kNormBlock = 16384;  // elements summed by a block

struct NormItem {
  const float* data;
};

__global__ void norm_squares_kernel(TensorList<NormItem> list, double* partial) {
  const int which = list.find(static_cast<int>(blockIdx.x));
  const std::int64_t begin =
      static_cast<std::int64_t>(static_cast<int>(blockIdx.x) - list.first_block[which]) *
      kNormBlock;
  const std::int64_t end =
      begin + kNormBlock < list.counts[which] ? begin + kNormBlock : list.counts[which];
  double sum = 0;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const double value = list.items[which].data[i];
    sum += value * value;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

/// One block: out = sqrt(sum of partial).
__global__ void norm_finish_kernel(const double* partial, std::int64_t count, float* out) {
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += kThreads) sum += partial[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *out = static_cast<float>(sqrt(sum));
}

// ---- what to launch ----

std::int64_t blocks_of(std::int64_t total, std::int64_t block) {
  return (total + block - 1) / block;
}

/// The dimensions of x that are kept, or those that are reduced, in order.
StridedIndex<1> index_over(const StridedConstView& x, std::uint32_t dims, bool reduced) {
  Shape sizes;
  Strides strides;
  for (int dim = 0; dim < x.sizes.rank(); ++dim) {
    if (((dims >> dim) & 1U) == static_cast<std::uint32_t>(reduced)) {
      sizes.push_back(x.sizes[dim]);
      strides.push_back(x.strides[dim]);
    }
  }
  return StridedIndex<1>(StridedLoop<1>(sizes, {strides}));
}

/// The thread arrangements, chosen by sizes alone.
enum class Layout { Rows8, Rows32, Rows256, Columns };

Layout layout_of(const Reduction& r) {
  if (r.reduced.row_step(0) != 1 || r.reduced.sizes[r.reduced.rank - 1] < 4) {
    return Layout::Columns;
  }
  if (r.reduced_size <= 64) return Layout::Rows8;
  return r.reduced_size <= 1024 && r.kept_size >= 64 ? Layout::Rows32 : Layout::Rows256;
}

constexpr int kColumnRows = 8;
constexpr int kPartRows = 32;  // of the second pass: few kept elements, up to 1024 parts

std::int64_t kept_per_block(Layout layout) {
  switch (layout) {
    case Layout::Rows8:
      return kThreads / 8;
    case Layout::Rows32:
      return kThreads / 32;
    case Layout::Rows256:
      return 1;
    case Layout::Columns:
      break;
  }
  return kWarp;
}

template <typename T>
void launch_first_pass(ExecContext& ctx, Layout layout, const Reduction& r, const T* x,
                       std::int64_t kept_blocks, std::int64_t parts) {
  const dim3 grid = grid_for(kept_blocks * parts, 1);
  const dim3 rows_block(kThreads);
  switch (layout) {
    case Layout::Rows8:
      return launch(reduce_rows_kernel<8, T>, grid, rows_block, 0, stream_of(ctx), r, x,
                    kept_blocks);
    case Layout::Rows32:
      return launch(reduce_rows_kernel<32, T>, grid, rows_block, 0, stream_of(ctx), r, x,
                    kept_blocks);
    case Layout::Rows256:
      return launch(reduce_rows_kernel<kThreads, T>, grid, rows_block, 0, stream_of(ctx), r, x,
                    kept_blocks);
    case Layout::Columns:
      return launch(reduce_columns_kernel<kColumnRows, T>, grid, dim3(kWarp, kColumnRows), 0,
                    stream_of(ctx), r, x, kept_blocks);
  }
}

}  // namespace

void run(ExecContext& ctx, const Reduce& op) {
  const std::int64_t kept_size = op.out.numel();
  if (kept_size == 0) return;
  Reduction r{index_over(op.x, op.dims, false),
              index_over(op.x, op.dims, true),
              kept_size,
              0,
              0,
              nullptr,
              op.out.data,
              op.out.dtype,
              1.0};
  r.reduced_size = op.x.sizes.numel() / kept_size;
  if (op.kind == ReduceOp::Mean) r.divisor = static_cast<double>(r.reduced_size);

  const Layout layout = layout_of(r);
  const std::int64_t kept_blocks = blocks_of(kept_size, kept_per_block(layout));
  const std::int64_t least = layout == Layout::Columns ? kColumnPart : kRowPart;
  const std::int64_t most_parts = std::max<std::int64_t>(kWantedBlocks / kept_blocks, 1);
  const std::int64_t wanted = std::clamp<std::int64_t>(r.reduced_size / least, 1, most_parts);
  r.part_length = std::max<std::int64_t>(blocks_of(r.reduced_size, wanted), 1);
  const std::int64_t parts = std::max<std::int64_t>(blocks_of(r.reduced_size, r.part_length), 1);

  Workspace::Scope scope(ctx.workspace);
  if (parts > 1) r.partial = scope.take_array<double>(parts * kept_size);
  with_storage(Reduce::kName, op.out.dtype, [](auto) {});
  with_storage(Reduce::kName, op.x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch_first_pass(ctx, layout, r, static_cast<const T*>(op.x.data), kept_blocks, parts);
  });
  if (parts == 1) return;

  const double* partial = r.partial;  // [parts, kept]
  Reduction second = r;
  second.kept = StridedIndex<1>(StridedLoop<1>(Shape{kept_size}, {Strides{1}}));
  second.reduced = StridedIndex<1>(StridedLoop<1>(Shape{parts}, {Strides{kept_size}}));
  second.reduced_size = parts;
  second.part_length = parts;
  second.partial = nullptr;
  const std::int64_t blocks = blocks_of(kept_size, kWarp);
  launch(reduce_columns_kernel<kPartRows, double>, grid_for(blocks, 1), dim3(kWarp, kPartRows), 0,
         stream_of(ctx), second, partial, blocks);
}

void run(ExecContext& ctx, const MaxAlong& op) {
  run(ctx, TopK{op.x, op.lanes, 1, op.values, op.indices});  // has the same order of elements
}

void run(ExecContext& ctx, const ScatterAlong& op) {
  const Lanes& lanes = op.lanes;
  const std::int64_t count = lanes.outer * lanes.length * lanes.inner;
  if (count == 0) return;
  const StridedIndex<2> index(StridedLoop<2>(Shape{lanes.outer, lanes.length, lanes.inner},
                                             {Strides{lanes.inner, 0, 1}, Strides{0, 1, 0}}));
  with_storage(ScatterAlong::kName, op.dx.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(scatter_along_kernel<T>, grid_for(count, kThreads), dim3(kThreads), 0, stream_of(ctx),
           index, op.dy.as<T>(), op.indices.as<std::int64_t>(), op.dx.as<T>(), count);
  });
}

void run(ExecContext& ctx, const L2Norm& op) {
  std::int64_t blocks = 0;
  for (const ConstView& x : op.xs) blocks += blocks_of(x.numel(), kNormBlock);
  Workspace::Scope scope(ctx.workspace);
  auto* partial = scope.take_array<double>(std::max<std::int64_t>(blocks, 1));
  double* next = partial;
  for_tensor_lists<NormItem>(
      op.xs, kNormBlock, [](const ConstView& x) { return x.numel(); },
      [](const ConstView& x) { return NormItem{x.f32()}; },
      [&](const TensorList<NormItem>& list) {
        launch(norm_squares_kernel, grid_for(list.blocks(), 1), dim3(kThreads), 0, stream_of(ctx),
               list, next);
        next += list.blocks();
      });
  launch(norm_finish_kernel, grid_for(1, 1), dim3(kThreads), 0, stream_of(ctx), partial, blocks,
         op.out.f32());
}

}  // namespace hanok::cuda
