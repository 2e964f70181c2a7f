#include "hanok/nn/models/mobilenet.h"

#include <typeinfo>

#include "hanok/engine/layer_scope.h"
#include "hanok/nn/models/convolution.h"

namespace hanok::nn {
namespace {

std::unique_ptr<Sequential> conv_norm_relu6(const SquareConvOptions& square) {
  auto layers = std::make_unique<Sequential>();
  layers->append(kaiming_conv(square));
  layers->append(std::make_unique<BatchNorm2d>(square.out_channels));
  layers->append(std::make_unique<ReLU6>());
  return layers;
}

std::unique_ptr<Sequential> make_block(const InvertedResidualOptions& o) {
  const std::int64_t hidden = o.in_channels * o.expansion;
  auto layers = std::make_unique<Sequential>();
  if (o.expansion != 1) {
    layers->append(conv_norm_relu6({.in_channels = o.in_channels, .out_channels = hidden}));
  }
  layers->append(conv_norm_relu6({.in_channels = hidden,
                                  .out_channels = hidden,
                                  .kernel = 3,
                                  .stride = o.stride,
                                  .groups = hidden}));
  layers->append(kaiming_conv({.in_channels = hidden, .out_channels = o.out_channels}));
  layers->append(std::make_unique<BatchNorm2d>(o.out_channels));
  return layers;
}

/// True if it has exactly this type and no forward hooks.
template <typename Layer>
bool is_unwatched(const Module& module) {
  return typeid(module) == typeid(Layer) && !module.has_forward_hooks();
}

constexpr std::int64_t kLastChannels = 1280;

std::unique_ptr<Sequential> make_features() {
  struct Stage {  // table 2 of the paper
    std::int64_t expansion, channels, blocks, stride;
  };
  constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                               {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  auto features = std::make_unique<Sequential>();
  features->append(
      conv_norm_relu6({.in_channels = 3, .out_channels = 32, .kernel = 3, .stride = 2}));
  std::int64_t in_channels = 32;
  for (const Stage& stage : kStages) {
    for (std::int64_t i = 0; i < stage.blocks; ++i) {
      features->append(std::make_unique<InvertedResidual>(
          InvertedResidualOptions{.in_channels = in_channels,
                                  .out_channels = stage.channels,
                                  .stride = i == 0 ? stage.stride : 1,
                                  .expansion = stage.expansion}));
      in_channels = stage.channels;
    }
  }
  features->append(conv_norm_relu6({.in_channels = in_channels, .out_channels = kLastChannels}));
  return features;
}

std::unique_ptr<Sequential> make_classifier(std::int64_t classes) {
  auto classifier = std::make_unique<Sequential>();
  classifier->append(std::make_unique<Dropout>(0.2F));
  classifier->append(normal_linear(kLastChannels, classes));
  return classifier;
}

}  // namespace

InvertedResidual::InvertedResidual(const InvertedResidualOptions& given)
    : options(given), conv(this, "conv", make_block(options)) {}

// The arguments for ops::inverted_residual; empty if a layer has a forward hook, which would not be
// called, or has been replaced by another type.
std::vector<ops::ConvNorm> InvertedResidual::fusible_layers() const {
  const std::size_t depthwise = options.expansion != 1 ? 1 : 0;
  const std::size_t projection = depthwise + 1;
  if (conv->size() != projection + 2 || conv->has_forward_hooks()) return {};
  std::vector<ops::ConvNorm> layers;
  const auto add = [&layers](Module& convolution, Module& norm) {
    if (!is_unwatched<Conv2d>(convolution) || !is_unwatched<BatchNorm2d>(norm)) return false;
    layers.push_back(
        {static_cast<Conv2d&>(convolution).arguments(), static_cast<BatchNorm2d&>(norm).state()});
    return true;
  };
  for (std::size_t i = 0; i < projection; ++i) {
    if (!is_unwatched<Sequential>((*conv)[i])) return {};
    const auto& part = static_cast<Sequential&>((*conv)[i]);
    if (part.size() != 3 || !is_unwatched<ReLU6>(part[2]) || !add(part[0], part[1])) return {};
  }
  if (!add((*conv)[projection], (*conv)[projection + 1])) return {};
  return layers;
}

Tensor InvertedResidual::forward(const Tensor& x) {
  const bool residual = options.stride == 1 && options.in_channels == options.out_channels;
  const std::vector<ops::ConvNorm> layers = fusible_layers();
  if (ops::fuses_inverted_residual(x, layers, residual)) {
    const LayerScope layer(this);
    return ops::inverted_residual(x, layers, residual);
  }
  const Tensor y = conv(x);
  return residual ? ops::add(x, y) : y;
}

std::unique_ptr<Module> InvertedResidual::clone() const {
  return clone_as<InvertedResidual>(options);
}

MobileNetV2::MobileNetV2(std::int64_t classes)
    : classes(classes),
      features(this, "features", make_features()),
      classifier(this, "classifier", make_classifier(classes)) {}

std::vector<Stage> MobileNetV2::stages() {
  return {{{&features},
           [this](const Tensor& x) {
             return ops::flatten(ops::adaptive_avg_pool2d(features(x), 1, 1), 1);
           }},
          {{&classifier}, [this](const Tensor& x) { return classifier(x); }}};
}

std::unique_ptr<Module> MobileNetV2::clone() const { return clone_as<MobileNetV2>(classes); }

std::unique_ptr<MobileNetV2> mobilenet_v2(std::int64_t classes) {
  return std::make_unique<MobileNetV2>(classes);
}

}  // namespace hanok::nn
