// Where tensors change their type: on the way into convolutions and matrix products (precision.h),
// and back to f32 where 16 bits are too coarse.
#pragma once

#include "hanok/engine/ops.h"

namespace hanok::ops {

/// True for f16 and bf16 on CUDA, the activations of mixed precision.
bool is_half(const Tensor& x);

/// x in the type in which products compute now: x itself, or an f32 x rounded (recorded). Throws
/// DeviceError if that type has 16 bits and x is on the CPU. Undefined: undefined.
Tensor in_compute_type(const char* op, const Tensor& x);

/// A parameter's values in that type, outside the graph; the parameter itself in f32. The copy is
/// kept with a parameter that is not being trained, and recomputed for one that is.
Tensor weight_in_compute_type(const Tensor& weight);

/// An activation of 16 bits as f32 (recorded); anything else as it is.
Tensor widened(const Tensor& x);

/// compute(x as f32), rounded to x's type.
template <typename Compute>
Tensor through_f32(const Tensor& x, const Compute& compute) {
  return cast(compute(cast(x, DType::F32)), x.dtype());
}

}  // namespace hanok::ops
