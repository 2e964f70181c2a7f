// Counting on the device: a recorded step counts in every replay.
#pragma once

#include "hanok/engine/tensor.h"

namespace hanok {

/// counter (one i64) += 1, in place; on a GPU in the order of the ops around it. Throws DTypeError,
/// ShapeError. Where `skip` (one f32 on the same device; undefined: 0) is not 0 it stays.
void count_up(Tensor& counter, const Tensor& skip = {});

}  // namespace hanok
