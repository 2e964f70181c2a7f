// The convolutions of winograd2x2.h with products in 16-bit integers (kernels/cpu/isa/int16.cpp).
#pragma once

#include "hanok/kernels/cpu/conv2d/driver.h"

namespace hanok::cpu::winograd2x2_int16 {

extern const Conv2dDriver driver;

}  // namespace hanok::cpu::winograd2x2_int16
