#include "hanok/nn/models/efficientnet.h"

#include <algorithm>
#include <cmath>

#include "hanok/engine/layer_scope.h"
#include "hanok/nn/init.h"
#include "hanok/nn/models/convolution.h"
#include "hanok/nn/models/squeeze_excitation.h"

namespace hanok::nn {
namespace {

using Act = EfficientNetVariant::Act;
using Layers = std::unique_ptr<Sequential>;

Layers conv_norm(const SquareConvOptions& conv, const EfficientNetVariant& variant) {
  SquareConvOptions padded = conv;
  if (conv.kernel > 1) padded.padding = variant.padding;
  auto layers = std::make_unique<Sequential>();
  layers->append(kaiming_conv(padded));
  layers->append(std::make_unique<BatchNorm2d>(conv.out_channels, variant.epsilon));
  return layers;
}

Layers conv_norm_act(const SquareConvOptions& conv, const EfficientNetVariant& variant) {
  Layers layers = conv_norm(conv, variant);
  if (variant.activation == Act::ReLU6) {
    layers->append(std::make_unique<ReLU6>());
  } else {
    layers->append(std::make_unique<SiLU>());
  }
  return layers;
}

Layers make_block(const MBConvOptions& o) {
  const std::int64_t expanded = o.in_channels * o.expansion;
  auto layers = std::make_unique<Sequential>();
  if (o.expansion != 1) {
    layers->append(
        conv_norm_act({.in_channels = o.in_channels, .out_channels = expanded}, o.variant));
  }
  layers->append(conv_norm_act({.in_channels = expanded,
                                .out_channels = expanded,
                                .kernel = o.kernel,
                                .stride = o.stride,
                                .groups = expanded},
                               o.variant));
  if (o.variant.squeeze_excitation) {
    // A quarter of the block's input channels, not of the expanded ones.
    layers->append(
        std::make_unique<SqueezeExcitation>(expanded, std::max<std::int64_t>(1, o.in_channels / 4),
                                            std::make_unique<SiLU>(), std::make_unique<Sigmoid>()));
  }
  layers->append(conv_norm({.in_channels = expanded, .out_channels = o.out_channels}, o.variant));
  return layers;
}

constexpr double kLargestDrop = 0.2;

Layers make_features(const EfficientNetOptions& o) {
  int total = 0, index = 0;
  for (const EfficientNetStage& stage : o.stages) total += stage.blocks;
  auto features = std::make_unique<Sequential>();
  features->append(conv_norm_act(
      {.in_channels = 3, .out_channels = o.first_channels, .kernel = 3, .stride = 2}, o.variant));
  MBConvOptions block;
  block.in_channels = o.first_channels;
  block.variant = o.variant;
  for (const EfficientNetStage& stage : o.stages) {
    auto blocks = std::make_unique<Sequential>();
    block.out_channels = stage.channels;
    block.expansion = stage.expansion;
    block.kernel = stage.kernel;
    for (int i = 0; i < stage.blocks; ++i, ++index) {
      block.stride = i == 0 ? stage.stride : 1;
      block.drop_probability = static_cast<float>(kLargestDrop * index / total);
      blocks->append(std::make_unique<MBConv>(block));
      block.in_channels = stage.channels;
    }
    features->append(std::move(blocks));
  }
  features->append(conv_norm_act(
      {.in_channels = block.in_channels, .out_channels = o.last_channels}, o.variant));
  return features;
}

Layers make_classifier(const EfficientNetOptions& o) {
  auto classifier = std::make_unique<Sequential>();
  classifier->append(std::make_unique<Dropout>(0.2F));
  auto head = std::make_unique<Linear>(o.last_channels, o.classes);
  if (o.head_init == EfficientNetOptions::HeadInit::ByClasses) {
    const float bound = 1.0F / std::sqrt(static_cast<float>(o.classes));
    init::uniform(head->weight.data(), -bound, bound);
    init::constant(head->bias.data(), 0);
  }
  classifier->append(std::move(head));
  return classifier;
}

}  // namespace

MBConv::MBConv(const MBConvOptions& options)
    : options(options),
      block(this, "block", make_block(options)),
      stochastic_depth(this, "stochastic_depth", options.drop_probability) {}

Tensor MBConv::forward(const Tensor& x) {
  const bool residual = options.stride == 1 && options.in_channels == options.out_channels;
  const bool drops = residual && !block->is_frozen() &&
                     (stochastic_depth->is_training() || stochastic_depth->has_forward_hooks());
  if (!drops) {
    const std::vector<ops::ConvNorm> layers = inverted_residual_layers(*block);
    if (ops::fuses_inverted_residual(x, layers, residual)) {
      const LayerScope layer(this);
      return ops::inverted_residual(x, layers, residual);
    }
  }
  const Tensor y = block(x);
  if (!residual) return y;
  return ops::add(drops ? stochastic_depth(y) : y, x);
}

std::unique_ptr<Module> MBConv::clone() const { return clone_as<MBConv>(options); }

EfficientNet::EfficientNet(const EfficientNetOptions& given)
    : options(given),
      features(this, "features", make_features(options)),
      avgpool(this, "avgpool", 1, 1),
      classifier(this, "classifier", make_classifier(options)) {}

std::vector<Stage> EfficientNet::stages() {
  return {followed_by(stage_of(features),
                      [this](const Tensor& x) { return ops::flatten(avgpool(x), 1); }),
          {{&classifier}, [this](const Tensor& x) { return classifier(x); }}};
}

std::unique_ptr<Module> EfficientNet::clone() const { return clone_as<EfficientNet>(options); }

// ---- the networks ----

namespace {

const std::vector<EfficientNetStage> kB0Stages = {
    {1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
    {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};

using HeadInit = EfficientNetOptions::HeadInit;

std::unique_ptr<EfficientNet> b0(const EfficientNetVariant& variant, std::int64_t classes,
                                 HeadInit head_init) {
  return std::make_unique<EfficientNet>(EfficientNetOptions{
      .stages = kB0Stages, .variant = variant, .classes = classes, .head_init = head_init});
}

constexpr double kTensorFlowEpsilon = 1e-3;

}  // namespace

std::unique_ptr<EfficientNet> efficientnet_b0(std::int64_t classes) {
  return b0({}, classes, HeadInit::ByClasses);
}

std::unique_ptr<EfficientNet> tf_efficientnet_b0(std::int64_t classes) {
  return b0({.padding = ops::Padding::Same, .epsilon = kTensorFlowEpsilon}, classes,
            HeadInit::ByFeatures);
}

std::unique_ptr<EfficientNet> efficientnet_lite0(std::int64_t classes) {
  return b0({.activation = Act::ReLU6,
             .squeeze_excitation = false,
             .padding = ops::Padding::Same,
             .epsilon = kTensorFlowEpsilon},
            classes, HeadInit::ByFeatures);
}

}  // namespace hanok::nn
