// From the obvious matrix product to tensor cores, one rung at a time. Each rung is a complete
// kernel that says what it changes and why that is faster; gemm.h has the one in production.
#pragma once

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

enum class GemmRung {
  Naive,           // one thread per element, adjacent threads along a column
  Coalesced,       // the same, adjacent threads along a row
  SharedTiles,     // tiles of A and B in shared memory
  RegisterTiles,   // 8x8 elements per thread
  Vectorized,      // 16-byte loads, A's tile transposed
  DoubleBuffered,  // cp.async prefetches the next tiles
  TensorTf32,      // tensor cores, operands rounded to 10 bits of mantissa
  TensorBf16,      // tensor cores, operands rounded to bf16
  TensorHalf,      // tensor cores, operands stored as f16 or bf16, fetched by ldmatrix
};

inline constexpr int kGemmRungs = 9;

/// "naive", "coalesced", ...
const char* name_of(GemmRung rung);

/// C [m,n] = A [m,k] * B [k,n], dense row-major f32; for TensorHalf A and B are both f16 or both
/// bf16. The last three need sm_80 to be fast.
void gemm_ladder(ExecContext& ctx, GemmRung rung, std::int64_t m, std::int64_t n, std::int64_t k,
                 ConstView a, ConstView b, View c);

}  // namespace hanok::cuda
