// The convolutions of winograd_strided.h with products in 16-bit integers
// (kernels/cpu/isa/int16.cpp): forward and backward data.
#pragma once

#include "hanok/kernels/cpu/conv2d/driver.h"

namespace hanok::cpu::winograd_strided_int16 {

extern const Conv2dDriver driver;

}  // namespace hanok::cpu::winograd_strided_int16
