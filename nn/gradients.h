// Gradient clipping, between backward() and the optimiser's step.
#pragma once

#include <vector>

#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// L2 norm of all gradients concatenated, f32 [1] on their device; parameters without a gradient
/// are ignored. Throws ValueError if none has a gradient.
Tensor gradient_norm(const std::vector<Tensor>& parameters);

/// Scales all gradients by min(1, max_norm / (norm + 1e-6)), as PyTorch's clip_grad_norm_, and
/// returns the norm before scaling. Does not synchronise. Throws ValueError unless max_norm is
/// above 0 and a parameter has a gradient.
Tensor clip_gradient_norm(const std::vector<Tensor>& parameters, double max_norm);

/// Clamps each element of each gradient to [-limit, limit]. Throws ValueError unless limit is above
/// 0.
void clip_gradient_value(const std::vector<Tensor>& parameters, double limit);

}  // namespace hanok::nn
#pragma GCC visibility pop
