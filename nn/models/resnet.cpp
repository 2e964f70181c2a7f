#include "nn/models/resnet.h"

#include <fmt/format.h>

#include "kernels/base/error.h"
#include "nn/init.h"

namespace hanok::nn {
namespace {

// A convolution without bias (a batch norm follows), initialised for the ReLU behind it.
std::unique_ptr<Conv2d> conv(std::int64_t in_channels, std::int64_t out_channels,
                             std::int64_t kernel, std::int64_t stride) {
  Conv2dOptions options;
  options.in_channels = in_channels;
  options.out_channels = out_channels;
  options.kernel_h = options.kernel_w = kernel;
  options.window = {stride, stride, kernel / 2, kernel / 2, 1, 1};
  options.bias = false;
  std::unique_ptr<Conv2d> layer;
  {
    const WithoutInit without_init;  // one initialisation is enough
    layer = std::make_unique<Conv2d>(options);
  }
  init::kaiming_normal(layer->weight.data(), 0, init::Fan::Out);
  return layer;
}

std::unique_ptr<Sequential> make_downsample(std::int64_t in_channels, std::int64_t out_channels,
                                            std::int64_t stride) {
  if (stride == 1 && in_channels == out_channels) return nullptr;
  auto downsample = std::make_unique<Sequential>();
  downsample->append(conv(in_channels, out_channels, 1, stride));
  downsample->append(std::make_unique<BatchNorm2d>(out_channels));
  return downsample;
}

// What is added to a block's own output: its input, projected where the shapes differ. A
// downsample other than the published pair (somebody replaced it) runs as any module.
Tensor shortcut(const Tensor& x, const Child<Sequential>& downsample) {
  if (!downsample) return x;
  if (downsample->size() == 2 && !downsample->has_forward_hooks()) {
    auto* projection = dynamic_cast<Conv2d*>(&(*downsample)[0]);
    auto* norm = dynamic_cast<BatchNorm2d*>(&(*downsample)[1]);
    if (projection != nullptr && norm != nullptr) {
      return conv_bn_act(x, *projection, *norm, {}, Activation::None);
    }
  }
  return downsample(x);
}

const std::vector<int>& checked_blocks(const std::vector<int>& blocks) {
  if (blocks.size() != 4) {
    throw ValueError(fmt::format("ResNet: needs four stages, got {}", blocks.size()));
  }
  for (const int count : blocks) {
    if (count < 1) throw ValueError(fmt::format("ResNet: a stage with {} blocks", count));
  }
  return blocks;
}

std::unique_ptr<Sequential> stage(std::int64_t in_channels, std::int64_t channels, int blocks,
                                  std::int64_t stride) {
  auto layers = std::make_unique<Sequential>();
  layers->append(std::make_unique<BasicBlock>(in_channels, channels, stride));
  for (int i = 1; i < blocks; ++i) {
    layers->append(std::make_unique<BasicBlock>(channels, channels, 1));
  }
  return layers;
}

}  // namespace

BasicBlock::BasicBlock(std::int64_t in_channels, std::int64_t channels, std::int64_t stride)
    : in_channels(in_channels),
      channels(channels),
      stride(stride),
      conv1(this, "conv1", conv(in_channels, channels, 3, stride)),
      bn1(this, "bn1", channels),
      conv2(this, "conv2", conv(channels, channels, 3, 1)),
      bn2(this, "bn2", channels),
      downsample(this, "downsample", make_downsample(in_channels, channels, stride)) {}

Tensor BasicBlock::forward(const Tensor& x) {
  const Tensor y = conv_bn_act(x, *conv1, *bn1);
  return conv_bn_act(y, *conv2, *bn2, shortcut(x, downsample));
}

std::unique_ptr<Module> BasicBlock::clone() const {
  return clone_as<BasicBlock>(in_channels, channels, stride);
}

ResNet::ResNet(std::vector<int> blocks_per_stage, std::int64_t classes)
    : blocks(checked_blocks(blocks_per_stage)),
      classes(classes),
      conv1(this, "conv1", conv(3, 64, 7, 2)),
      bn1(this, "bn1", 64),
      maxpool(this, "maxpool", 3, 2, 1),
      layer1(this, "layer1", stage(64, 64, blocks[0], 1)),
      layer2(this, "layer2", stage(64, 128, blocks[1], 2)),
      layer3(this, "layer3", stage(128, 256, blocks[2], 2)),
      layer4(this, "layer4", stage(256, 512, blocks[3], 2)),
      avgpool(this, "avgpool", 1, 1),
      fc(this, "fc", std::make_unique<Linear>(512, classes)) {}

Tensor ResNet::forward_features(const Tensor& x) {
  Tensor y = maxpool(conv_bn_act(x, *conv1, *bn1));
  y = layer4(layer3(layer2(layer1(y))));
  return ops::flatten(avgpool(y), 1);
}

Tensor ResNet::forward(const Tensor& x) { return fc(forward_features(x)); }

std::unique_ptr<Module> ResNet::clone() const { return clone_as<ResNet>(blocks, classes); }

std::unique_ptr<ResNet> resnet18(std::int64_t classes) {
  return std::make_unique<ResNet>(std::vector<int>{2, 2, 2, 2}, classes);
}
std::unique_ptr<ResNet> resnet34(std::int64_t classes) {
  return std::make_unique<ResNet>(std::vector<int>{3, 4, 6, 3}, classes);
}

}  // namespace hanok::nn
