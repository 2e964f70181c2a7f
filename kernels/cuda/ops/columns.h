// Sweeps over a matrix [rows, channels] in which a thread keeps its channels: the base of batch
// norm, epilogues and bias gradients.
//
//   block   x: packets of channels (up to 32: 512 bytes of a row), y: rows; 256 threads
//   grid    x: row blocks times channel tiles
//
// So accesses are coalesced, a thread reads its channels' parameters once for many rows, and sums
// over rows stay in registers until the block's end. All splits are determined by the shape.
#pragma once

#include <algorithm>

#include "hanok/kernels/cuda/ops/epilogue.h"
#include "hanok/kernels/cuda/runtime/launch.h"

namespace hanok::cuda {

inline constexpr int kColumnThreads = 256;

struct ColumnTiles {
  dim3 grid, block;
  std::int64_t rows = 0;
  std::int64_t packets = 0;  // per row
  std::int64_t tiles = 0;    // channel tiles
  std::int64_t row_blocks = 0;
  std::int64_t rows_per_block = 0;
};

/// Splits rows into blocks of at least `row_turns` rows per thread, but at most `most_blocks`
/// blocks in all (0: no limit).
inline ColumnTiles column_tiles(std::int64_t rows, std::int64_t packets, std::int64_t row_turns,
                                std::int64_t most_blocks) {
  ColumnTiles t;
  t.rows = rows;
  t.packets = packets;
  unsigned x = 1;
  while (x < 32 && x < packets) x *= 2;
  t.block = dim3(x, kColumnThreads / x);
  t.tiles = (packets + x - 1) / x;
  t.rows_per_block = row_turns * t.block.y;
  if (most_blocks > 0) {
    const std::int64_t wanted = std::max<std::int64_t>(most_blocks / t.tiles, 1);
    const std::int64_t least = (rows + wanted - 1) / wanted;
    t.rows_per_block = std::max(t.rows_per_block, (least + t.block.y - 1) / t.block.y * t.block.y);
  }
  t.row_blocks = (rows + t.rows_per_block - 1) / t.rows_per_block;
  t.grid = dim3(static_cast<unsigned>(t.row_blocks * t.tiles));
  return t;
}

/// A thread's position.
struct ColumnPlace {
  std::int64_t packet, row_block, row, row_end;
  bool inside;  // its channels exist; other threads still participate in the block's barriers
};

__device__ inline ColumnPlace column_place(const ColumnTiles& t, std::int64_t block) {
  ColumnPlace p;
  p.row_block = block / t.tiles;
  p.packet = block % t.tiles * blockDim.x + threadIdx.x;
  p.row = p.row_block * t.rows_per_block + threadIdx.y;
  p.row_end = p.row_block * t.rows_per_block + t.rows_per_block;
  if (p.row_end > t.rows) p.row_end = t.rows;
  p.inside = p.packet < t.packets;
  return p;
}
__device__ inline ColumnPlace column_place(const ColumnTiles& t) {
  return column_place(t, blockIdx.x);
}

/// Sums `values` over the block's rows (threadIdx.y) in a fixed tree; row 0 gets the result.
/// `shared` has kCount * kColumnThreads elements.
template <int kCount>
__device__ inline void sum_block_rows(double (&values)[kCount], double* shared) {
  const unsigned me = threadIdx.y * blockDim.x + threadIdx.x;
  for (int i = 0; i < kCount; ++i) shared[i * kColumnThreads + me] = values[i];
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half) {
      for (int i = 0; i < kCount; ++i) {
        shared[i * kColumnThreads + me] += shared[i * kColumnThreads + me + half * blockDim.x];
      }
    }
  }
  if (threadIdx.y == 0) {
    for (int i = 0; i < kCount; ++i) values[i] = shared[i * kColumnThreads + me];
  }
}

/// y = activation((x - center) * scale_a * scale_b + shift + residual), all but x and y optional:
/// f32 parameters [channels]; x, residual and y have one storage type. y may alias x.
struct AffineColumns {
  ConstView x;
  ConstView center, scale_a, scale_b, shift;
  ConstView residual;
  Activation activation = Activation::None;
  View y;
};
void affine_columns(ExecContext& ctx, const char* op, const AffineColumns& affine,
                    std::int64_t rows, std::int64_t channels);

/// ReLU's gate recomputed from x if y was not saved: open where (x - mean) * scale + shift > 0, in
/// the arithmetic of affine_columns.
struct GateFromX {
  bool wanted = false;
  const float *gamma = nullptr, *invstd = nullptr, *beta = nullptr;  // gamma, beta may be null

  __device__ float scale(std::int64_t c) const { return (gamma ? gamma[c] : 1.0F) * invstd[c]; }
  __device__ float shift(std::int64_t c) const { return beta ? beta[c] : 0.0F; }
};

/// Sums over rows of g = dy (0 where y, if defined, is not positive, or where the gate is closed)
/// and of g * (x - mean). Without x the second sum is 0.
struct ColumnSums {
  ConstView dy, y, x, mean;
  GateFromX gate;
};
/// Partial sums of fixed row blocks, to be added in order: double [blocks, 2, channels].
struct PartialSums {
  double* data = nullptr;
  std::int64_t blocks = 0;
};
PartialSums column_sums(ExecContext& ctx, const char* op, const ColumnSums& sums, std::int64_t rows,
                        std::int64_t channels, Workspace::Scope& scope);

/// A channel's two sums from the partial sums: each of `kLanes` threads (threadIdx.y) adds every
/// kLanes-th block; lane 0 returns the total. `shared`: 2 * 32 * kLanes doubles.
inline constexpr int kCombineChannels = 32;
inline constexpr int kCombineLanes = 8;
__device__ inline void combine_sums(const double* partial, std::int64_t blocks,
                                    std::int64_t channels, std::int64_t channel, double* shared,
                                    double (&totals)[2]) {
  totals[0] = 0;
  totals[1] = 0;
  if (channel < channels) {
    for (std::int64_t block = threadIdx.y; block < blocks; block += kCombineLanes) {
      totals[0] += partial[2 * block * channels + channel];
      totals[1] += partial[(2 * block + 1) * channels + channel];
    }
  }
  const unsigned at = threadIdx.y * kCombineChannels + threadIdx.x;
  shared[at] = totals[0];
  shared[at + kCombineChannels * kCombineLanes] = totals[1];
  __syncthreads();
  for (unsigned lane = 1; threadIdx.y == 0 && lane < kCombineLanes; ++lane) {
    totals[0] += shared[at + lane * kCombineChannels];
    totals[1] += shared[at + lane * kCombineChannels + kCombineChannels * kCombineLanes];
  }
}

}  // namespace hanok::cuda
