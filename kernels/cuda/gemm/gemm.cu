// C [m,n] = A [m,k] * B [k,n] for every GemmShape, and the sum over rows. gemm_tile.h describes the
// tile; each block computes one, the grid enumerates batches of tiles, and the epilogue runs on
// registers before the store. Batch-norm moments are a second sweep over C.
#include <string>
#include <type_traits>

#include "hanok/kernels/cuda/gemm/gemm.h"
#include "hanok/kernels/cuda/gemm/gemm_tile.h"
#include "hanok/kernels/cuda/ops/columns.h"
#include "hanok/kernels/cuda/ops/epilogue.h"
#include "hanok/kernels/cuda/ops/packet.h"

namespace hanok::cuda {
namespace {

/// C in the operands' type, or in f32 if these are of 16 bits.
template <typename T>
struct GemmResult {
  MatrixResult<T> same;
  MatrixResult<float> wide;
  bool is_wide = false;
  std::int64_t rows = 0, columns = 0;

  __device__ void store(std::int64_t row, std::int64_t column, float (&values)[4]) const {
    is_wide ? wide.store(row, column, values) : same.store(row, column, values);
  }
  __device__ void move(std::int64_t offset) { is_wide ? wide.move(offset) : same.move(offset); }
};
template <>
struct GemmResult<float> : MatrixResult<float> {};

template <typename T, bool kTransposeA, bool kTransposeB>
struct GemmProblem {
  MatrixOperand<!kTransposeA, T> a;  // stored [m,k], or [k,m]
  MatrixOperand<kTransposeB, T> b;   // its lines are columns: stored [k,n], or [n,k]
  GemmResult<T> c;
  int k;
  std::int64_t stride_a, stride_b, stride_c;  // from one product of the batch to the next
  TileGrid grid;
};

template <typename Sizes, typename T, bool kTransposeA, bool kTransposeB>
__global__ void __launch_bounds__(Sizes::kThreads)
    gemm_kernel(GemmProblem<T, kTransposeA, kTransposeB> p) {
  __shared__ TileMemory<Sizes> tiles;
  const TilePlace place = tile_place<Sizes>(p.grid);
  p.a.data += place.batch * p.stride_a;
  p.b.data += place.batch * p.stride_b;
  p.c.move(place.batch * p.stride_c);
  multiply_tile<Sizes>(p.a, p.b, p.c, place.row, place.column, 0, p.k, tiles);
}

void check_stride(const char* name, std::int64_t stride, std::int64_t rows, std::int64_t row) {
  if (rows > 1 && stride < row) {
    throw ValueError(std::string("gemm: ") + name + " is " + std::to_string(stride) +
                     ", a stored row has " + std::to_string(row) + " elements");
  }
}

/// 4 adjacent elements of a stored row never cross its end, and are in 16 aligned bytes.
bool vectors_fit(const void* data, std::int64_t row, std::int64_t stride, std::int64_t batch,
                 std::int64_t batch_stride) {
  return row % 4 == 0 && stride % 4 == 0 && (batch == 1 || batch_stride % 4 == 0) &&
         aligned16(data);
}

template <typename Sizes, typename T, bool kTransposeA, bool kTransposeB>
void launch_tiles(ExecContext& ctx, GemmProblem<T, kTransposeA, kTransposeB> problem,
                  std::int64_t batch) {
  problem.grid = TileGrid::of<Sizes>(problem.c.rows, problem.c.columns);
  launch(gemm_kernel<Sizes, T, kTransposeA, kTransposeB>, problem.grid.blocks(batch),
         dim3(Sizes::kThreads), 0, stream_of(ctx), problem);
}

template <bool kTransposeA, bool kTransposeB, typename T>
void multiply(ExecContext& ctx, const GemmShape& s, const T* a, const T* b,
              const GemmResult<T>& c) {
  GemmProblem<T, kTransposeA, kTransposeB> p;
  p.a.data = a;
  p.a.lines = s.m;
  p.a.stride = s.lda;
  p.a.vectors = vectors_fit(a, kTransposeA ? s.m : s.k, s.lda, s.batch, s.stride_a);
  p.b.data = b;
  p.b.lines = s.n;
  p.b.stride = s.ldb;
  p.b.vectors = vectors_fit(b, kTransposeB ? s.k : s.n, s.ldb, s.batch, s.stride_b);
  p.c = c;
  p.k = axis_size("gemm", s.k);
  p.stride_a = s.stride_a;
  p.stride_b = s.stride_b;
  p.stride_c = s.stride_c;
  if (wants_large_tiles(s.m, s.n, s.batch)) {
    launch_tiles<LargeTile>(ctx, p, s.batch);
  } else {
    launch_tiles<SmallTile>(ctx, p, s.batch);
  }
}

template <typename T>
MatrixResult<T> matrix_result(const GemmShape& s, const Epilogue& epilogue, const View& c) {
  MatrixResult<T> result = result_of<T>(epilogue, c, s.m, s.n, s.ldc);
  result.accumulate = s.accumulate;
  result.vectors = result.vectors && (s.batch == 1 || s.stride_c % 4 == 0);
  return result;
}

template <typename T>
GemmResult<T> gemm_result(const GemmShape& s, const Epilogue& epilogue, const View& c) {
  if constexpr (std::is_same_v<T, float>) {
    return {matrix_result<float>(s, epilogue, c)};
  } else {
    GemmResult<T> result;
    result.rows = s.m;
    result.columns = s.n;
    result.is_wide = c.dtype == DType::F32;
    if (result.is_wide) {
      result.wide = matrix_result<float>(s, epilogue, c);
    } else {
      result.same = matrix_result<T>(s, epilogue, c);
    }
    return result;
  }
}

__global__ void combine_row_sums_kernel(const double* partial, std::int64_t blocks,
                                        std::int64_t channels, float* out) {
  __shared__ double shared[2 * kCombineChannels * kCombineLanes];
  const std::int64_t c = blockIdx.x * std::int64_t{kCombineChannels} + threadIdx.x;
  double totals[2];
  combine_sums(partial, blocks, channels, c, shared, totals);
  if (threadIdx.y == 0 && c < channels) out[c] = static_cast<float>(totals[0]);
}

}  // namespace

void gemm(ExecContext& ctx, const GemmShape& s, ConstView a, ConstView b, const Epilogue& epilogue,
          View c) {
  with_storage("gemm", a.dtype, [](auto) {});
  check_dtype("gemm", "b", b, a.dtype);
  if (c.dtype != DType::F32) check_dtype("gemm", "c", c, a.dtype);
  check_epilogue("gemm", epilogue, c.dtype);
  check_stride("lda", s.lda, s.transpose_a ? s.k : s.m, s.transpose_a ? s.m : s.k);
  check_stride("ldb", s.ldb, s.transpose_b ? s.n : s.k, s.transpose_b ? s.k : s.n);
  check_stride("ldc", s.ldc, s.m, s.n);
  if (s.m == 0 || s.n == 0 || s.batch == 0) return;

  with_storage("gemm", a.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const GemmResult<T> result = gemm_result<T>(s, epilogue, c);
    if (s.transpose_a) {
      s.transpose_b ? multiply<true, true>(ctx, s, a.as<T>(), b.as<T>(), result)
                    : multiply<true, false>(ctx, s, a.as<T>(), b.as<T>(), result);
    } else {
      s.transpose_b ? multiply<false, true>(ctx, s, a.as<T>(), b.as<T>(), result)
                    : multiply<false, false>(ctx, s, a.as<T>(), b.as<T>(), result);
    }
  });
  if (epilogue.bn_mean_var.defined()) {
    column_moments(ctx, c, {s.batch, s.m, s.ldc, s.stride_c}, s.n, epilogue.bn_mean_var);
  }
}

void run(ExecContext& ctx, const SumRows& op) {
  check_dtype(SumRows::kName, "out", op.out, DType::F32);
  if (op.channels == 0) return;
  Workspace::Scope scope(ctx.workspace);
  ColumnSums sums;
  sums.dy = op.x;
  const PartialSums partial = column_sums(ctx, SumRows::kName, sums, op.rows, op.channels, scope);
  launch(combine_row_sums_kernel, grid_for(op.channels, kCombineChannels),
         dim3(kCombineChannels, kCombineLanes), 0, stream_of(ctx), partial.data, partial.blocks,
         op.channels, op.out.f32());
}

}  // namespace hanok::cuda
