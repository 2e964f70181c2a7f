#include "hanok/nn/models/convnext.h"

#include <iterator>

#include "hanok/nn/init.h"
#include "hanok/nn/models/convolution.h"

namespace hanok::nn {
namespace {

constexpr float kStddev = 0.02F;  // of all initial weights
constexpr float kInitialScale = 1e-6F;
constexpr double kEpsilon = 1e-6;

std::unique_ptr<Conv2d> make_conv(const Conv2dOptions& options) {
  auto conv = std::make_unique<Conv2d>(options);
  // torchvision truncates this distribution at -2 and 2, which is 100 standard deviations.
  init::normal(conv->weight.data(), 0, kStddev);
  init::constant(conv->bias.data(), 0);
  return conv;
}

std::unique_ptr<Sequential> make_block(std::int64_t channels) {
  auto layers = std::make_unique<Sequential>();
  layers->append(make_conv({.in_channels = channels,
                            .out_channels = channels,
                            .kernel_h = 7,
                            .kernel_w = 7,
                            .window = {.pad_h = 3, .pad_w = 3},
                            .groups = channels}));
  layers->append(std::make_unique<Permute>(std::vector<int>{0, 2, 3, 1}));
  layers->append(std::make_unique<LayerNorm>(std::vector<std::int64_t>{channels}, kEpsilon));
  layers->append(normal_linear(channels, 4 * channels, kStddev));
  layers->append(std::make_unique<GELU>());
  layers->append(normal_linear(4 * channels, channels, kStddev));
  layers->append(std::make_unique<Permute>(std::vector<int>{0, 3, 1, 2}));
  return layers;
}

// A Linear over the channels of each pixel of x [N,C,H,W]: a 1x1 convolution with its weight.
Tensor linear_of_pixels(const Tensor& x, const Linear& layer) {
  return ops::conv2d(x, ops::reshape(layer.weight, {layer.out_features, layer.in_features, 1, 1}),
                     layer.bias);
}

constexpr std::int64_t kChannels[] = {96, 192, 384, 768};
constexpr int kBlocks[] = {3, 3, 9, 3};
constexpr int kStages = 4, kTotalBlocks = 18;
constexpr double kLargestDrop = 0.1;

std::unique_ptr<Sequential> make_features() {
  auto features = std::make_unique<Sequential>();
  auto stem = std::make_unique<Sequential>();
  stem->append(make_conv({.in_channels = 3,
                          .out_channels = kChannels[0],
                          .kernel_h = 4,
                          .kernel_w = 4,
                          .window = {.stride_h = 4, .stride_w = 4}}));
  stem->append(std::make_unique<LayerNorm2d>(kChannels[0], kEpsilon));
  features->append(std::move(stem));
  int index = 0;
  for (int stage = 0; stage < kStages; ++stage) {
    auto blocks = std::make_unique<Sequential>();
    for (int i = 0; i < kBlocks[stage]; ++i, ++index) {
      blocks->append(std::make_unique<ConvNeXtBlock>(
          kChannels[stage], static_cast<float>(kLargestDrop * index / (kTotalBlocks - 1))));
    }
    features->append(std::move(blocks));
    if (stage + 1 == kStages) break;
    auto halve = std::make_unique<Sequential>();
    halve->append(std::make_unique<LayerNorm2d>(kChannels[stage], kEpsilon));
    halve->append(make_conv({.in_channels = kChannels[stage],
                             .out_channels = kChannels[stage + 1],
                             .kernel_h = 2,
                             .kernel_w = 2,
                             .window = {.stride_h = 2, .stride_w = 2}}));
    features->append(std::move(halve));
  }
  return features;
}

std::unique_ptr<Sequential> make_classifier(std::int64_t classes) {
  constexpr std::int64_t kFeatures = kChannels[kStages - 1];
  auto classifier = std::make_unique<Sequential>();
  classifier->append(std::make_unique<LayerNorm2d>(kFeatures, kEpsilon));
  classifier->append(std::make_unique<Flatten>(1));
  classifier->append(normal_linear(kFeatures, classes, kStddev));
  return classifier;
}

}  // namespace

ConvNeXtBlock::ConvNeXtBlock(std::int64_t channels, float drop_probability)
    : channels(channels),
      drop_probability(drop_probability),
      layer_scale(this, "layer_scale",
                  Tensor::full({channels, 1, 1}, static_cast<double>(kInitialScale))),
      block(this, "block", make_block(channels)),
      stochastic_depth(this, "stochastic_depth", drop_probability) {}

// Computes `block` without permuting: channels are already innermost in memory.
Tensor ConvNeXtBlock::run_in_place(const Tensor& x) {
  Sequential& layers = *block;
  auto& norm = static_cast<LayerNorm&>(layers[2]);
  Tensor y = ops::layer_norm_channels(layers[0](x), norm.weight, norm.bias, norm.epsilon);
  y = ops::gelu(linear_of_pixels(y, static_cast<Linear&>(layers[3])));
  return linear_of_pixels(y, static_cast<Linear&>(layers[5]));
}

Tensor ConvNeXtBlock::forward(const Tensor& x) {
  // Layers with hooks or of other types run one by one.
  constexpr const char* kTypes[] = {"Conv2d", "Permute", "LayerNorm", "Linear",
                                    "GELU",   "Linear",  "Permute"};
  bool plain = block->size() == std::size(kTypes) && !block->has_forward_hooks();
  for (std::size_t i = 0; plain && i < block->size(); ++i) {
    plain = (*block)[i].type_name() == kTypes[i] && !(*block)[i].has_forward_hooks();
  }
  const Tensor y = plain ? run_in_place(x) : (*block)(x);
  return ops::add(stochastic_depth(ops::mul(ops::cast(layer_scale, y.dtype()), y)), x);
}

std::unique_ptr<Module> ConvNeXtBlock::clone() const {
  return clone_as<ConvNeXtBlock>(channels, drop_probability);
}

ConvNeXt::ConvNeXt(std::int64_t classes)
    : classes(classes),
      features(this, "features", make_features()),
      avgpool(this, "avgpool", 1, 1),
      classifier(this, "classifier", make_classifier(classes)) {}

Tensor ConvNeXt::forward(const Tensor& x) { return classifier(avgpool(features(x))); }

std::unique_ptr<Module> ConvNeXt::clone() const { return clone_as<ConvNeXt>(classes); }

std::unique_ptr<ConvNeXt> convnext_tiny(std::int64_t classes) {
  return std::make_unique<ConvNeXt>(classes);
}

}  // namespace hanok::nn
