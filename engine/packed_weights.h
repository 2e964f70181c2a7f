// Copies of constant weights in the order in which convolutions read them. They save the time of
// packing at every call; results are the same without.
#pragma once

#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Frees the packed copies of `weight`; they are rebuilt when needed. Not while ops run.
void drop_packed_weights(const Tensor& weight);

/// Frees the packed copies of all weights. Returns whether there were any. Not while ops of other
/// threads run.
bool drop_all_packed_weights();

/// Whether weights are packed ahead and kept (true at first). Without, or where their memory cannot
/// be had, a kernel packs what it needs at each call.
void keep_packed_weights(bool keep);

}  // namespace hanok
#pragma GCC visibility pop
