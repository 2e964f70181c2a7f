// Less memory for more time: of a part of the network only its input is kept for the backward pass,
// which computes everything else in it a second time (Chen et al., Training Deep Nets with
// Sublinear Memory Cost, 2016; PyTorch calls it activation checkpointing).
#pragma once

#include <functional>

#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok {

/// block(x), of which the graph keeps x alone. In the backward pass the block runs again, so for
/// the same x and the same random draws, which it gets, it must compute the same. Values and
/// gradients are those of block(x), bit for bit; persistent writes (running statistics) are made
/// once.
Tensor recompute(const Tensor& x, const std::function<Tensor(const Tensor&)>& block);

}  // namespace hanok
#pragma GCC visibility pop
