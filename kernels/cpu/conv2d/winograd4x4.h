// 3x3 stride-1 convolutions with a quarter of the multiplications: Winograd F(4x4, 3x3). Dilation
// 1, one group, padding 0..2, channels in multiples of 8. Numerics and transforms:
// kernels/cpu/isa/winograd4x4.cpp. Errors are about 3e-6 of the output's rms, against 5e-7 of the
// direct algorithm.
#pragma once

#include "hanok/kernels/cpu/conv2d/driver.h"

namespace hanok::cpu::winograd4x4 {

extern const Conv2dDriver driver;

/// Tiles of a block that goes through one step after the other (Conv2dSchedule::Staged and
/// Panels), 22 register tiles.
constexpr std::int64_t kStagedTiles = 132;

// In winograd4x4_backward_weights.cpp.
std::size_t backward_weights_workspace_bytes(const Conv2dShape& shape);
void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                      const float* x, const float* dy, float* dw);

}  // namespace hanok::cpu::winograd4x4
