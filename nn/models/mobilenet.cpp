#include "hanok/nn/models/mobilenet.h"

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

Tensor InvertedResidual::forward(const Tensor& x) {
  const bool residual = options.stride == 1 && options.in_channels == options.out_channels;
  const std::vector<ops::ConvNorm> layers = inverted_residual_layers(*conv);
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
  return {followed_by(
              stage_of(features),
              [](const Tensor& x) { return ops::flatten(ops::adaptive_avg_pool2d(x, 1, 1), 1); }),
          {{&classifier}, [this](const Tensor& x) { return classifier(x); }}};
}

std::unique_ptr<Module> MobileNetV2::clone() const { return clone_as<MobileNetV2>(classes); }

std::unique_ptr<MobileNetV2> mobilenet_v2(std::int64_t classes) {
  return std::make_unique<MobileNetV2>(classes);
}

}  // namespace hanok::nn
