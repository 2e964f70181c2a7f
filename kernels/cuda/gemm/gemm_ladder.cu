// C [m,n] = A [m,k] B [k,n] from the definition to tensor cores. Each rung keeps what the one
// before had and changes one thing; sizes need not be multiples of anything.
//
// What limits a rung is how often it fetches an operand. With T FLOP/s and B bytes/s a kernel must
// do T / B FLOP for each byte: 20 to 40 for f32 on today's GPUs' memories, hundreds on their tensor
// cores. Every element of A meets n elements of B, so the ratio grows with the size of the piece
// of C that stays near while A and B pass by:
//
//   rung             piece of C   held in    FLOP a byte of   memory/L2   shared memory
//   naive            1            a thread                    1/4 *
//   coalesced        1            a thread                    1/4
//   shared_tiles     32 x 32      a block                     8           1/4
//   register_tiles   128 x 128    a block, 8 x 8 a thread     32          2
//   vectorized       the same, with a quarter of the instructions for loads
//   double_buffered  the same, and no thread waits for memory while it could multiply
//   tensor_tf32      128 x 128    64 x 32 a warp, multiplied by tensor cores
//   tensor_bf16      the same, with two k in a register: half the instructions
//   tensor_half      the same, operands stored in 16 bits     64          11
//   * and each access of a warp touches 32 lines
//
// An A100 or H100 would show about 1, 8, 12, 60, 75, 85% of their f32 peak for the first six at
// m = n = k = 4096 (what such ladders have measured elsewhere; bench/README.md says what was
// measured here). Read along with S. Boehm, "How to Optimize a CUDA Matmul Kernel", 2022, and
// NVIDIA, "CUTLASS: Fast Linear Algebra in CUDA C++", 2017.
#include <string>

#include "hanok/kernels/cuda/gemm/gemm_ladder.h"
#include "hanok/kernels/cuda/gemm/gemm_tile.h"
#include "hanok/kernels/cuda/runtime/intrinsics.h"
#include "hanok/kernels/cuda/ops/packet.h"

namespace hanok::cuda {
namespace {

struct Product {
  const float *a, *b;  // [m,k], [k,n]
  float* c;            // [m,n]
  std::int64_t m, n;
  int k;
  bool vectors;  // rows of A and B start at 16 bytes, and have a multiple of 4 elements
};

// ---- 1. naive: a thread computes an element from the definition ----
// The warp's 32 threads have neighbouring rows: they read 32 elements of A that lie k apart, 32
// memory lines for one useful float each, and write C likewise.

constexpr int kLine = 32;

__global__ void gemm_naive_kernel(Product p) {
  const std::int64_t i = blockIdx.x * std::int64_t{kLine} + threadIdx.x;
  const std::int64_t j = blockIdx.y * std::int64_t{8} + threadIdx.y;
  if (i >= p.m || j >= p.n) return;
  float sum = 0;
  for (int k = 0; k < p.k; ++k) sum += p.a[i * p.k + k] * p.b[k * p.n + j];
  p.c[i * p.n + j] = sum;
}

// ---- 2. coalesced: the warp lies along a row of C ----
// Same code, but threadIdx.x counts columns: 32 neighbours of B and C come in one 128-byte line,
// and all threads read the same element of A, which is one broadcast.

__global__ void gemm_coalesced_kernel(Product p) {
  const std::int64_t j = blockIdx.x * std::int64_t{kLine} + threadIdx.x;
  const std::int64_t i = blockIdx.y * std::int64_t{8} + threadIdx.y;
  if (i >= p.m || j >= p.n) return;
  float sum = 0;
  for (int k = 0; k < p.k; ++k) sum += p.a[i * p.k + k] * p.b[k * p.n + j];
  p.c[i * p.n + j] = sum;
}

// ---- 3. shared tiles: a block fetches each element once for 32 uses ----
// Two barriers a step: none may multiply before all have fetched, and none may fetch the next tile
// while another still multiplies this one.

__global__ void __launch_bounds__(1024) gemm_shared_tiles_kernel(Product p) {
  __shared__ float a[kLine][kLine];
  __shared__ float b[kLine][kLine];
  const auto x = static_cast<int>(threadIdx.x);
  const auto y = static_cast<int>(threadIdx.y);
  const std::int64_t j = blockIdx.x * std::int64_t{kLine} + x;
  const std::int64_t i = blockIdx.y * std::int64_t{kLine} + y;
  float sum = 0;
  for (int k = 0; k < p.k; k += kLine) {
    a[y][x] = i < p.m && k + x < p.k ? p.a[i * p.k + k + x] : 0.0F;
    b[y][x] = j < p.n && k + y < p.k ? p.b[(k + y) * p.n + j] : 0.0F;
    __syncthreads();
    for (int depth = 0; depth < kLine; ++depth) sum += a[y][depth] * b[depth][x];
    __syncthreads();
  }
  if (i < p.m && j < p.n) p.c[i * p.n + j] = sum;
}

// ---- 4. register tiles: a thread multiplies 8 x 8 elements out of 8 + 8 registers ----
// The rung before reads shared memory twice for each multiply-add, and shared memory delivers one
// word a lane and cycle: at most half of the peak. Now 16 words serve 64 multiply-adds.

constexpr int kTile = 128;  // rows and columns of C a block
constexpr int kMine = 8;    // rows and columns a thread
constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) gemm_register_tiles_kernel(Product p) {
  constexpr int kDepth = 8;
  __shared__ float a[kTile][kDepth + 1];  // + 1: a column of it falls into different banks
  __shared__ float b[kDepth][kTile];
  const auto me = static_cast<int>(threadIdx.x);
  const std::int64_t row = blockIdx.y * std::int64_t{kTile};
  const std::int64_t column = blockIdx.x * std::int64_t{kTile};
  const int my_row = me / 16 * kMine;
  const int my_column = me % 16;  // and every 16th after it: neighbours read neighbours
  float sums[kMine][kMine] = {};
  for (int k = 0; k < p.k; k += kDepth) {
    for (int i = me; i < kTile * kDepth; i += kThreads) {
      const std::int64_t r = row + i / kDepth;
      const int depth = k + i % kDepth;
      a[i / kDepth][i % kDepth] = r < p.m && depth < p.k ? p.a[r * p.k + depth] : 0.0F;
    }
    for (int i = me; i < kTile * kDepth; i += kThreads) {
      const int depth = k + i / kTile;
      const std::int64_t c = column + i % kTile;
      b[i / kTile][i % kTile] = depth < p.k && c < p.n ? p.b[depth * p.n + c] : 0.0F;
    }
    __syncthreads();
#pragma unroll
    for (int depth = 0; depth < kDepth; ++depth) {
      float mine_a[kMine];
      float mine_b[kMine];
      for (int i = 0; i < kMine; ++i) mine_a[i] = a[my_row + i][depth];
      for (int j = 0; j < kMine; ++j) mine_b[j] = b[depth][my_column + 16 * j];
      for (int i = 0; i < kMine; ++i) {
        for (int j = 0; j < kMine; ++j) sums[i][j] += mine_a[i] * mine_b[j];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < kMine; ++i) {
#pragma unroll
    for (int j = 0; j < kMine; ++j) {
      const std::int64_t r = row + my_row + i;
      const std::int64_t c = column + my_column + 16 * j;
      if (r < p.m && c < p.n) p.c[r * p.n + c] = sums[i][j];
    }
  }
}

// ---- 5. vectorized: 16 bytes an access, and the next tile is fetched meanwhile ----
// Four elements an instruction, to and from global and shared memory; A's tile is stored transposed
// so that 4 rows of a k are neighbours. Registers carry the next step's elements while the present
// one is multiplied, and two buffers need one barrier a step. This is multiply_tile of gemm_tile.h,
// the kernel that gemm.h uses: there it also serves transposes, batches and epilogues.

__global__ void __launch_bounds__(kThreads) gemm_vectorized_kernel(Product p) {
  __shared__ TileMemory<LargeTile> tiles;
  MatrixOperand<true> a;
  a.data = p.a;
  a.lines = p.m;
  a.stride = p.k;
  a.vectors = p.vectors;
  MatrixOperand<false> b;
  b.data = p.b;
  b.lines = p.n;
  b.stride = p.n;
  b.vectors = p.vectors;
  MatrixResult<float> c;
  c.data = p.c;
  c.rows = p.m;
  c.columns = p.n;
  c.stride = p.n;
  c.vectors = p.vectors;
  multiply_tile<LargeTile>(a, b, c, blockIdx.y * std::int64_t{kTile},
                           blockIdx.x * std::int64_t{kTile}, 0, p.k, tiles);
}

// ---- 6. double buffered by cp.async: copies bypass registers ----
// The copy engine writes to shared memory directly (sm_80), without registers or store
// instructions. A copy cannot transpose, so A keeps its layout, and a thread reads 4 k of a row at
// once.

constexpr int kDepth = 16;
constexpr int kStrideA = kDepth + 4;  // rows start 20 banks apart: 8 rows do not conflict
constexpr int kStrideB = kTile + 8;

struct AsyncTiles {
  alignas(16) float a[2][kTile][kStrideA];
  alignas(16) float b[2][kDepth][kStrideB];
};

/// Starts the copies of tile k of A and B into one of the buffers; zeros beyond the edges.
__device__ void fetch_tiles(const Product& p, std::int64_t row, std::int64_t column, int k,
                            int buffer, AsyncTiles& tiles) {
  const auto me = static_cast<int>(threadIdx.x);
  const int width = p.vectors ? 4 : 1;
  for (int i = me * width; i < kTile * kDepth; i += kThreads * width) {
    const std::int64_t r = row + i / kDepth;
    const int depth = k + i % kDepth;
    const bool inside = r < p.m && depth < p.k;
    const float* from = inside ? p.a + r * p.k + depth : p.a;
    float* to = &tiles.a[buffer][i / kDepth][i % kDepth];
    p.vectors ? copy_async16(to, from, inside) : copy_async4(to, from, inside);
  }
  for (int i = me * width; i < kTile * kDepth; i += kThreads * width) {
    const int depth = k + i / kTile;
    const std::int64_t c = column + i % kTile;
    const bool inside = depth < p.k && c < p.n;
    const float* from = inside ? p.b + depth * p.n + c : p.b;
    float* to = &tiles.b[buffer][i / kTile][i % kTile];
    p.vectors ? copy_async16(to, from, inside) : copy_async4(to, from, inside);
  }
  commit_copies();
}

/// Calls multiply(buffer) for each step of k while prefetching the next step's tiles.
template <typename Multiply>
__device__ void for_tiles(const Product& p, std::int64_t row, std::int64_t column,
                          AsyncTiles& tiles, const Multiply& multiply) {
  int buffer = 0;
  fetch_tiles(p, row, column, 0, buffer, tiles);
  for (int k = 0; k < p.k; k += kDepth) {
    wait_for_copies<0>();
    __syncthreads();  // all copies have arrived, and no thread uses the other buffer
    if (k + kDepth < p.k) fetch_tiles(p, row, column, k + kDepth, 1 - buffer, tiles);
    multiply(buffer);
    buffer = 1 - buffer;
  }
}

__global__ void __launch_bounds__(kThreads) gemm_double_buffered_kernel(Product p) {
  __shared__ AsyncTiles tiles;
  const auto me = static_cast<int>(threadIdx.x);
  const std::int64_t row = blockIdx.y * std::int64_t{kTile};
  const std::int64_t column = blockIdx.x * std::int64_t{kTile};
  const int my_row = me / 16 * kMine;
  const int my_column = me % 16 * 4;  // and 64 beyond
  float sums[kMine][2][4] = {};
  for_tiles(p, row, column, tiles, [&](int buffer) {
#pragma unroll
    for (int depth = 0; depth < kDepth; depth += 4) {
      float mine_a[kMine][4];
      for (int i = 0; i < kMine; ++i) load4(&tiles.a[buffer][my_row + i][depth], mine_a[i]);
#pragma unroll
      for (int d = 0; d < 4; ++d) {
        float mine_b[2][4];
        load4(&tiles.b[buffer][depth + d][my_column], mine_b[0]);
        load4(&tiles.b[buffer][depth + d][64 + my_column], mine_b[1]);
        for (int i = 0; i < kMine; ++i) {
          for (int j = 0; j < kMine; ++j)
            sums[i][j / 4][j % 4] += mine_a[i][d] * mine_b[j / 4][j % 4];
        }
      }
    }
  });
#pragma unroll
  for (int i = 0; i < kMine; ++i) {
#pragma unroll
    for (int j = 0; j < kMine; ++j) {
      const std::int64_t r = row + my_row + i;
      const std::int64_t c = column + j / 4 * 64 + my_column + j % 4;
      if (r < p.m && c < p.n) p.c[r * p.n + c] = sums[i][j / 4][j % 4];
    }
  }
}

// ---- 7 and 8. tensor cores: a warp multiplies 16 x 8 x 8 (TF32) or 16 x 8 x 16 (bf16) at once
// ---- An instruction does 1024 (2048) multiply-adds that took 32 (64) of them before. 8 warps
// share the block's 128 x 128: each has 64 x 32, 4 x 4 instructions' pieces, in 64 accumulators a
// lane. The strides put the 32 lanes' fragments into 32 banks. Operands are rounded on their way
// into the fragments (10 or 7 bits of mantissa), sums stay f32.

struct Tf32 {
  static constexpr int kDepth = 8;  // of an instruction
  __device__ static void load_a(const float (*a)[kStrideA], int g, int t, std::uint32_t (&out)[4]) {
    for (int i = 0; i < 4; ++i) out[i] = to_tf32(a[g + i % 2 * 8][t + i / 2 * 4]);
  }
  __device__ static void load_b(const float (*b)[kStrideB], int g, int t, std::uint32_t (&out)[2]) {
    for (int i = 0; i < 2; ++i) out[i] = to_tf32(b[t + i * 4][g]);
  }
  __device__ static void multiply(float (&c)[4], const std::uint32_t (&a)[4],
                                  const std::uint32_t (&b)[2]) {
    mma_tf32(c, a, b);
  }
};

struct Bf16 {
  static constexpr int kDepth = 16;
  __device__ static void load_a(const float (*a)[kStrideA], int g, int t, std::uint32_t (&out)[4]) {
    for (int i = 0; i < 4; ++i) {
      const float* from = &a[g + i % 2 * 8][2 * t + i / 2 * 8];
      out[i] = to_bf16x2(from[0], from[1]);
    }
  }
  __device__ static void load_b(const float (*b)[kStrideB], int g, int t, std::uint32_t (&out)[2]) {
    for (int i = 0; i < 2; ++i) out[i] = to_bf16x2(b[2 * t + i * 8][g], b[2 * t + i * 8 + 1][g]);
  }
  __device__ static void multiply(float (&c)[4], const std::uint32_t (&a)[4],
                                  const std::uint32_t (&b)[2]) {
    mma_bf16(c, a, b);
  }
};

/// A warp's 64 x 32 of C from the accumulators of its 4 x 4 pieces.
__device__ void store_warp_tile(float* c, std::int64_t m, std::int64_t n, std::int64_t row,
                                std::int64_t column, const float (&sums)[4][4][4]) {
  const int g = static_cast<int>(threadIdx.x % 32) / 4;
  const int t = static_cast<int>(threadIdx.x % 4);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const std::int64_t r = row + 16 * i + g + e / 2 * 8;
        const std::int64_t at = column + 8 * j + 2 * t + e % 2;
        if (r < m && at < n) c[r * n + at] = sums[i][j][e];
      }
    }
  }
}

template <typename Format>
__global__ void __launch_bounds__(kThreads) gemm_tensor_kernel(Product p) {
  __shared__ AsyncTiles tiles;
  const auto me = static_cast<int>(threadIdx.x);
  const std::int64_t row = blockIdx.y * std::int64_t{kTile};
  const std::int64_t column = blockIdx.x * std::int64_t{kTile};
  const int warp = me / 32;
  const int g = me % 32 / 4;
  const int t = me % 4;
  const int warp_row = warp / 4 * 64;
  const int warp_column = warp % 4 * 32;
  float sums[4][4][4] = {};
  for_tiles(p, row, column, tiles, [&](int buffer) {
#pragma unroll
    for (int depth = 0; depth < kDepth; depth += Format::kDepth) {
      std::uint32_t a[4][4];
      std::uint32_t b[4][2];
      for (int i = 0; i < 4; ++i) {
        Format::load_a(&tiles.a[buffer][warp_row + 16 * i], g, depth + t, a[i]);
      }
      for (int j = 0; j < 4; ++j) {
        Format::load_b(&tiles.b[buffer][depth], warp_column + 8 * j + g, t, b[j]);
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) Format::multiply(sums[i][j], a[i], b[j]);
      }
    }
  });
  store_warp_tile(p.c, p.m, p.n, row + warp_row, column + warp_column, sums);
}

// ---- 9. tensor cores, operands stored as f16 or bf16 ----
// Half the bytes pass through memory and shared memory, and no rounding is left: one ldmatrix loads
// what four mma need of A or two of B, instead of about eight loads and conversions. B's tile keeps
// its layout in memory; ldmatrix transposes it. This is the product that mixed precision
// (engine/precision.h) requests from cuBLAS.

constexpr int kHalfDepth = 32;
constexpr int kHalfStrideA = kHalfDepth + 8;  // 80 bytes: 8 rows of 16 bytes use different banks
constexpr int kHalfStrideB = kTile + 8;

struct HalfProduct {
  const std::uint16_t *a, *b;  // [m,k], [k,n]
  float* c;
  std::int64_t m, n;
  int k;
  bool vectors;  // rows of A and B start at 16 bytes, and have a multiple of 8 elements
};

struct HalfTiles {
  alignas(16) std::uint16_t a[2][kTile][kHalfStrideA];
  alignas(16) std::uint16_t b[2][kHalfDepth][kHalfStrideB];
};

/// Starts the copies of tile k of A and B into one of the buffers; zeros beyond the edges.
__device__ void fetch_half_tiles(const HalfProduct& p, std::int64_t row, std::int64_t column, int k,
                                 int buffer, HalfTiles& tiles) {
  const auto me = static_cast<int>(threadIdx.x);
  const int width = p.vectors ? 8 : 1;  // cp.async cannot copy 2 bytes: plain copies are used
  const auto copy = [&](std::uint16_t* to, const std::uint16_t* from, bool inside) {
    if (p.vectors) {
      copy_async16(to, from, inside);
    } else {
      *to = inside ? *from : std::uint16_t{0};
    }
  };
  for (int i = me * width; i < kTile * kHalfDepth; i += kThreads * width) {
    const std::int64_t r = row + i / kHalfDepth;
    const int depth = k + i % kHalfDepth;
    const bool inside = r < p.m && depth < p.k;
    copy(&tiles.a[buffer][i / kHalfDepth][i % kHalfDepth], inside ? p.a + r * p.k + depth : p.a,
         inside);
  }
  for (int i = me * width; i < kTile * kHalfDepth; i += kThreads * width) {
    const int depth = k + i / kTile;
    const std::int64_t c = column + i % kTile;
    const bool inside = depth < p.k && c < p.n;
    copy(&tiles.b[buffer][i / kTile][i % kTile], inside ? p.b + depth * p.n + c : p.b, inside);
  }
  commit_copies();
}

template <bool kBf16>
__global__ void __launch_bounds__(kThreads) gemm_tensor_half_kernel(HalfProduct p) {
  __shared__ HalfTiles tiles;
  const auto me = static_cast<int>(threadIdx.x);
  const std::int64_t row = blockIdx.y * std::int64_t{kTile};
  const std::int64_t column = blockIdx.x * std::int64_t{kTile};
  const int lane = me % 32;
  const int warp_row = me / 32 / 4 * 64;
  const int warp_column = me / 32 % 4 * 32;
  // Lane 8 j + r addresses row r of matrix j: A's matrices are at (0,0) (8,0) (0,8) (8,8), B's at
  // (0,0) (8,0) (0,8) (8,8) as (k, column).
  const int matrix_row = lane / 8 % 2 * 8 + lane % 8;
  const int matrix_column = lane / 16 * 8;
  float sums[4][4][4] = {};
  int buffer = 0;
  fetch_half_tiles(p, row, column, 0, buffer, tiles);
  for (int k = 0; k < p.k; k += kHalfDepth) {
    wait_for_copies<0>();
    __syncthreads();  // all copies have arrived, and no thread uses the other buffer
    if (k + kHalfDepth < p.k) fetch_half_tiles(p, row, column, k + kHalfDepth, 1 - buffer, tiles);
#pragma unroll
    for (int depth = 0; depth < kHalfDepth; depth += 16) {
      std::uint32_t a[4][4];
      std::uint32_t b[2][4];  // two pieces of 8 columns each
      for (int i = 0; i < 4; ++i) {
        load_matrices<false>(
            &tiles.a[buffer][warp_row + 16 * i + matrix_row][depth + matrix_column], a[i]);
      }
      for (int j = 0; j < 2; ++j) {
        load_matrices<true>(
            &tiles.b[buffer][depth + matrix_row][warp_column + 16 * j + matrix_column], b[j]);
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const std::uint32_t piece[2] = {b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]};
          if constexpr (kBf16) {
            mma_bf16(sums[i][j], a[i], piece);
          } else {
            mma_f16(sums[i][j], a[i], piece);
          }
        }
      }
    }
    buffer = 1 - buffer;
  }
  store_warp_tile(p.c, p.m, p.n, row + warp_row, column + warp_column, sums);
}

}  // namespace

const char* name_of(GemmRung rung) {
  switch (rung) {
    case GemmRung::Naive:
      return "naive";
    case GemmRung::Coalesced:
      return "coalesced";
    case GemmRung::SharedTiles:
      return "shared_tiles";
    case GemmRung::RegisterTiles:
      return "register_tiles";
    case GemmRung::Vectorized:
      return "vectorized";
    case GemmRung::DoubleBuffered:
      return "double_buffered";
    case GemmRung::TensorTf32:
      return "tensor_tf32";
    case GemmRung::TensorBf16:
      return "tensor_bf16";
    case GemmRung::TensorHalf:
      return "tensor_half";
  }
  return "?";
}

void gemm_ladder(ExecContext& ctx, GemmRung rung, std::int64_t m, std::int64_t n, std::int64_t k,
                 ConstView a, ConstView b, View c) {
  const bool half = rung == GemmRung::TensorHalf;
  const DType type = !half ? DType::F32 : a.dtype == DType::F16 ? DType::F16 : DType::BF16;
  check_dtype("gemm_ladder", "A", a, type);
  check_dtype("gemm_ladder", "B", b, type);
  check_dtype("gemm_ladder", "C", c, DType::F32);
  if (m == 0 || n == 0) return;
  const int depth = axis_size("gemm_ladder", k);
  const int width = half ? 8 : 4;
  const bool vectors = n % width == 0 && k % width == 0 && aligned16(a.data, b.data, c.data);
  const Product p{a.f32(), b.f32(), c.f32(), m, n, depth, vectors};
  const auto launch_with = [&](auto kernel, const auto& product, std::int64_t across,
                               std::int64_t down, dim3 block) {
    if (down > 65535) {
      throw ShapeError("gemm_ladder: " + std::to_string(down) + " blocks in y, a grid has 65535");
    }
    launch(kernel, dim3(static_cast<unsigned>(across), static_cast<unsigned>(down)), block, 0,
           stream_of(ctx), product);
  };
  const auto run = [&](void (*kernel)(Product), std::int64_t across, std::int64_t down,
                       dim3 block) { launch_with(kernel, p, across, down, block); };
  const std::int64_t tiles_across = divide_up(n, kTile);
  const std::int64_t tiles_down = divide_up(m, kTile);
  switch (rung) {
    case GemmRung::Naive:
      return run(gemm_naive_kernel, divide_up(m, kLine), divide_up(n, 8), dim3(kLine, 8));
    case GemmRung::Coalesced:
      return run(gemm_coalesced_kernel, divide_up(n, kLine), divide_up(m, 8), dim3(kLine, 8));
    case GemmRung::SharedTiles:
      return run(gemm_shared_tiles_kernel, divide_up(n, kLine), divide_up(m, kLine),
                 dim3(kLine, kLine));
    case GemmRung::RegisterTiles:
      return run(gemm_register_tiles_kernel, tiles_across, tiles_down, dim3(kThreads));
    case GemmRung::Vectorized:
      return run(gemm_vectorized_kernel, tiles_across, tiles_down, dim3(kThreads));
    case GemmRung::DoubleBuffered:
      return run(gemm_double_buffered_kernel, tiles_across, tiles_down, dim3(kThreads));
    case GemmRung::TensorTf32:
      return run(gemm_tensor_kernel<Tf32>, tiles_across, tiles_down, dim3(kThreads));
    case GemmRung::TensorBf16:
      return run(gemm_tensor_kernel<Bf16>, tiles_across, tiles_down, dim3(kThreads));
    case GemmRung::TensorHalf: {
      const HalfProduct halves{
          a.as<std::uint16_t>(), b.as<std::uint16_t>(), c.f32(), m, n, depth, vectors};
      return launch_with(
          type == DType::F16 ? gemm_tensor_half_kernel<false> : gemm_tensor_half_kernel<true>,
          halves, tiles_across, tiles_down, dim3(kThreads));
    }
  }
}

}  // namespace hanok::cuda
