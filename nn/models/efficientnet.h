// EfficientNet (Tan and Le 2019) and its Lite variant, with torchvision's structure and names.
#pragma once

#include <memory>
#include <vector>

#include "hanok/nn/layers.h"
#include "hanok/nn/stages.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// In what the networks of this family differ inside their blocks.
struct EfficientNetVariant {
  enum class Act { SiLU, ReLU6 };
  Act activation = Act::SiLU;
  bool squeeze_excitation = true;
  ops::Padding padding = ops::Padding::Window;  // of kernels larger than 1x1
  double epsilon = 1e-5;                        // of the batch norms
};

struct MBConvOptions {
  std::int64_t in_channels = 0, out_channels = 0;
  std::int64_t expansion = 1, kernel = 3, stride = 1;
  float drop_probability = 0;  // of the stochastic depth
  EfficientNetVariant variant{};
};

/// A 1x1 convolution that expands channels `expansion` times (omitted if 1), a depthwise
/// convolution, squeeze and excitation (if the variant has it), and a linear 1x1 projection. If the
/// shapes match, the input is added, and in training the branch is dropped for some samples
/// (StochasticDepth); a frozen block drops none, so that its output for an image never changes.
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

/// A row of the paper's table 1: so many blocks, of which the first one has the stride.
struct EfficientNetStage {
  std::int64_t expansion = 1, kernel = 3, stride = 1, channels = 0;
  int blocks = 1;
};

struct EfficientNetOptions {
  /// The head starts uniformly within 1/sqrt(classes), as torchvision's does: large numbers where
  /// there are few classes; or within 1/sqrt(features), as any Linear.
  enum class HeadInit { ByClasses, ByFeatures };
  std::vector<EfficientNetStage> stages{};
  std::int64_t first_channels = 32, last_channels = 1280;
  EfficientNetVariant variant{};
  std::int64_t classes = 1000;
  HeadInit head_init = HeadInit::ByClasses;
};

/// A convolution with stride 2, the stages, a 1x1 convolution, the mean of each channel, dropout
/// and a Linear. Blocks are dropped with probabilities increasing from 0 to almost 0.2.
class EfficientNet : public StagedModule {
 public:
  explicit EfficientNet(const EfficientNetOptions& options);
  /// images [N,3,H,W] -> logits [N,classes]: the features, then the classifier.
  std::vector<Stage> stages() override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "EfficientNet"; }

  const EfficientNetOptions options;
  Child<Sequential> features;
  Child<AdaptiveAvgPool2d> avgpool;
  Child<Sequential> classifier;  // dropout, then the head: "classifier.1"
};

/// As torchvision trains it.
std::unique_ptr<EfficientNet> efficientnet_b0(std::int64_t classes = 1000);
/// As TensorFlow trained it: SAME padding, and batch norms with an epsilon of 1e-3.
std::unique_ptr<EfficientNet> tf_efficientnet_b0(std::int64_t classes = 1000);
/// EfficientNet-Lite0: for devices without fast sigmoids, so ReLU6 and no squeeze and excitation;
/// SAME padding and an epsilon of 1e-3.
std::unique_ptr<EfficientNet> efficientnet_lite0(std::int64_t classes = 1000);

}  // namespace hanok::nn
#pragma GCC visibility pop
