// Gradients of a sliced batch (engine/sliced_batch.h), added up over its slices while backward
// passes still run: each process adds its own slices', and sums of several parameters at a time go
// out to the other ranks as soon as all of them are complete (buckets; Li et al., "PyTorch
// Distributed: Experiences on Accelerating Data Parallel Training", 2020).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "hanok/engine/autograd.h"
#include "hanok/engine/communicator.h"
#include "hanok/engine/sliced_batch.h"
#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

class GradientReduction final : public LeafGradients {
 public:
  /// Bytes of a bucket: large enough that latency does not count, small enough that the last one,
  /// which no computing hides, is short.
  static constexpr std::size_t kBucketBytes = std::size_t{4} << 20;

  /// Of one pass of `batch` (forward and backward of all slices) over a network with these
  /// `parameters`, the same on every rank.
  GradientReduction(std::vector<Tensor> parameters, Communicator& communicator,
                    const SlicedBatch& batch, std::size_t bucket_bytes = kBucketBytes);

  /// Of the slice that this thread computes, within a LeafGradients::Scope.
  void take(const Tensor& leaf, Tensor gradient) override;

  /// After all slices: waits for the sums over all ranks, and adds them to the parameters'
  /// gradients. A parameter that no slice gave one keeps what it has.
  void finish();

  /// Bytes that went out to other ranks.
  std::size_t bytes_sent() const { return bytes_sent_; }

 private:
  struct Parameter {
    Tensor tensor;
    std::size_t bucket = 0;
    std::int64_t slices = 0;     // that have given their gradient
    std::vector<Tensor> tree{};  // add_along_tree()
    Tensor sum{};                // of this rank's slices, once complete
  };
  struct Bucket {
    std::vector<std::size_t> parameters{};
    std::size_t incomplete = 0;
    Tensor values{};  // all of it on its way
    std::vector<std::size_t> sent{};
    std::unique_ptr<Communicator::Pending> pending{};
  };
  /// Sends the complete buckets that are next in their fixed order.
  void send_complete();
  void send(Bucket& bucket);

  Communicator& communicator_;
  std::int64_t slices_;  // of this rank
  std::vector<Parameter> parameters_;
  std::unordered_map<const TensorImpl*, std::size_t> places_;
  std::vector<Bucket> buckets_;  // in the order in which backward passes complete them
  std::size_t next_bucket_ = 0;  // that is to be sent
  std::size_t bytes_sent_ = 0;
};

}  // namespace hanok::nn
#pragma GCC visibility pop
