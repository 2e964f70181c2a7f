// What convolutions keep of weights that do not change: a copy in the order in which they read it.
#pragma once

#include "hanok/engine/tensor.h"

namespace hanok {

/// Frees the copies kept for `weight`; they are made again when they are needed. Not while ops run.
void drop_packed_weights(const Tensor& weight);

}  // namespace hanok
