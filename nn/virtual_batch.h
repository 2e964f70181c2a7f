// A large batch in little memory: each block of a network computes the batch part by part, and
// batch norm still sees the whole batch (engine/virtual_batch.h). Values and gradients are those of
// the whole batch to rounding.
//
// Between blocks the whole batch is kept, within a block one part at a time. A block with n batch
// norms runs n + 1 times forward, and in the backward pass n + 1 times both ways: the parts meet at
// every batch norm.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/engine/tensor.h"
#include "hanok/engine/virtual_batch.h"
#include "hanok/nn/stages.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

class VirtualBatch {
 public:
  /// Each block must compute the images of a batch apart from each other, but for batch norm, and
  /// must draw no random numbers.
  explicit VirtualBatch(const std::vector<Block>& blocks);

  /// Runs x [N,...] through all blocks, in 1 to N parts: [N,...], outside the graph.
  Tensor forward(const Tensor& x, std::int64_t parts);
  /// Whether a gradient of forward()'s result reaches any parameter.
  bool learns() const;
  /// Adds the parameters' gradients, given that of forward()'s result. Once for each forward().
  void backward(const Tensor& gradient);

 private:
  struct Step {
    Block block;
    VirtualBatchNorms norms{};
    std::vector<Tensor> inputs{};  // of the parts
    bool learns = false;           // a parameter of it, or of a block before it, needs a gradient
  };
  static std::vector<Tensor> forward(Step& step, bool needs_gradient);
  static std::vector<Tensor> backward(Step& step, std::vector<Tensor>& gradients,
                                      bool needs_gradient);

  std::vector<Step> steps_;
};

}  // namespace hanok::nn
#pragma GCC visibility pop
