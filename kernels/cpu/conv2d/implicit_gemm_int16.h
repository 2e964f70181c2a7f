// The convolutions of implicit_gemm.h as products of 16-bit integers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hanok/kernels/cpu/conv2d/driver.h"
#include "hanok/kernels/cpu/isa/int16.h"

namespace hanok::cpu::implicit_gemm_int16 {

extern const Conv2dDriver driver;

/// Rows of A as integers: one block of rows times one block of k.
struct QuantizedBlock {
  std::int64_t rows;
  std::int64_t k;       // terms of the block
  std::int64_t k0;      // the first of them
  std::int16_t* q;      // [rows][q_stride(k)]
  float* scale;         // [rows]
  bool shared = false;  // several threads read q: Int16Rows::stream
};

/// Terms of k that share a scale: blocks of equal size, the last one perhaps smaller.
std::int64_t k_block_size(std::int64_t k);
/// Integers from a row of a block to the next.
std::int64_t q_stride(std::int64_t block_k);

/// What a product of all columns from `column` on takes from the packed weights of one group, for
/// a product of k terms: everything but C.
Int16Block block_of(const QuantizedBlock& a, const float* packed, std::int64_t k,
                    std::int64_t column);

// In implicit_gemm_int16_backward_weights.cpp.
std::size_t backward_weights_workspace_bytes(const Conv2dShape& shape);
void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                      const float* x, const float* dy, float* dw);

}  // namespace hanok::cpu::implicit_gemm_int16
