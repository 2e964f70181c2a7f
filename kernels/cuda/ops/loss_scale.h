// Loss scaling for f16 gradients; Backend documents the functions.
#pragma once

#include <vector>

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

void unscale(ExecContext& ctx, const std::vector<View>& gradients, ConstView scale, View found);
void update_loss_scale(ExecContext& ctx, const LossScaleRule& rule, ConstView found, View scale,
                       View good_steps);

}  // namespace hanok::cuda
