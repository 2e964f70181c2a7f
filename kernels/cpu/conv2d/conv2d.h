// Convolutions on the CPU: the backend's queries about them. conv2d.cpp also runs the primitives of
// kernels/primitives/conv2d.h: each takes the algorithm that choose_conv2d names and calls its
// driver (driver.h). All algorithms give the same results up to rounding.
#pragma once

#include <cstddef>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

std::size_t conv2d_workspace_bytes(Isa isa, Conv2dPass pass, const Conv2dShape& shape);
const char* conv2d_algorithm(Isa isa, Conv2dPass pass, const Conv2dShape& shape);
bool conv2d_stores_bf16(const Conv2dShape& shape);
Conv2dPackKey conv2d_pack_key(Isa isa, Conv2dPass pass, const Conv2dShape& shape);
std::size_t conv2d_packed_bytes(Isa isa, Conv2dPass pass, const Conv2dShape& shape);

}  // namespace hanok::cpu
