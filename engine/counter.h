// Counting on the device: a recorded step counts in every replay.
#pragma once

#include "engine/tensor.h"

namespace hanok {

/// counter (one i64) += 1, in place; on a GPU in the order of the ops around it. Throws DTypeError,
/// ShapeError.
void count_up(Tensor& counter);

}  // namespace hanok
