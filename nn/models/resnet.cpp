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
  downsample->append(kaiming_conv(in_channels, out_channels, 1, stride));
  downsample->append(std::make_unique<BatchNorm2d>(out_channels));
  return downsample;
}

// What is added to a block's own output: its input, projected where the shapes differ.
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

// Stage `index` of 0..3: 64 * 2^index channels; from the second on the first block halves the
// image.
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
      layers->append(
          std::make_unique<Bottleneck>(in_channels, channels, stride, width, options.groups));
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
      conv1(this, "conv1", kaiming_conv(in_channels, channels, 3, stride)),
      bn1(this, "bn1", channels),
      conv2(this, "conv2", kaiming_conv(channels, channels, 3)),
      bn2(this, "bn2", channels),
      downsample(this, "downsample", make_downsample(in_channels, channels, stride)) {}

Tensor BasicBlock::forward(const Tensor& x) {
  const Tensor y = conv_bn_act(x, *conv1, *bn1);
  return conv_bn_act(y, *conv2, *bn2, shortcut(x, downsample));
}

std::unique_ptr<Module> BasicBlock::clone() const {
  return clone_as<BasicBlock>(in_channels, channels, stride);
}

Bottleneck::Bottleneck(std::int64_t in_channels, std::int64_t channels, std::int64_t stride,
                       std::int64_t width, std::int64_t groups)
    : in_channels(in_channels),
      channels(channels),
      stride(stride),
      width(width),
      groups(groups),
      conv1(this, "conv1", kaiming_conv(in_channels, width, 1)),
      bn1(this, "bn1", width),
      conv2(this, "conv2", kaiming_conv(width, width, 3, stride, groups)),
      bn2(this, "bn2", width),
      conv3(this, "conv3", kaiming_conv(width, channels * kExpansion, 1)),
      bn3(this, "bn3", channels * kExpansion),
      downsample(this, "downsample", make_downsample(in_channels, channels * kExpansion, stride)) {}

Tensor Bottleneck::forward(const Tensor& x) {
  Tensor y = conv_bn_act(x, *conv1, *bn1);
  y = conv_bn_act(y, *conv2, *bn2);
  return conv_bn_act(y, *conv3, *bn3, shortcut(x, downsample));
}

std::unique_ptr<Module> Bottleneck::clone() const {
  return clone_as<Bottleneck>(in_channels, channels, stride, width, groups);
}

ResNet::ResNet(const ResNetOptions& given)
    : options(checked(given)),
      conv1(this, "conv1", kaiming_conv(3, 64, 7, 2)),
      bn1(this, "bn1", 64),
      maxpool(this, "maxpool", 3, 2, 1),
      layer1(this, "layer1", stage(options, 0)),
      layer2(this, "layer2", stage(options, 1)),
      layer3(this, "layer3", stage(options, 2)),
      layer4(this, "layer4", stage(options, 3)),
      avgpool(this, "avgpool", 1, 1),
      fc(this, "fc", std::make_unique<Linear>(512 * expansion(options), options.classes)) {}

std::vector<Stage> ResNet::stages() {
  const auto one = [](Child<Sequential>& layer) {
    return Stage{{&layer}, [&layer](const Tensor& x) { return layer(x); }};
  };
  return {{{&conv1, &bn1},
           [this](const Tensor& x) { return conv_bn_relu_max_pool(x, *conv1, *bn1, *maxpool); }},
          one(layer1),
          one(layer2),
          one(layer3),
          {{&layer4}, [this](const Tensor& x) { return ops::flatten(avgpool(layer4(x)), 1); }},
          {{&fc}, [this](const Tensor& x) { return fc(x); }}};
}

Tensor ResNet::forward_features(const Tensor& x) { return forward_stages(x, 0, 5); }

std::unique_ptr<Module> ResNet::clone() const { return clone_as<ResNet>(options); }

namespace {

std::unique_ptr<ResNet> make(std::vector<int> blocks, bool bottleneck, std::int64_t groups,
                             std::int64_t width_per_group, std::int64_t classes) {
  ResNetOptions options;
  options.blocks = std::move(blocks);
  options.bottleneck = bottleneck;
  options.groups = groups;
  options.width_per_group = width_per_group;
  options.classes = classes;
  return std::make_unique<ResNet>(options);
}

}  // namespace

std::unique_ptr<ResNet> resnet18(std::int64_t classes) {
  return make({2, 2, 2, 2}, false, 1, 64, classes);
}
std::unique_ptr<ResNet> resnet34(std::int64_t classes) {
  return make({3, 4, 6, 3}, false, 1, 64, classes);
}
std::unique_ptr<ResNet> resnet50(std::int64_t classes) {
  return make({3, 4, 6, 3}, true, 1, 64, classes);
}
std::unique_ptr<ResNet> resnet101(std::int64_t classes) {
  return make({3, 4, 23, 3}, true, 1, 64, classes);
}
std::unique_ptr<ResNet> wide_resnet50_2(std::int64_t classes) {
  return make({3, 4, 6, 3}, true, 1, 128, classes);
}
std::unique_ptr<ResNet> resnext50_32x4d(std::int64_t classes) {
  return make({3, 4, 6, 3}, true, 32, 4, classes);
}

}  // namespace hanok::nn
