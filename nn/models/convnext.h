// ConvNeXt (Liu et al., A ConvNet for the 2020s, 2022), with torchvision's structure and names.
#pragma once

#include <memory>

#include "hanok/nn/layers.h"
#include "hanok/nn/norms.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// x + stochastic_depth(layer_scale * block(x)); the block is a depthwise 7x7 convolution, a layer
/// norm over the channels of each pixel, and for each pixel Linear, GELU, Linear.
class ConvNeXtBlock : public Module {
 public:
  ConvNeXtBlock(std::int64_t channels, float drop_probability);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "CNBlock"; }

  const std::int64_t channels;
  const float drop_probability;
  Parameter layer_scale;    // [C,1,1], starts at 1e-6
  Child<Sequential> block;  // Conv2d, Permute, LayerNorm, Linear, GELU, Linear, Permute
  Child<StochasticDepth> stochastic_depth;

 private:
  Tensor run_in_place(const Tensor& x);
};

/// ConvNeXt-T. Blocks are dropped with probabilities increasing from 0 to 0.1.
class ConvNeXt : public Module {
 public:
  explicit ConvNeXt(std::int64_t classes = 1000);
  /// images [N,3,H,W], sides of 32 or more -> logits [N,classes].
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "ConvNeXt"; }

  const std::int64_t classes;
  Child<Sequential> features;
  Child<AdaptiveAvgPool2d> avgpool;
  Child<Sequential> classifier;  // norm, flatten, then the head: "classifier.2"
};

std::unique_ptr<ConvNeXt> convnext_tiny(std::int64_t classes = 1000);

}  // namespace hanok::nn
#pragma GCC visibility pop
