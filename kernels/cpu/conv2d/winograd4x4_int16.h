// The convolutions of winograd4x4.h with products in 16-bit integers (kernels/cpu/isa/int16.cpp).
// Errors are about 1e-3 of the output's rms, half of what operands in bf16 cost a direct
// convolution.
#pragma once

#include <cstddef>

#include "hanok/kernels/cpu/conv2d/driver.h"

namespace hanok::cpu::winograd4x4_int16 {

extern const Conv2dDriver driver;

// In winograd4x4_int16_backward_weights.cpp.
std::size_t backward_weights_workspace_bytes(const Conv2dShape& shape);
void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                      const float* x, const float* dy, float* dw);

}  // namespace hanok::cpu::winograd4x4_int16
