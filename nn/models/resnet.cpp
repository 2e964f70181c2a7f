#include "hanok/nn/models/resnet.h"

#include <fmt/format.h>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/convolution.h"

namespace hanok::nn {
namespace {

std::unique_ptr<Sequential> make_downsample(std::int64_t in_channels, std::int64_t out_channels,
                                            std::int64_t stride) {
  if (stride == 1 && in_channels == out_channels) return nullptr;
  auto downsample = std::make_unique<Sequential>();
  downsample->append(
      kaiming_conv({.in_channels = in_channels, .out_channels = out_channels, .stride = stride}));
  downsample->append(std::make_unique<BatchNorm2d>(out_channels));
  return downsample;
}

// The shortcut: the input, projected if the shapes differ.
Tensor shortcut(const Tensor& x, const Child<Sequential>& downsample) {
  return downsample ? downsample(x) : x;
}

const ResNetOptions& checked(const ResNetOptions& options) {
  if (options.blocks.size() != 4) {
    throw ValueError(fmt::format("ResNet: needs four stages, got {}", options.blocks.size()));
  }
  for (const int count : options.blocks) {
    if (count < 1) throw ValueError(fmt::format("ResNet: a stage with {} blocks", count));
  }
  if (!options.bottleneck && (options.groups != 1 || options.width_per_group != 64)) {
    throw ValueError("ResNet: groups and width_per_group are for bottleneck blocks only");
  }
  return options;
}

std::int64_t expansion(const ResNetOptions& options) {
  return options.bottleneck ? Bottleneck::kExpansion : 1;
}

// Stage `index` of 0..3: 64 * 2^index channels; from stage 1 on the first block halves the
// resolution.
std::unique_ptr<Sequential> stage(const ResNetOptions& options, int index) {
  const std::int64_t channels = std::int64_t{64} << index;
  const std::int64_t out_channels = channels * expansion(options);
  auto layers = std::make_unique<Sequential>();
  for (int i = 0; i < options.blocks[static_cast<std::size_t>(index)]; ++i) {
    const bool first = i == 0;
    const std::int64_t from_before = index == 0 ? 64 : out_channels / 2;
    const std::int64_t in_channels = first ? from_before : out_channels;
    const std::int64_t stride = first && index > 0 ? 2 : 1;
    if (options.bottleneck) {
      const std::int64_t width = channels * options.width_per_group / 64 * options.groups;
      layers->append(std::make_unique<Bottleneck>(BottleneckOptions{.in_channels = in_channels,
                                                                    .channels = channels,
                                                                    .stride = stride,
                                                                    .width = width,
                                                                    .groups = options.groups}));
    } else {
      layers->append(std::make_unique<BasicBlock>(in_channels, channels, stride));
    }
  }
  return layers;
}

}  // namespace

BasicBlock::BasicBlock(std::int64_t in_channels, std::int64_t channels, std::int64_t stride)
    : in_channels(in_channels),
      channels(channels),
      stride(stride),
      conv1(this, "conv1",
            kaiming_conv({.in_channels = in_channels,
                          .out_channels = channels,
                          .kernel = 3,
                          .stride = stride})),
      bn1(this, "bn1", channels),
      conv2(this, "conv2",
            kaiming_conv({.in_channels = channels, .out_channels = channels, .kernel = 3})),
      bn2(this, "bn2", channels),
      downsample(this, "downsample", make_downsample(in_channels, channels, stride)) {}

Tensor BasicBlock::forward(const Tensor& x) {
  const Tensor y = conv_bn_act(x, *conv1, *bn1);
  return conv_bn_act(y, *conv2, *bn2, shortcut(x, downsample));
}

std::unique_ptr<Module> BasicBlock::clone() const {
  return clone_as<BasicBlock>(in_channels, channels, stride);
}

Bottleneck::Bottleneck(const BottleneckOptions& given)
    : options(given),
      conv1(this, "conv1",
            kaiming_conv({.in_channels = options.in_channels, .out_channels = options.width})),
      bn1(this, "bn1", options.width),
      conv2(this, "conv2",
            kaiming_conv({.in_channels = options.width,
                          .out_channels = options.width,
                          .kernel = 3,
                          .stride = options.stride,
                          .groups = options.groups})),
      bn2(this, "bn2", options.width),
      conv3(this, "conv3",
            kaiming_conv(
                {.in_channels = options.width, .out_channels = options.channels * kExpansion})),
      bn3(this, "bn3", options.channels * kExpansion),
      downsample(
          this, "downsample",
          make_downsample(options.in_channels, options.channels * kExpansion, options.stride)) {}

Tensor Bottleneck::forward(const Tensor& x) {
  Tensor y = conv_bn_act(x, *conv1, *bn1);
  y = conv_bn_act(y, *conv2, *bn2);
  return conv_bn_act(y, *conv3, *bn3, shortcut(x, downsample));
}

std::unique_ptr<Module> Bottleneck::clone() const { return clone_as<Bottleneck>(options); }

ResNet::ResNet(const ResNetOptions& given)
    : options(checked(given)),
      conv1(this, "conv1",
            kaiming_conv({.in_channels = 3, .out_channels = 64, .kernel = 7, .stride = 2})),
      bn1(this, "bn1", 64),
      maxpool(this, "maxpool", 3, 2, 1),
      layer1(this, "layer1", stage(options, 0)),
      layer2(this, "layer2", stage(options, 1)),
      layer3(this, "layer3", stage(options, 2)),
      layer4(this, "layer4", stage(options, 3)),
      avgpool(this, "avgpool", 1, 1),
      fc(this, "fc", std::make_unique<Linear>(512 * expansion(options), options.classes)) {}

Tensor ResNet::forward(const Tensor& images) {
  Tensor y = stem(images);  // [N,3,H,W] -> [N,64,H/4,W/4]
  y = layer1(y);            // the same size; with bottlenecks four times the channels, as below
  y = layer2(y);            // [N,128,H/8,W/8]
  y = layer3(y);            // [N,256,H/16,W/16]
  y = layer4(y);            // [N,512,H/32,W/32]
  y = pool(y);              // [N,512]
  return fc(y);             // [N,classes]
}

Tensor ResNet::stem(const Tensor& images) {
  return conv_bn_relu_max_pool(images, *conv1, *bn1, *maxpool);
}

Tensor ResNet::pool(const Tensor& x) { return ops::flatten(avgpool(x), 1); }

std::vector<Stage> ResNet::stages() {
  return {{{&conv1, &bn1}, [this](const Tensor& x) { return stem(x); }},
          stage_of(layer1),
          stage_of(layer2),
          stage_of(layer3),
          followed_by(stage_of(layer4), [this](const Tensor& x) { return pool(x); }),
          {{&fc}, [this](const Tensor& x) { return fc(x); }}};
}

Tensor ResNet::forward_features(const Tensor& x) { return forward_stages(x, 0, 5); }

std::unique_ptr<Module> ResNet::clone() const { return clone_as<ResNet>(options); }

std::unique_ptr<ResNet> resnet18(std::int64_t classes) {
  return std::make_unique<ResNet>(ResNetOptions{.blocks = {2, 2, 2, 2}, .classes = classes});
}

std::unique_ptr<ResNet> resnet34(std::int64_t classes) {
  return std::make_unique<ResNet>(ResNetOptions{.blocks = {3, 4, 6, 3}, .classes = classes});
}

std::unique_ptr<ResNet> resnet50(std::int64_t classes) {
  return std::make_unique<ResNet>(
      ResNetOptions{.blocks = {3, 4, 6, 3}, .bottleneck = true, .classes = classes});
}

std::unique_ptr<ResNet> resnet101(std::int64_t classes) {
  return std::make_unique<ResNet>(
      ResNetOptions{.blocks = {3, 4, 23, 3}, .bottleneck = true, .classes = classes});
}

std::unique_ptr<ResNet> wide_resnet50_2(std::int64_t classes) {
  return std::make_unique<ResNet>(ResNetOptions{
      .blocks = {3, 4, 6, 3}, .bottleneck = true, .width_per_group = 128, .classes = classes});
}

std::unique_ptr<ResNet> resnext50_32x4d(std::int64_t classes) {
  return std::make_unique<ResNet>(ResNetOptions{.blocks = {3, 4, 6, 3},
                                                .bottleneck = true,
                                                .groups = 32,
                                                .width_per_group = 4,
                                                .classes = classes});
}

}  // namespace hanok::nn
