// ResNet (He et al. 2015), with torchvision's structure and names.
#pragma once

#include <memory>
#include <vector>

#include "nn/layers.h"

namespace hanok::nn {

/// conv3x3-bn-relu-conv3x3-bn, plus the input (through a 1x1 convolution where shapes differ),
/// relu.
class BasicBlock : public Module {
 public:
  BasicBlock(std::int64_t in_channels, std::int64_t channels, std::int64_t stride);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "BasicBlock"; }

  const std::int64_t in_channels, channels, stride;
  Child<Conv2d> conv1;
  Child<BatchNorm2d> bn1;
  Child<Conv2d> conv2;
  Child<BatchNorm2d> bn2;
  Child<Sequential> downsample;  // empty where the input is added as it is
};

class ResNet : public Module {
 public:
  /// `blocks`: how many blocks each of the four stages has.
  explicit ResNet(std::vector<int> blocks, std::int64_t classes = 1000);
  /// images [N,3,H,W] -> logits [N,classes].
  Tensor forward(const Tensor& x) override;
  /// images -> pooled features [N,512].
  Tensor forward_features(const Tensor& x);
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "ResNet"; }

  const std::vector<int> blocks;
  const std::int64_t classes;
  Child<Conv2d> conv1;
  Child<BatchNorm2d> bn1;
  Child<MaxPool2d> maxpool;
  Child<Sequential> layer1, layer2, layer3, layer4;
  Child<AdaptiveAvgPool2d> avgpool;
  Child<Module> fc;  // replaceable head
};

/// Initialised as torchvision does: convolutions Kaiming normal over fan out, batch norms 1 and 0,
/// the head as any Linear.
std::unique_ptr<ResNet> resnet18(std::int64_t classes = 1000);
std::unique_ptr<ResNet> resnet34(std::int64_t classes = 1000);

}  // namespace hanok::nn
