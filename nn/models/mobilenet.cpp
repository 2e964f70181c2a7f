#include "hanok/nn/models/mobilenet.h"

#include <typeinfo>

#include "hanok/engine/layer_scope.h"
#include "hanok/nn/models/convolution.h"

namespace hanok::nn {
namespace {

// Convolution, batch norm and ReLU6.
std::unique_ptr<Sequential> conv_norm_relu6(std::int64_t in_channels, std::int64_t out_channels,
                                            std::int64_t kernel, std::int64_t stride,
                                            std::int64_t groups) {
  auto layers = std::make_unique<Sequential>();
  layers->append(kaiming_conv(in_channels, out_channels, kernel, stride, groups));
  layers->append(std::make_unique<BatchNorm2d>(out_channels));
  layers->append(std::make_unique<ReLU6>());
  return layers;
}

std::unique_ptr<Sequential> make_block(std::int64_t in_channels, std::int64_t out_channels,
                                       std::int64_t stride, std::int64_t expansion) {
  const std::int64_t hidden = in_channels * expansion;
  auto layers = std::make_unique<Sequential>();
  if (expansion != 1) layers->append(conv_norm_relu6(in_channels, hidden, 1, 1, 1));
  layers->append(conv_norm_relu6(hidden, hidden, 3, stride, hidden));
  layers->append(kaiming_conv(hidden, out_channels, 1));
  layers->append(std::make_unique<BatchNorm2d>(out_channels));
  return layers;
}

/// True if it is of this very type and has no forward hooks.
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
  features->append(conv_norm_relu6(3, 32, 3, 2, 1));
  std::int64_t in_channels = 32;
  for (const Stage& stage : kStages) {
    for (std::int64_t i = 0; i < stage.blocks; ++i) {
      features->append(std::make_unique<InvertedResidual>(
          in_channels, stage.channels, i == 0 ? stage.stride : 1, stage.expansion));
      in_channels = stage.channels;
    }
  }
  features->append(conv_norm_relu6(in_channels, kLastChannels, 1, 1, 1));
  return features;
}

std::unique_ptr<Sequential> make_classifier(std::int64_t classes) {
  auto classifier = std::make_unique<Sequential>();
  classifier->append(std::make_unique<Dropout>(0.2F));
  classifier->append(normal_linear(kLastChannels, classes));
  return classifier;
}

}  // namespace

InvertedResidual::InvertedResidual(std::int64_t in_channels, std::int64_t out_channels,
                                   std::int64_t stride, std::int64_t expansion)
    : in_channels(in_channels),
      out_channels(out_channels),
      stride(stride),
      expansion(expansion),
      conv(this, "conv", make_block(in_channels, out_channels, stride, expansion)) {}

// The block's convolutions and batch norms for ops::inverted_residual; none where a layer has a
// forward hook, which would not fire, or has been replaced by another kind.
std::vector<ops::ConvNorm> InvertedResidual::fusible_layers() const {
  const std::size_t widening = expansion != 1 ? 1 : 0;
  const std::size_t narrowing = widening + 1;
  if (conv->size() != narrowing + 2 || conv->has_forward_hooks()) return {};
  std::vector<ops::ConvNorm> layers;
  const auto add = [&layers](Module& convolution, Module& norm) {
    if (!is_unwatched<Conv2d>(convolution) || !is_unwatched<BatchNorm2d>(norm)) return false;
    layers.push_back(
        {static_cast<Conv2d&>(convolution).arguments(), static_cast<BatchNorm2d&>(norm).state()});
    return true;
  };
  for (std::size_t i = 0; i < narrowing; ++i) {
    if (!is_unwatched<Sequential>((*conv)[i])) return {};
    const auto& part = static_cast<Sequential&>((*conv)[i]);
    if (part.size() != 3 || !is_unwatched<ReLU6>(part[2]) || !add(part[0], part[1])) return {};
  }
  if (!add((*conv)[narrowing], (*conv)[narrowing + 1])) return {};
  return layers;
}

Tensor InvertedResidual::forward(const Tensor& x) {
  const bool residual = stride == 1 && in_channels == out_channels;
  const std::vector<ops::ConvNorm> layers = fusible_layers();
  if (ops::fuses_inverted_residual(x, layers, residual)) {
    const LayerScope layer(this);
    return ops::inverted_residual(x, layers, residual);
  }
  const Tensor y = conv(x);
  return residual ? ops::add(x, y) : y;
}

std::unique_ptr<Module> InvertedResidual::clone() const {
  return clone_as<InvertedResidual>(in_channels, out_channels, stride, expansion);
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
