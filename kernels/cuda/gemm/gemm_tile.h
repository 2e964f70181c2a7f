// The block of all products of kernels/cuda: a tile of C computed by 256 threads from tiles of A
// and B in shared memory. gemm_ladder.cu leads here step by step. Operands and results are stored
// as f32, f16 or bf16; tiles, products and sums are f32.
//
//               Large                     Small
//   C           128 x 128                 64 x 64         per block
//   k           8                         16              per step
//   registers   8 x 8 of C, 8 + 8 of A,B  4 x 4, 4 + 4    per thread
//   shared      2 * 8 * (132 + 132) * 4 = 17 KB; the same
//
// In each step a thread prefetches 4 elements of A and 4 of B for the next step, multiplies the
// current tiles from shared memory (Large: 16 floats read for 64 multiply-adds), and stores the
// prefetched elements into the other buffer: one barrier per step, and the memory latency is hidden
// by the products. A tile of 128 x 128 reads 2 * 128 * 4 bytes for 2 * 128 * 128 FLOP per k: 32
// FLOP per byte from L2.
//
// Operand types define A and B: matrices (below) or the patches of a convolution. An operand has
// lines (rows of A, columns of B) and a depth k, and says which of both is contiguous:
//   static constexpr bool kAlongK;
//   Line line(std::int64_t first)       a thread's data of its line, computed once per tile;
//                                       of 4 lines unless kAlongK
//   void load(line, k, k_end, out[4])   4 adjacent elements along k of one line, or of 4 lines at
//                                       one k; 0 outside the operand
//                                       0 where nothing is
#pragma once

#include "hanok/kernels/cuda/ops/packet.h"
#include "hanok/kernels/cuda/ops/sizes.h"
#include "hanok/kernels/cuda/ops/storage.h"
#include "hanok/kernels/cuda/runtime/launch.h"
#include "hanok/kernels/epilogue.h"

namespace hanok::cuda {

template <int kTileRows, int kTileColumns, int kTileDepth, int kThreadRows, int kThreadColumns>
struct TileSizes {
  static constexpr int kRows = kTileRows, kColumns = kTileColumns, kDepth = kTileDepth;
  static constexpr int kMine = kThreadRows, kMineAcross = kThreadColumns;
  static constexpr int kThreadsAcross = kColumns / kMineAcross;
  static constexpr int kThreads = kRows / kMine * kThreadsAcross;
  // Rows of tiles are 16-byte aligned and start in different banks.
  static constexpr int kStrideA = kRows + 4, kStrideB = kColumns + 4;
  static_assert(kRows * kDepth == 4 * kThreads && kColumns * kDepth == 4 * kThreads,
                "a thread fetches one vector of each operand a step");
};
using LargeTile = TileSizes<128, 128, 8, 8, 8>;
using SmallTile = TileSizes<64, 64, 16, 4, 4>;

template <typename Sizes>
struct alignas(16) TileMemory {
  float a[2][Sizes::kDepth][Sizes::kStrideA];
  float b[2][Sizes::kDepth][Sizes::kStrideB];
};

__device__ inline void load4(const float* from, float (&to)[4]) {
  const float4 v = *reinterpret_cast<const float4*>(from);
  to[0] = v.x;
  to[1] = v.y;
  to[2] = v.z;
  to[3] = v.w;
}
__device__ inline void store4(const float (&from)[4], float* to) {
  *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
}

// 4 adjacent elements in global memory, in one access: 16 aligned bytes of f32, 8 of a 16-bit type.
template <typename T>
__device__ inline void load4(const T* from, float (&to)[4]) {
  const auto pack = *reinterpret_cast<const Pack<T, 4>*>(from);
  for (int i = 0; i < 4; ++i) to[i] = to_float(pack.values[i]);
}
template <typename T>
__device__ inline void store4(const float (&from)[4], T* to) {
  store_floats(from, true, to);
}

/// Elements of a matrix with `lines` lines; kDepthContiguous: a line is a stored row.
template <bool kDepthContiguous, typename T = float>
struct MatrixOperand {
  static constexpr bool kAlongK = kDepthContiguous;
  const T* data = nullptr;
  std::int64_t lines = 0, stride = 0;  // stride: elements from one stored row to the next
  bool vectors = false;                // load4 may read any 4 adjacent elements of the matrix

  struct Line {
    const T* at;
    int count;  // existing lines, up to 4
  };
  __device__ Line line(std::int64_t first) const {
    const std::int64_t left = lines - first;
    return {data + first * (kAlongK ? stride : 1), left < 4 ? static_cast<int>(left) : 4};
  }
  __device__ void load(const Line& line, int k, int k_end, float (&out)[4]) const {
    const int depth = k_end - k;
    if constexpr (kAlongK) {
      const T* from = line.at + k;
      if (line.count > 0 && vectors && depth >= 4) return load4(from, out);
      for (int i = 0; i < 4; ++i) out[i] = line.count > 0 && i < depth ? to_float(from[i]) : 0.0F;
    } else {
      const T* from = line.at + static_cast<std::int64_t>(k) * stride;
      if (line.count == 4 && vectors && depth > 0) return load4(from, out);
      for (int i = 0; i < 4; ++i) out[i] = i < line.count && depth > 0 ? to_float(from[i]) : 0.0F;
    }
  }
};

/// A result and its epilogue; see kernels/epilogue.h.
template <typename T = float>
struct MatrixResult {
  T* data = nullptr;
  std::int64_t rows = 0, columns = 0, stride = 0;
  bool vectors = false;  // rows of data and residual are aligned for load4
  bool accumulate = false;
  const float *scale = nullptr, *shift = nullptr;
  const T* residual = nullptr;
  bool relu = false;

  /// Advances data (and residual) by `offset` elements.
  __device__ void move(std::int64_t offset) {
    data += offset;
    if (residual) residual += offset;
  }
  __device__ std::int64_t row_offset(std::int64_t row) const { return row * stride; }
  __device__ void store(std::int64_t row, std::int64_t column, float (&values)[4]) const {
    store_at(row_offset(row), column, values);
  }
  /// `offset`: of the row from `data` (and `residual`).
  __device__ void store_at(std::int64_t offset, std::int64_t column, float (&values)[4]) const {
    const std::int64_t at = offset + column;
    if (vectors && column + 4 <= columns) {
      float old[4] = {};
      float added[4] = {};
      if (accumulate) load4(data + at, old);
      if (residual) load4(residual + at, added);
      for (int i = 0; i < 4; ++i) values[i] = finish(values[i] + old[i], column + i, added[i]);
      store4(values, data + at);
      return;
    }
    for (int i = 0; i < 4 && column + i < columns; ++i) {
      const float old = accumulate ? to_float(data[at + i]) : 0.0F;
      store_one(at + i, column + i, values[i] + old);
    }
  }
  /// Applies the epilogue to one element and stores it at `at`, which is in that column.
  __device__ void store_one(std::int64_t at, std::int64_t column, float value) const {
    data[at] = from_float<T>(finish(value, column, residual ? to_float(residual[at]) : 0.0F));
  }
  __device__ float finish(float value, std::int64_t column, float added) const {
    if (scale) value *= scale[column];
    if (shift) value += shift[column];
    if (residual) value += added;
    return relu && value <= 0.0F ? 0.0F : value;  // NaN is kept
  }
};

/// `y` with the epilogue applied before the store, except its moments.
template <typename T>
MatrixResult<T> result_of(const Epilogue& epilogue, const View& y, std::int64_t rows,
                          std::int64_t columns, std::int64_t stride) {
  MatrixResult<T> result;
  result.data = y.as<T>();
  result.rows = rows;
  result.columns = columns;
  result.stride = stride;
  result.scale = epilogue.scale.f32();
  result.shift = epilogue.shift.f32();
  result.residual = epilogue.residual.as<T>();
  result.relu = epilogue.activation == Activation::Relu;
  result.vectors = stride % 4 == 0 && aligned16(result.data) && aligned16(result.residual);
  return result;
}

/// Throws DTypeError unless scale and shift are f32 and the residual is of y's type.
inline void check_epilogue(const char* op, const Epilogue& epilogue, DType y) {
  check_dtype(op, "the epilogue's scale", epilogue.scale, DType::F32);
  check_dtype(op, "the epilogue's shift", epilogue.shift, DType::F32);
  check_dtype(op, "the epilogue's residual", epilogue.residual, y);
}

/// Computes the tile of `result` at (row, column) from k in [k_begin, k_end).
template <typename Sizes, typename A, typename B, typename Result>
__device__ inline void multiply_tile(const A& a, const B& b, const Result& result, std::int64_t row,
                                     std::int64_t column, int k_begin, int k_end,
                                     TileMemory<Sizes>& tiles) {
  constexpr int kDepth = Sizes::kDepth;
  const int me = static_cast<int>(threadIdx.x);
  // The vector of the tiles that this thread fetches: (line, depth).
  const int a_line = A::kAlongK ? me / (kDepth / 4) : me % (Sizes::kRows / 4) * 4;
  const int a_depth = A::kAlongK ? me % (kDepth / 4) * 4 : me / (Sizes::kRows / 4);
  const int b_line = B::kAlongK ? me / (kDepth / 4) : me % (Sizes::kColumns / 4) * 4;
  const int b_depth = B::kAlongK ? me % (kDepth / 4) * 4 : me / (Sizes::kColumns / 4);
  const auto line_a = a.line(row + a_line);
  const auto line_b = b.line(column + b_line);
  float next_a[4];
  float next_b[4];
  const auto fetch = [&](int k) {
    a.load(line_a, k + a_depth, k_end, next_a);
    b.load(line_b, k + b_depth, k_end, next_b);
  };
  const auto put = [&](int buffer) {
    if constexpr (A::kAlongK) {
      for (int i = 0; i < 4; ++i) tiles.a[buffer][a_depth + i][a_line] = next_a[i];
    } else {
      store4(next_a, &tiles.a[buffer][a_depth][a_line]);
    }
    if constexpr (B::kAlongK) {
      for (int i = 0; i < 4; ++i) tiles.b[buffer][b_depth + i][b_line] = next_b[i];
    } else {
      store4(next_b, &tiles.b[buffer][b_depth][b_line]);
    }
  };

  // This thread's elements of C: groups of 4 rows and 4 columns, separated by the other threads'
  // groups.
  constexpr int kGroups = Sizes::kMine / 4;
  constexpr int kGroupsAcross = Sizes::kMineAcross / 4;
  const int my_row = me / Sizes::kThreadsAcross * 4;
  const int my_column = me % Sizes::kThreadsAcross * 4;
  float sums[Sizes::kMine][kGroupsAcross][4] = {};

  fetch(k_begin);
  put(0);
  __syncthreads();
  int buffer = 0;
  for (int k = k_begin; k < k_end; k += kDepth) {
    const bool more = k + kDepth < k_end;
    if (more) fetch(k + kDepth);
#pragma unroll
    for (int depth = 0; depth < kDepth; ++depth) {
      float mine_a[kGroups][4];
      float mine_b[kGroupsAcross][4];
      for (int g = 0; g < kGroups; ++g) {
        load4(&tiles.a[buffer][depth][g * (Sizes::kRows / kGroups) + my_row], mine_a[g]);
      }
      for (int g = 0; g < kGroupsAcross; ++g) {
        load4(&tiles.b[buffer][depth][g * (Sizes::kColumns / kGroupsAcross) + my_column],
              mine_b[g]);
      }
      for (int i = 0; i < Sizes::kMine; ++i) {
        for (int g = 0; g < kGroupsAcross; ++g) {
          for (int j = 0; j < 4; ++j) {
            sums[i][g][j] += mine_a[i / 4][i % 4] * mine_b[g][j];
          }
        }
      }
    }
    if (more) {
      put(1 - buffer);  // its last reads were before the previous barrier
      __syncthreads();
      buffer = 1 - buffer;
    }
  }

#pragma unroll  // sums must stay in registers
  for (int i = 0; i < Sizes::kMine; ++i) {
    const std::int64_t r = row + i / 4 * (Sizes::kRows / kGroups) + my_row + i % 4;
    if (r >= result.rows) continue;
#pragma unroll
    for (int g = 0; g < kGroupsAcross; ++g) {
      const std::int64_t c = column + g * (Sizes::kColumns / kGroupsAcross) + my_column;
      if (c < result.columns) result.store(r, c, sums[i][g]);
    }
  }
}

/// The tiles of `batch` results, numbered along rows of tiles.
struct TileGrid {
  std::int64_t tiles_down = 0, tiles_across = 0;

  template <typename Sizes>
  static TileGrid of(std::int64_t rows, std::int64_t columns) {
    return {divide_up(rows, Sizes::kRows), divide_up(columns, Sizes::kColumns)};
  }
  dim3 blocks(std::int64_t batch) const {
    return dim3(static_cast<unsigned>(tiles_down * tiles_across * batch));
  }
};
struct TilePlace {
  std::int64_t batch, row, column;
};
template <typename Sizes>
__device__ inline TilePlace tile_place(const TileGrid& grid) {
  const std::int64_t line = blockIdx.x / grid.tiles_across;
  return {line / grid.tiles_down, line % grid.tiles_down * Sizes::kRows,
          blockIdx.x % grid.tiles_across * Sizes::kColumns};
}

/// Whether large tiles pay off: they must at least half fill a large GPU.
inline bool wants_large_tiles(std::int64_t rows, std::int64_t columns, std::int64_t batch) {
  return divide_up(rows, 128) * divide_up(columns, 128) * batch >= 64 && rows > 64 && columns > 64;
}

}  // namespace hanok::cuda
