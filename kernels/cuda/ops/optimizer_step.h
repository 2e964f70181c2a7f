// Optimiser steps; Backend documents the functions.
#pragma once

#include <vector>

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

void sgd_step(ExecContext& ctx, const SgdStep& step, const std::vector<OptimizerSlot>& slots);
void adam_step(ExecContext& ctx, const AdamStep& step, const std::vector<OptimizerSlot>& slots);

}  // namespace hanok::cuda
