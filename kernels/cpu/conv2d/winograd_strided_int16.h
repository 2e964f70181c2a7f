// The convolutions of winograd_strided.h with products in 16-bit integers
// (kernels/cpu/isa/int16.cpp).
#pragma once

#include "hanok/kernels/cpu/conv2d/driver.h"

namespace hanok::cpu::winograd_strided_int16 {

extern const Conv2dDriver driver;

// In winograd_strided_int16_backward_weights.cpp.
std::size_t backward_weights_workspace_bytes(const Conv2dShape& shape);
void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                      const float* x, const float* dy, float* dw);

}  // namespace hanok::cpu::winograd_strided_int16
