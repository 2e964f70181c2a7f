// VGG with batch norm (Simonyan and Zisserman 2014), with torchvision's structure and names.
#pragma once

#include <memory>
#include <vector>

#include "hanok/nn/layers.h"
#include "hanok/nn/stages.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

class Vgg : public StagedModule {
 public:
  /// VGG-16: thirteen 3x3 convolutions, five poolings, three fully connected layers.
  explicit Vgg(std::int64_t classes = 1000);
  /// images [N,3,H,W], sides of 32 or more -> logits [N,classes].
  std::vector<Stage> stages() override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "VGG"; }

  const std::int64_t classes;
  Child<Sequential> features;
  Child<AdaptiveAvgPool2d> avgpool;
  Child<Sequential> classifier;  // its last module, "classifier.6", is the head
};

std::unique_ptr<Vgg> vgg16_bn(std::int64_t classes = 1000);

}  // namespace hanok::nn
#pragma GCC visibility pop
