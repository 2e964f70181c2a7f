// EfficientNet (Tan and Le 2019), with torchvision's structure and names.
#pragma once

#include <memory>

#include "hanok/nn/layers.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

struct MBConvOptions {
  std::int64_t in_channels = 0, out_channels = 0;
  std::int64_t expansion = 1, kernel = 3, stride = 1;
  float drop_probability = 0;  // of the stochastic depth
};

/// A 1x1 convolution that expands channels `expansion` times (omitted if 1), a depthwise
/// convolution, squeeze and excitation, and a linear 1x1 projection. If the shapes match, the input
/// is added, and in training the branch is dropped for some samples (StochasticDepth).
class MBConv : public Module {
 public:
  explicit MBConv(const MBConvOptions& options);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "MBConv"; }

  const MBConvOptions options;
  Child<Sequential> block;
  Child<StochasticDepth> stochastic_depth;
};

/// EfficientNet-B0. Blocks are dropped with probabilities increasing from 0 to almost 0.2.
class EfficientNet : public Module {
 public:
  explicit EfficientNet(std::int64_t classes = 1000);
  /// images [N,3,H,W] -> logits [N,classes].
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "EfficientNet"; }

  const std::int64_t classes;
  Child<Sequential> features;
  Child<AdaptiveAvgPool2d> avgpool;
  Child<Sequential> classifier;  // dropout, then the head: "classifier.1"
};

std::unique_ptr<EfficientNet> efficientnet_b0(std::int64_t classes = 1000);

}  // namespace hanok::nn
#pragma GCC visibility pop
