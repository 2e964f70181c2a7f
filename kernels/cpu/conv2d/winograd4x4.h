// 3x3 stride-1 convolutions with a quarter of the multiplications: Winograd F(4x4, 3x3). Dilation
// 1, one group, padding 0..2, channels in multiples of 8. Numerics and transforms:
// kernels/cpu/isa/winograd4x4.cpp. Errors are about 3e-6 of the output's rms, against 5e-7 of the
// direct algorithm.
#pragma once

#include <cstddef>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa/gemm_kernels.h"
#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu::winograd {

/// The tables of one instruction-set path.
struct Kernels {
  const GemmKernels& gemm;
  const Winograd4x4Kernels& winograd;
};

/// Bytes of the packed weights of a pass (Forward or BackwardData).
std::size_t packed_bytes(Conv2dPass pass, const Conv2dShape& shape);
void pack(ExecContext& context, const Kernels& kernels, Conv2dPass pass, const Conv2dShape& shape,
          const float* w, float* packed);

/// Bytes taken from the workspace besides packed weights.
std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& shape);

/// True where a call without packed weights transforms them on the way, piece by piece, so that
/// they need not be packed for it.
bool packs_itself(Conv2dPass pass, const Conv2dShape& shape);

/// `packed` may be null where packs_itself; `w` is read only then.
void forward(ExecContext& context, const Kernels& kernels, const Conv2dShape& shape, const float* x,
             const float* w, const float* packed, const Epilogue& epilogue, float* y);
void backward_data(ExecContext& context, const Kernels& kernels, const Conv2dShape& shape,
                   const float* dy, const float* w, const float* packed, float* dx);
void backward_weights(ExecContext& context, const Kernels& kernels, const Conv2dShape& shape,
                      const float* x, const float* dy, float* dw);

/// workspace_bytes of BackwardWeights.
std::size_t backward_weights_workspace_bytes(const Conv2dShape& shape);

}  // namespace hanok::cpu::winograd
