// Loss scaling; see Backend for its meaning. (The CPU has no f16 to need it: here for tests and for
// code that is the same on all devices.)
#pragma once

#include <vector>

#include "hanok/kernels/backend.h"

namespace hanok::cpu {

void unscale(const std::vector<View>& gradients, ConstView scale, View found);
void update_loss_scale(const LossScaleRule& rule, ConstView found, View scale, View good_steps);

}  // namespace hanok::cpu
