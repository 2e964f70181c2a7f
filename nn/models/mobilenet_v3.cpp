#include "hanok/nn/models/mobilenet_v3.h"

#include <algorithm>

#include "hanok/nn/models/convolution.h"
#include "hanok/nn/models/squeeze_excitation.h"

namespace hanok::nn {
namespace {

constexpr double kEpsilon = 1e-3, kMomentum = 0.01;  // of every batch norm here

std::unique_ptr<Module> make_activation(bool hardswish) {
  if (hardswish) return std::make_unique<Hardswish>();
  return std::make_unique<ReLU>();
}

// Convolution, batch norm and, if given, the activation.
std::unique_ptr<Sequential> conv_norm(std::unique_ptr<Conv2d> conv,
                                      std::unique_ptr<Module> activation = nullptr) {
  const std::int64_t channels = conv->options.out_channels;
  auto layers = std::make_unique<Sequential>();
  layers->append(std::move(conv));
  layers->append(std::make_unique<BatchNorm2d>(channels, kEpsilon, kMomentum));
  if (activation != nullptr) layers->append(std::move(activation));
  return layers;
}

// A quarter, rounded to a multiple of 8, but at least 90% of the quarter.
std::int64_t squeezed_channels(std::int64_t channels) {
  const std::int64_t quarter = channels / 4;
  const std::int64_t rounded = std::max<std::int64_t>(8, (quarter + 4) / 8 * 8);
  return 10 * rounded < 9 * quarter ? rounded + 8 : rounded;
}

std::unique_ptr<Sequential> make_block(const MobileNetV3Block& o) {
  auto layers = std::make_unique<Sequential>();
  if (o.expanded != o.in_channels) {
    layers->append(
        conv_norm(kaiming_conv({.in_channels = o.in_channels, .out_channels = o.expanded}),
                  make_activation(o.hardswish)));
  }
  layers->append(conv_norm(kaiming_conv({.in_channels = o.expanded,
                                         .out_channels = o.expanded,
                                         .kernel = o.kernel,
                                         .stride = o.stride,
                                         .groups = o.expanded}),
                           make_activation(o.hardswish)));
  if (o.squeeze_excitation) {
    layers->append(std::make_unique<SqueezeExcitation>(o.expanded, squeezed_channels(o.expanded),
                                                       std::make_unique<ReLU>(),
                                                       std::make_unique<Hardsigmoid>()));
  }
  layers->append(
      conv_norm(kaiming_conv({.in_channels = o.expanded, .out_channels = o.out_channels})));
  return layers;
}

constexpr MobileNetV3Block kBlocks[] = {  // table 2 of the paper
    {16, 3, 16, 16, true, false, 2},  {16, 3, 72, 24, false, false, 2},
    {24, 3, 88, 24, false, false, 1}, {24, 5, 96, 40, true, true, 2},
    {40, 5, 240, 40, true, true, 1},  {40, 5, 240, 40, true, true, 1},
    {40, 5, 120, 48, true, true, 1},  {48, 5, 144, 48, true, true, 1},
    {48, 5, 288, 96, true, true, 2},  {96, 5, 576, 96, true, true, 1},
    {96, 5, 576, 96, true, true, 1}};
constexpr std::int64_t kFirstChannels = 16, kBlockChannels = 96;
constexpr std::int64_t kLastChannels = 6 * kBlockChannels, kHidden = 1024;

std::unique_ptr<Sequential> make_features() {
  auto features = std::make_unique<Sequential>();
  features->append(conv_norm(
      kaiming_conv({.in_channels = 3, .out_channels = kFirstChannels, .kernel = 3, .stride = 2}),
      std::make_unique<Hardswish>()));
  for (const MobileNetV3Block& block : kBlocks) {
    features->append(std::make_unique<InvertedResidualV3>(block));
  }
  features->append(
      conv_norm(kaiming_conv({.in_channels = kBlockChannels, .out_channels = kLastChannels}),
                std::make_unique<Hardswish>()));
  return features;
}

std::unique_ptr<Sequential> make_classifier(std::int64_t classes) {
  auto classifier = std::make_unique<Sequential>();
  classifier->append(normal_linear(kLastChannels, kHidden));
  classifier->append(std::make_unique<Hardswish>());
  classifier->append(std::make_unique<Dropout>(0.2F));
  classifier->append(normal_linear(kHidden, classes));
  return classifier;
}

}  // namespace

InvertedResidualV3::InvertedResidualV3(const MobileNetV3Block& options)
    : options(options), block(this, "block", make_block(options)) {}

Tensor InvertedResidualV3::forward(const Tensor& x) {
  const Tensor y = block(x);
  const bool same_shape = options.stride == 1 && options.in_channels == options.out_channels;
  return same_shape ? ops::add(y, x) : y;
}

std::unique_ptr<Module> InvertedResidualV3::clone() const {
  return clone_as<InvertedResidualV3>(options);
}

MobileNetV3::MobileNetV3(std::int64_t classes)
    : classes(classes),
      features(this, "features", make_features()),
      avgpool(this, "avgpool", 1, 1),
      classifier(this, "classifier", make_classifier(classes)) {}

std::vector<Stage> MobileNetV3::stages() {
  return {followed_by(stage_of(features),
                      [this](const Tensor& x) { return ops::flatten(avgpool(x), 1); }),
          {{&classifier}, [this](const Tensor& x) { return classifier(x); }}};
}

std::unique_ptr<Module> MobileNetV3::clone() const { return clone_as<MobileNetV3>(classes); }

std::unique_ptr<MobileNetV3> mobilenet_v3_small(std::int64_t classes) {
  return std::make_unique<MobileNetV3>(classes);
}

}  // namespace hanok::nn
