// Optimiser steps; see Backend for their meaning.
#pragma once

#include <vector>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

void sgd_step(ExecContext& ctx, Isa isa, const SgdStep& step,
              const std::vector<OptimizerSlot>& slots);
void adam_step(ExecContext& ctx, Isa isa, const AdamStep& step,
               const std::vector<OptimizerSlot>& slots);

}  // namespace hanok::cpu
