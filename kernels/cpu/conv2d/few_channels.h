// Implicit GEMM over images of up to 4 channels, without gathering their patches. Forward; one
// group, no dilation along rows. The same sums in the same order as implicit_gemm, from the same
// packed weights.
#pragma once

#include "hanok/kernels/cpu/conv2d/driver.h"

namespace hanok::cpu::few_channels {

extern const Conv2dDriver driver;

}  // namespace hanok::cpu::few_channels
