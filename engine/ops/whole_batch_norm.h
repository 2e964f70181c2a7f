// One batch norm of a batch that is computed in parts: engine/virtual_batch.h says how.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/engine/ops.h"
#include "hanok/engine/ops/common.h"
#include "hanok/engine/ops/norm.h"
#include "hanok/kernels/backend.h"

namespace hanok::ops {

class WholeBatchNorm {
 public:
  /// The batch's statistics; a part that comes before they are known leaves its own, mean and
  /// biased variance [2,C] of `rows` pixels, and ends.
  NormStatistics statistics(const Tensor& mean_var, std::int64_t rows, const BatchNormState& state);
  /// Runs a part's backward kernel, for which call.dx is no x in place; a part that comes before
  /// the batch's sums are known leaves its own and ends.
  void run_backward(const Target& target, const BatchNormBackward& call);
  bool has_sums() const { return gradient_scale_.defined(); }
  /// Whether parts have left something that is to be combined.
  bool collects() const { return !parts_.empty(); }
  /// Makes the batch's statistics, or later sums, of what the parts have left.
  void combine();

 private:
  /// Two values a channel.
  struct Left {
    std::vector<float> first, second;
    std::int64_t rows = 0;
  };
  void combine_statistics();
  void combine_sums();

  std::vector<Left> parts_;
  BatchNormState state_;
  Device device_ = Device::cpu();
  std::int64_t rows_ = 0;                   // of the batch
  Tensor mean_, invstd_;                    // of the batch: f32 [C]
  Tensor gradient_scale_, gradient_shift_;  // of the batch norm of x that its sums add to dx
};

}  // namespace hanok::ops
