// 3x3 stride-1 convolutions of deep layers over few pixels by Winograd F(2x2, 3x3): fewer
// multiplications than the direct algorithm and weights half as large as those of F(4x4, 3x3).
// Forward only; padding 0..2, one group, channels in multiples of 8.
#pragma once

#include <cstddef>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa/gemm_kernels.h"
#include "hanok/kernels/cpu/isa/winograd2x2.h"

namespace hanok::cpu::winograd2x2 {

/// The tables of one instruction-set path.
struct Kernels {
  const GemmKernels& gemm;
  const Winograd2x2Kernels& winograd;
};

/// Bytes of the packed weights.
std::size_t packed_bytes(const Conv2dShape& shape);
void pack(ExecContext& context, const Kernels& kernels, const Conv2dShape& shape, const float* w,
          float* packed);

/// Bytes taken from the workspace besides packed weights.
std::size_t workspace_bytes(const Conv2dShape& shape);

void forward(ExecContext& context, const Kernels& kernels, const Conv2dShape& shape, const float* x,
             const float* packed, const Epilogue& epilogue, float* y);

}  // namespace hanok::cpu::winograd2x2
