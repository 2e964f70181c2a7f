// MobileNetV3 (Howard et al., Searching for MobileNetV3, 2019), with torchvision's structure and
// names.
#pragma once

#include <memory>
#include <vector>

#include "hanok/nn/layers.h"
#include "hanok/nn/stages.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// A row of the paper's tables: one block.
struct MobileNetV3Block {
  std::int64_t in_channels = 0, kernel = 3, expanded = 0, out_channels = 0;
  bool squeeze_excitation = false, hardswish = false;  // ReLU otherwise
  std::int64_t stride = 1;
};

/// A 1x1 convolution that expands channels (omitted if it would not), a depthwise convolution,
/// squeeze and excitation, and a linear 1x1 projection; plus the input if the shapes match.
class InvertedResidualV3 : public Module {
 public:
  explicit InvertedResidualV3(const MobileNetV3Block& options);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "InvertedResidual"; }

  const MobileNetV3Block options;
  Child<Sequential> block;
};

/// MobileNetV3-Small.
class MobileNetV3 : public StagedModule {
 public:
  explicit MobileNetV3(std::int64_t classes = 1000);
  /// images [N,3,H,W] -> logits [N,classes].
  std::vector<Stage> stages() override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "MobileNetV3"; }

  const std::int64_t classes;
  Child<Sequential> features;
  Child<AdaptiveAvgPool2d> avgpool;
  Child<Sequential> classifier;  // Linear, Hardswish, Dropout, then the head: "classifier.3"
};

std::unique_ptr<MobileNetV3> mobilenet_v3_small(std::int64_t classes = 1000);

}  // namespace hanok::nn
#pragma GCC visibility pop
