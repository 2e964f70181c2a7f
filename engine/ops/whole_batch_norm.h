// One batch norm of a batch that is computed in parts, one after the other
// (engine/virtual_batch.h) or side by side (engine/sliced_batch.h).
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
  /// The batch's statistics, where this thread computes a slice: of mean and biased variance [2,C]
  /// of its `rows` pixels, and those of all other slices.
  NormStatistics statistics_over_slices(const Tensor& mean_var, std::int64_t rows,
                                        const BatchNormState& state);
  /// The same in parts; one that comes before they are known leaves its own, and ends.
  NormStatistics statistics(const Tensor& mean_var, std::int64_t rows, const BatchNormState& state);
  /// Runs a part's backward kernel; a part that comes before the batch's sums are known leaves its
  /// own and ends, or, as a slice, waits for the others'.
  void run_backward(const Target& target, const BatchNormBackward& call);
  bool has_sums() const { return offset_.defined(); }
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
  /// From the sums over the batch, dgamma then dbeta.
  void set_sums(const std::vector<double>& sums);

  std::vector<Left> parts_;
  BatchNormState state_;
  Device device_ = Device::cpu();
  std::int64_t rows_ = 0;  // of the batch
  Tensor mean_, invstd_;   // of the batch: f32 [C]
  Tensor offset_, slope_;  // BatchNormBackward::batch_offset, batch_slope
};

}  // namespace hanok::ops
