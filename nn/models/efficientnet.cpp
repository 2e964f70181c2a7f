#include "hanok/nn/models/efficientnet.h"

#include <algorithm>
#include <cmath>

#include "hanok/nn/init.h"
#include "hanok/nn/models/convolution.h"
#include "hanok/nn/models/squeeze_excitation.h"

namespace hanok::nn {
namespace {

std::unique_ptr<Sequential> conv_norm(std::unique_ptr<Conv2d> conv) {
  const std::int64_t channels = conv->options.out_channels;
  auto layers = std::make_unique<Sequential>();
  layers->append(std::move(conv));
  layers->append(std::make_unique<BatchNorm2d>(channels));
  return layers;
}

std::unique_ptr<Sequential> conv_norm_silu(std::unique_ptr<Conv2d> conv) {
  std::unique_ptr<Sequential> layers = conv_norm(std::move(conv));
  layers->append(std::make_unique<SiLU>());
  return layers;
}

std::unique_ptr<Sequential> make_block(const MBConvOptions& o) {
  const std::int64_t expanded = o.in_channels * o.expansion;
  auto layers = std::make_unique<Sequential>();
  if (o.expansion != 1) {
    layers->append(
        conv_norm_silu(kaiming_conv({.in_channels = o.in_channels, .out_channels = expanded})));
  }
  layers->append(conv_norm_silu(kaiming_conv({.in_channels = expanded,
                                              .out_channels = expanded,
                                              .kernel = o.kernel,
                                              .stride = o.stride,
                                              .groups = expanded})));
  // A quarter of the block's input channels, not of the expanded ones.
  layers->append(
      std::make_unique<SqueezeExcitation>(expanded, std::max<std::int64_t>(1, o.in_channels / 4),
                                          std::make_unique<SiLU>(), std::make_unique<Sigmoid>()));
  layers->append(
      conv_norm(kaiming_conv({.in_channels = expanded, .out_channels = o.out_channels})));
  return layers;
}

struct Stage {  // table 1 of the paper
  std::int64_t expansion, kernel, stride, channels;
  int blocks;
};
constexpr Stage kStages[] = {{1, 3, 1, 16, 1}, {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2},
                             {6, 3, 2, 80, 3}, {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4},
                             {6, 3, 1, 320, 1}};
constexpr std::int64_t kFirstChannels = 32, kLastChannels = 1280;
constexpr double kLargestDrop = 0.2;

std::unique_ptr<Sequential> make_features() {
  int total = 0, index = 0;
  for (const Stage& stage : kStages) total += stage.blocks;
  auto features = std::make_unique<Sequential>();
  features->append(conv_norm_silu(
      kaiming_conv({.in_channels = 3, .out_channels = kFirstChannels, .kernel = 3, .stride = 2})));
  MBConvOptions options;
  options.in_channels = kFirstChannels;
  for (const Stage& stage : kStages) {
    auto blocks = std::make_unique<Sequential>();
    options.out_channels = stage.channels;
    options.expansion = stage.expansion;
    options.kernel = stage.kernel;
    for (int i = 0; i < stage.blocks; ++i, ++index) {
      options.stride = i == 0 ? stage.stride : 1;
      options.drop_probability = static_cast<float>(kLargestDrop * index / total);
      blocks->append(std::make_unique<MBConv>(options));
      options.in_channels = stage.channels;
    }
    features->append(std::move(blocks));
  }
  features->append(conv_norm_silu(
      kaiming_conv({.in_channels = options.in_channels, .out_channels = kLastChannels})));
  return features;
}

std::unique_ptr<Sequential> make_classifier(std::int64_t classes) {
  auto classifier = std::make_unique<Sequential>();
  classifier->append(std::make_unique<Dropout>(0.2F));
  auto head = std::make_unique<Linear>(kLastChannels, classes);
  const float bound = 1.0F / std::sqrt(static_cast<float>(classes));
  init::uniform(head->weight.data(), -bound, bound);
  init::constant(head->bias.data(), 0);
  classifier->append(std::move(head));
  return classifier;
}

}  // namespace

MBConv::MBConv(const MBConvOptions& options)
    : options(options),
      block(this, "block", make_block(options)),
      stochastic_depth(this, "stochastic_depth", options.drop_probability) {}

Tensor MBConv::forward(const Tensor& x) {
  const Tensor y = block(x);
  const bool same_shape = options.stride == 1 && options.in_channels == options.out_channels;
  return same_shape ? ops::add(stochastic_depth(y), x) : y;
}

std::unique_ptr<Module> MBConv::clone() const { return clone_as<MBConv>(options); }

EfficientNet::EfficientNet(std::int64_t classes)
    : classes(classes),
      features(this, "features", make_features()),
      avgpool(this, "avgpool", 1, 1),
      classifier(this, "classifier", make_classifier(classes)) {}

Tensor EfficientNet::forward(const Tensor& x) {
  return classifier(ops::flatten(avgpool(features(x)), 1));
}

std::unique_ptr<Module> EfficientNet::clone() const { return clone_as<EfficientNet>(classes); }

std::unique_ptr<EfficientNet> efficientnet_b0(std::int64_t classes) {
  return std::make_unique<EfficientNet>(classes);
}

}  // namespace hanok::nn
