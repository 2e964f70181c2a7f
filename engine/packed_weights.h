// Copies of constant weights in the order in which convolutions read them.
#pragma once

#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Frees the packed copies of `weight`; they are rebuilt when needed. Not while ops run.
void drop_packed_weights(const Tensor& weight);

}  // namespace hanok
#pragma GCC visibility pop
