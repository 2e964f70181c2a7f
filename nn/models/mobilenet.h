// MobileNetV2 (Sandler et al. 2018), with torchvision's structure and names.
#pragma once

#include <memory>
#include <vector>

#include "hanok/nn/layers.h"
#include "hanok/nn/stages.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

struct InvertedResidualOptions {
  std::int64_t in_channels{}, out_channels{};
  std::int64_t stride = 1, expansion = 6;
};

/// A 1x1 convolution that expands channels `expansion` times (omitted if 1), a depthwise 3x3
/// convolution, and a linear 1x1 projection; plus the input if the shapes match.
class InvertedResidual : public Module {
 public:
  explicit InvertedResidual(const InvertedResidualOptions& options);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "InvertedResidual"; }

  const InvertedResidualOptions options;
  Child<Sequential> conv;
};

class MobileNetV2 : public StagedModule {
 public:
  explicit MobileNetV2(std::int64_t classes = 1000);
  /// images [N,3,H,W] -> logits [N,classes].
  std::vector<Stage> stages() override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "MobileNetV2"; }

  const std::int64_t classes;
  Child<Sequential> features;
  Child<Sequential> classifier;  // dropout, then the head: "classifier.1"
};

std::unique_ptr<MobileNetV2> mobilenet_v2(std::int64_t classes = 1000);

}  // namespace hanok::nn
#pragma GCC visibility pop
