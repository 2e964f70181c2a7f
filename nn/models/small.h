// Small networks for teaching and tests.
#pragma once

#include <memory>
#include <vector>

#include "hanok/nn/layers.h"
#include "hanok/nn/stages.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// Multi-layer perceptron: flatten, then alternating Linear and ReLU; no ReLU after the last layer.
class Mlp : public StagedModule {
 public:
  /// `sizes`: input features, hidden features..., classes. Throws ValueError for fewer than two.
  explicit Mlp(const std::vector<std::int64_t>& sizes);
  /// x [N,...] with sizes[0] elements per sample -> logits [N,sizes.back()].
  std::vector<Stage> stages() override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Mlp"; }

  const std::vector<std::int64_t> sizes;
  Child<Sequential> hidden;  // Linear, ReLU, Linear, ReLU, ...
  Child<Module> head;        // replaceable
};

/// LeNet-5 (LeCun et al. 1998) in its modern form: 5x5 convolutions without padding, ReLU, 2x2 max
/// pooling.
class LeNet : public StagedModule {
 public:
  explicit LeNet(std::int64_t classes = 10, std::int64_t in_channels = 1,
                 std::int64_t image_size = 32);
  /// images [N,in_channels,S,S] -> logits [N,classes].
  std::vector<Stage> stages() override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "LeNet"; }

  const std::int64_t classes, in_channels, image_size;
  Child<Conv2d> conv1, conv2;
  Child<Linear> fc1, fc2;
  Child<Module> fc3;  // replaceable head
};

}  // namespace hanok::nn
#pragma GCC visibility pop
