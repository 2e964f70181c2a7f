// 3x3 stride-1 convolutions of deep layers over few pixels by Winograd F(2x2, 3x3): fewer
// multiplications than the direct algorithm and weights half as large as those of F(4x4, 3x3).
// Forward only; padding 0..2, one group, channels in multiples of 8.
#pragma once

#include "hanok/kernels/cpu/conv2d/driver.h"

namespace hanok::cpu::winograd2x2 {

extern const Conv2dDriver driver;

}  // namespace hanok::cpu::winograd2x2
