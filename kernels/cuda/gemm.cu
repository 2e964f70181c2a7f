// C [m,n] = A [m,k] * B [k,n] for every GemmShape, and the sum over rows. The tile is described in
// gemm_tile.h; a block takes one, batches lie behind each other in the grid, and the epilogue runs
// on the registers before they are stored. Batch-norm moments are a second sweep over C.
#include <string>

#include "kernels/cuda/columns.h"
#include "kernels/cuda/epilogue.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/gemm_tile.h"
#include "kernels/cuda/packet.h"

namespace hanok::cuda {
namespace {

template <bool kTransposeA, bool kTransposeB>
struct GemmProblem {
  MatrixOperand<!kTransposeA> a;  // stored [m,k], or [k,m]
  MatrixOperand<kTransposeB> b;   // its lines are columns: stored [k,n], or [n,k]
  MatrixResult c;
  int k;
  std::int64_t stride_a, stride_b, stride_c;  // from one product of the batch to the next
  TileGrid grid;
};

template <typename Sizes, bool kTransposeA, bool kTransposeB>
__global__ void __launch_bounds__(Sizes::kThreads)
    gemm_kernel(GemmProblem<kTransposeA, kTransposeB> p) {
  __shared__ TileMemory<Sizes> tiles;
  const TilePlace place = tile_place<Sizes>(p.grid);
  p.a.data += place.batch * p.stride_a;
  p.b.data += place.batch * p.stride_b;
  p.c.data += place.batch * p.stride_c;
  if (p.c.residual) p.c.residual += place.batch * p.stride_c;
  multiply_tile<Sizes>(p.a, p.b, p.c, place.row, place.column, 0, p.k, tiles);
}

void check_stride(const char* name, std::int64_t stride, std::int64_t rows, std::int64_t row) {
  if (rows > 1 && stride < row) {
    throw ValueError(std::string("gemm: ") + name + " is " + std::to_string(stride) +
                     ", a stored row has " + std::to_string(row) + " elements");
  }
}

/// 4 neighbours of a stored row never cross its end, and all lie in 16 aligned bytes.
bool vectors_fit(const void* data, std::int64_t row, std::int64_t stride, std::int64_t batch,
                 std::int64_t batch_stride) {
  return row % 4 == 0 && stride % 4 == 0 && (batch == 1 || batch_stride % 4 == 0) &&
         aligned16(data);
}

template <typename Sizes, bool kTransposeA, bool kTransposeB>
void launch_tiles(ExecContext& ctx, GemmProblem<kTransposeA, kTransposeB> problem,
                  std::int64_t batch) {
  problem.grid = TileGrid::of<Sizes>(problem.c.rows, problem.c.columns);
  launch(gemm_kernel<Sizes, kTransposeA, kTransposeB>, problem.grid.blocks(batch),
         dim3(Sizes::kThreads), 0, stream_of(ctx), problem);
}

template <bool kTransposeA, bool kTransposeB>
void run(ExecContext& ctx, const GemmShape& s, const float* a, const float* b,
         const MatrixResult& c) {
  GemmProblem<kTransposeA, kTransposeB> p;
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
  check_dtype("gemm", "a", a, DType::F32);
  check_dtype("gemm", "b", b, DType::F32);
  check_dtype("gemm", "c", c, DType::F32);
  check_dtype("gemm", "the epilogue's scale", epilogue.scale, DType::F32);
  check_dtype("gemm", "the epilogue's shift", epilogue.shift, DType::F32);
  check_dtype("gemm", "the epilogue's residual", epilogue.residual, DType::F32);
  check_stride("lda", s.lda, s.transpose_a ? s.k : s.m, s.transpose_a ? s.m : s.k);
  check_stride("ldb", s.ldb, s.transpose_b ? s.n : s.k, s.transpose_b ? s.k : s.n);
  check_stride("ldc", s.ldc, s.m, s.n);
  if (s.m == 0 || s.n == 0 || s.batch == 0) return;

  MatrixResult result;
  result.data = c.f32();
  result.rows = s.m;
  result.columns = s.n;
  result.stride = s.ldc;
  result.accumulate = s.accumulate;
  result.scale = epilogue.scale.f32();
  result.shift = epilogue.shift.f32();
  result.residual = epilogue.residual.f32();
  result.relu = epilogue.activation == Activation::Relu;
  result.vectors = s.ldc % 4 == 0 && (s.batch == 1 || s.stride_c % 4 == 0) &&
                   aligned16(result.data) && aligned16(result.residual);
  if (s.transpose_a) {
    s.transpose_b ? run<true, true>(ctx, s, a.f32(), b.f32(), result)
                  : run<true, false>(ctx, s, a.f32(), b.f32(), result);
  } else {
    s.transpose_b ? run<false, true>(ctx, s, a.f32(), b.f32(), result)
                  : run<false, false>(ctx, s, a.f32(), b.f32(), result);
  }
  if (epilogue.bn_mean_var.defined()) {
    column_moments(ctx, c, {s.batch, s.m, s.ldc, s.stride_c}, s.n, epilogue.bn_mean_var);
  }
}

void sum_rows(ExecContext& ctx, ConstView x, std::int64_t rows, std::int64_t channels, View out) {
  check_dtype("sum_rows", "out", out, DType::F32);
  if (channels == 0) return;
  Workspace::Scope scope(ctx.workspace);
  ColumnSums sums;
  sums.dy = x;
  const PartialSums partial = column_sums(ctx, "sum_rows", sums, rows, channels, scope);
  launch(combine_row_sums_kernel, grid_for(channels, kCombineChannels),
         dim3(kCombineChannels, kCombineLanes), 0, stream_of(ctx), partial.data, partial.blocks,
         channels, out.f32());
}

}  // namespace hanok::cuda
