// The first convolution of image networks, 7x7 with stride 2 over 1 to 4 channels, with a third of
// the multiplications: Winograd F(3x3, 4x4) over cells of 2x2 pixels. Forward only; stride 2,
// dilation 1, one group, kernels of 5 to 7 taps, at most 4 input channels, output channels in
// multiples of 8.
#pragma once

#include <cstddef>

#include "kernels/backend.h"
#include "kernels/cpu/isa/gemm_kernels.h"
#include "kernels/cpu/isa/winograd_stem.h"

namespace hanok::cpu::stem {

/// The tables of one instruction-set path.
struct Kernels {
  const GemmKernels& gemm;
  const StemKernels& stem;
};

/// Bytes of the packed weights. Their order depends on whether the paddings are odd.
std::size_t packed_bytes(const Conv2dShape& shape);
void pack(ExecContext& context, const Conv2dShape& shape, const float* w, float* packed);

/// Bytes taken from the workspace besides packed weights.
std::size_t workspace_bytes(const Conv2dShape& shape);

void forward(ExecContext& context, const Kernels& kernels, const Conv2dShape& shape, const float* x,
             const float* packed, const Epilogue& epilogue, float* y);

}  // namespace hanok::cpu::stem
