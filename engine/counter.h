// Counters on the device: a recorded step increments them in every replay.
#pragma once

#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Increments counter (one i64) in place; on a GPU in stream order. Unchanged if `skip` (one f32 on
/// the same device; undefined: 0) is not 0. Throws DTypeError, ShapeError.
void count_up(Tensor& counter, const Tensor& skip = {});

}  // namespace hanok
#pragma GCC visibility pop
