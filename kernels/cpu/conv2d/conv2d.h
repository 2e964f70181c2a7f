// Convolutions on the CPU: the functions behind Backend::conv2d_*. Each asks choose_conv2d for an
// algorithm and runs its driver (driver.h); all of them give the same results up to rounding.
#pragma once

#include <cstddef>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

std::size_t conv2d_workspace_bytes(Isa isa, Conv2dPass pass, const Conv2dShape& shape);
const char* conv2d_algorithm(Isa isa, Conv2dPass pass, const Conv2dShape& shape);
Conv2dPackKey conv2d_pack_key(Isa isa, Conv2dPass pass, const Conv2dShape& shape);
std::size_t conv2d_packed_bytes(Isa isa, Conv2dPass pass, const Conv2dShape& shape);
void conv2d_pack(ExecContext& context, Isa isa, Conv2dPass pass, const Conv2dShape& shape,
                 ConstView w, void* packed);
void conv2d_forward(ExecContext& context, Isa isa, const Conv2dShape& shape, ConstView x,
                    ConstView w, const void* packed, const Epilogue& epilogue, View y);
void conv2d_backward_data(ExecContext& context, Isa isa, const Conv2dShape& shape, ConstView dy,
                          ConstView w, const void* packed, View dx);
void conv2d_backward_weights(ExecContext& context, Isa isa, const Conv2dShape& shape, ConstView x,
                             ConstView dy, View dw);

}  // namespace hanok::cpu
