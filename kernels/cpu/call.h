// What a kernel of the CPU gets besides its operands.
#pragma once

#include "hanok/kernels/cpu/isa.h"
#include "hanok/kernels/exec_context.h"

namespace hanok::cpu {

struct Call {
  ExecContext& ctx;
  Isa isa;  // the instruction-set path
};

}  // namespace hanok::cpu
