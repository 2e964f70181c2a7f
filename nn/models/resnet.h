// ResNet (He et al. 2015), Wide ResNet (Zagoruyko and Komodakis 2016) and ResNeXt (Xie et al.
// 2016), with torchvision's structure and names.
#pragma once

#include <memory>
#include <vector>

#include "hanok/nn/layers.h"
#include "hanok/nn/stages.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// conv3x3-bn-relu-conv3x3-bn, plus the input (projected by a 1x1 convolution if the shapes
/// differ), relu.
class BasicBlock : public Module {
 public:
  /// `stride` is that of conv1.
  BasicBlock(std::int64_t in_channels, std::int64_t channels, std::int64_t stride);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "BasicBlock"; }

  const std::int64_t in_channels, channels, stride;
  Child<Conv2d> conv1;
  Child<BatchNorm2d> bn1;
  Child<Conv2d> conv2;
  Child<BatchNorm2d> bn2;
  Child<Sequential> downsample;  // empty if the input is added unchanged
};

struct BottleneckOptions {
  std::int64_t in_channels{}, channels{};    // input channels; output channels / 4
  std::int64_t stride{}, width{}, groups{};  // of the 3x3 convolution; `width` is its channels
};

/// conv1x1-bn-relu-conv3x3-bn-relu-conv1x1-bn, plus the input as above, relu.
class Bottleneck : public Module {
 public:
  explicit Bottleneck(const BottleneckOptions& options);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Bottleneck"; }
  static constexpr std::int64_t kExpansion = 4;

  const BottleneckOptions options;
  Child<Conv2d> conv1;
  Child<BatchNorm2d> bn1;
  Child<Conv2d> conv2;
  Child<BatchNorm2d> bn2;
  Child<Conv2d> conv3;
  Child<BatchNorm2d> bn3;
  Child<Sequential> downsample;
};

struct ResNetOptions {
  std::vector<int> blocks{};                      // per stage, four stages
  bool bottleneck = false;                        // Bottleneck instead of BasicBlock
  std::int64_t groups = 1, width_per_group = 64;  // of a Bottleneck's 3x3 convolution
  std::int64_t classes = 1000;
};

class ResNet : public StagedModule {
 public:
  /// Throws ValueError for other than four stages, an empty stage, or a widened BasicBlock.
  explicit ResNet(const ResNetOptions& options);
  /// images [N,3,H,W] -> logits [N,classes].
  Tensor forward(const Tensor& images) override;
  /// forward() in links: the stem, layer1 to layer4 (pooled), the head.
  std::vector<Stage> stages() override;
  /// images -> pooled features [N,512], with bottlenecks [N,2048].
  Tensor forward_features(const Tensor& x);
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "ResNet"; }

  const ResNetOptions options;
  Child<Conv2d> conv1;
  Child<BatchNorm2d> bn1;
  Child<MaxPool2d> maxpool;
  Child<Sequential> layer1, layer2, layer3, layer4;
  Child<AdaptiveAvgPool2d> avgpool;
  Child<Module> fc;  // replaceable head

 private:
  /// conv7x7-bn-relu-maxpool: images [N,3,H,W] -> [N,64,H/4,W/4].
  Tensor stem(const Tensor& images);
  /// The mean over each channel: [N,C,h,w] -> [N,C].
  Tensor pool(const Tensor& x);
};

/// Initialised as torchvision does: convolutions Kaiming normal over fan out, batch norms 1 and 0,
/// the head as any Linear.
std::unique_ptr<ResNet> resnet18(std::int64_t classes = 1000);
std::unique_ptr<ResNet> resnet34(std::int64_t classes = 1000);
std::unique_ptr<ResNet> resnet50(std::int64_t classes = 1000);
std::unique_ptr<ResNet> resnet101(std::int64_t classes = 1000);
std::unique_ptr<ResNet> wide_resnet50_2(std::int64_t classes = 1000);
std::unique_ptr<ResNet> resnext50_32x4d(std::int64_t classes = 1000);

}  // namespace hanok::nn
#pragma GCC visibility pop
