// Limits on gradients, between backward() and the optimiser's step.
#pragma once

#include <vector>

#include "hanok/engine/tensor.h"

namespace hanok::nn {

/// L2 norm of all gradients taken as one vector, f32 [1] on their device; parameters without a
/// gradient count nothing. Throws ValueError if none has one.
Tensor gradient_norm(const std::vector<Tensor>& parameters);

/// Scales all gradients by min(1, max_norm / (norm + 1e-6)), as PyTorch's clip_grad_norm_, and
/// returns the norm before. The factor stays on the device. Throws ValueError if max_norm is not
/// above 0.
Tensor clip_gradient_norm(const std::vector<Tensor>& parameters, double max_norm);

/// Limits each element of each gradient to [-limit, limit]. Throws ValueError if limit is not above
/// 0.
void clip_gradient_value(const std::vector<Tensor>& parameters, double limit);

}  // namespace hanok::nn
