// The way from the obvious matrix product to tensor cores, a rung at a time. Each rung is a whole
// kernel that says what it changes and why that is faster; gemm.h holds the one that is used.
#pragma once

#include "kernels/backend.h"

namespace hanok::cuda {

enum class GemmRung {
  Naive,           // one thread an element, neighbours down a column
  Coalesced,       // the same, neighbours along a row
  SharedTiles,     // tiles of A and B wait in shared memory
  RegisterTiles,   // 8x8 elements a thread
  Vectorized,      // 16-byte loads, A's tile transposed
  DoubleBuffered,  // cp.async fetches the next tiles meanwhile
  TensorTf32,      // tensor cores, operands rounded to 10 bits of mantissa
  TensorBf16,      // tensor cores, operands rounded to bf16
};

inline constexpr int kGemmRungs = 8;

/// "naive", "coalesced", ...
const char* name_of(GemmRung rung);

/// C [m,n] = A [m,k] * B [k,n], dense row-major f32. TensorTf32 and TensorBf16 need sm_80.
void gemm_ladder(ExecContext& ctx, GemmRung rung, std::int64_t m, std::int64_t n, std::int64_t k,
                 ConstView a, ConstView b, View c);

}  // namespace hanok::cuda
