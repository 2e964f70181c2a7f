// A batch norm's output, recomputed for the backward pass.
#pragma once

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops/norm.h"

namespace hanok::ops {

/// y = activation(batch norm of z + residual). Recomputing a residual that is recomputed itself,
/// and so on to the front of a long stage, would take longer with every block: such chains end
/// after kLongest.
class NormRecomputation final : public Recomputation {
 public:
  static constexpr int kLongest = 2;

  /// residual may be undefined.
  NormRecomputation(const Tensor& z, const NormStatistics& statistics, const BatchNormState& bn,
                    const Tensor& residual, DType dtype, Activation activation);

  /// Residuals to be added, one after the other, for an output with this one.
  static int chain_length(const Tensor& residual);

 protected:
  Tensor make(const char* op) const override;

 private:
  int length_;
  DType dtype_;
  Activation activation_;
  SavedTensor z_, mean_, invstd_, gamma_, beta_, residual_;
};

}  // namespace hanok::ops
