#include "hanok/engine/ops/norm_recomputation.h"

#include <memory>

#include "hanok/engine/ops/common.h"

namespace hanok::ops {

NormRecomputation::NormRecomputation(const Tensor& z, const NormStatistics& statistics,
                                     const BatchNormState& bn, const Tensor& residual, DType dtype,
                                     Activation activation)
    : Recomputation(residual.defined() && activation == Activation::Relu ? Held::Yes : Held::No),
      length_(chain_length(residual)),
      dtype_(dtype),
      activation_(activation),
      z_(z),
      mean_(statistics.mean),
      invstd_(statistics.invstd),
      gamma_(bn.weight),
      beta_(bn.bias),
      residual_(residual) {}

int NormRecomputation::chain_length(const Tensor& residual) {
  if (!residual.defined()) return 0;
  const auto before = std::dynamic_pointer_cast<NormRecomputation>(Recomputation::of(residual));
  return before == nullptr ? 1 : before->length_ + 1;
}

Tensor NormRecomputation::make(const char* op) const {
  const Tensor z = z_.get(op);
  Tensor residual = residual_.get_operand(op);
  BatchNormState bn;
  bn.weight = gamma_.get(op);
  bn.bias = beta_.get(op);
  // Over a residual that was recomputed for this.
  Tensor y = residual.defined() ? empty_over({&residual}) : empty_on(z, z.shape(), dtype_);
  apply_batch_norm(z, {mean_.get(op), invstd_.get(op)}, bn, residual, activation_, y);
  return y;
}

}  // namespace hanok::ops
