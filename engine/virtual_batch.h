// Batch norm over a batch that is computed in parts, as if it were computed whole: every part is
// normalised by the statistics of all, and gradients flow through those.
//
// A part cannot know them before the other parts have come as far. So a block of the network runs
// again and again: each part's pass ends (PartEnds) at the first batch norm whose statistics are
// missing and leaves its own there; combine() makes those of the batch, and all parts run anew, one
// batch norm further. Backward passes likewise: the gradient of a batch norm's input needs the sums
// of gradients over the batch. See nn/virtual_batch.h.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok {

namespace ops {
class WholeBatchNorm;
}

/// The batch norms of one block, in the order in which it runs them, and what is known of the whole
/// batch.
class VirtualBatchNorms {
 public:
  /// Thrown where a part's pass ends early. No error: nothing that catches those catches it.
  struct PartEnds {};

  /// While alive, this thread computes one part: its batch norms that use the batch's statistics
  /// are, in their order, those of the block. Scopes do not nest.
  class Part {
   public:
    explicit Part(VirtualBatchNorms& norms);
    ~Part();
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
  };

  VirtualBatchNorms();
  ~VirtualBatchNorms();
  VirtualBatchNorms(VirtualBatchNorms&&) noexcept;
  VirtualBatchNorms& operator=(VirtualBatchNorms&&) noexcept;

  /// After each part ended at the same batch norm: what they left there becomes the batch's. The
  /// running statistics are updated (StepTransaction) once, by the whole batch.
  void combine();
  /// Whether a batch norm's sums of gradients are not known yet.
  bool lacks_sums() const;

  /// Whether this thread computes a part.
  static bool active();
  /// For batch norms: the next one of the part that is computed; null outside parts.
  static std::shared_ptr<ops::WholeBatchNorm> next();

 private:
  std::vector<std::shared_ptr<ops::WholeBatchNorm>> norms_;
  std::size_t position_ = 0;  // of the part's next norm
};

}  // namespace hanok
#pragma GCC visibility pop
