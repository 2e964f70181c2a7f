// One table per code base and family. A row maps a name onto torchvision's; the first row that fits
// is taken; name_pattern.h says how it is written. The tables follow the modules of the packages
// named beside them; tests/golden/names_*.json holds what these write.
#include "hanok/weights/name_maps.h"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "hanok/weights/name_pattern.h"
#include "hanok/weights/tensor_window.h"

namespace hanok::weights {
namespace {

enum class Reshape {
  None,
  Linear,     // [O,I,H,W] of a convolution -> [O,I*H*W]
  PerChannel  // [C] -> [C,1,1]
};

struct Row {
  std::string_view from, to;
  Reshape reshape = Reshape::None;
};

struct NameMap {
  std::string_view code_base;
  std::vector<std::string_view> models;  // of hanok's registry
  std::string_view anchor;               // a name that only this code base writes
  std::vector<int> blocks;               // in each stage
  std::vector<Row> rows;
};

constexpr std::string_view kTimm = "timm";
constexpr std::string_view kEfficientNetPyTorch = "EfficientNet-PyTorch";
constexpr std::string_view kFlatMobileNetV2 = "pytorch-mobilenet-v2";

const std::vector<int> kEfficientNetBlocks = {1, 2, 2, 3, 3, 4, 1};

// https://github.com/huggingface/pytorch-image-models, timm/models/_efficientnet_blocks.py: the
// blocks of the first stage have no expansion.
const NameMap kTimmEfficientNet = {
    kTimm,
    {"efficientnet_b0", "tf_efficientnet_b0"},
    "conv_stem.weight",
    kEfficientNetBlocks,
    {
        {"conv_stem.*", "features.0.0.*"},
        {"bn1.*", "features.0.1.*"},
        {"blocks.0.{i}.conv_dw.*", "features.1.{i}.block.0.0.*"},
        {"blocks.0.{i}.bn1.*", "features.1.{i}.block.0.1.*"},
        {"blocks.0.{i}.se.conv_reduce.*", "features.1.{i}.block.1.fc1.*"},
        {"blocks.0.{i}.se.conv_expand.*", "features.1.{i}.block.1.fc2.*"},
        {"blocks.0.{i}.conv_pw.*", "features.1.{i}.block.2.0.*"},
        {"blocks.0.{i}.bn2.*", "features.1.{i}.block.2.1.*"},
        {"blocks.{s}.{i}.conv_pw.*", "features.{s+1}.{i}.block.0.0.*"},
        {"blocks.{s}.{i}.bn1.*", "features.{s+1}.{i}.block.0.1.*"},
        {"blocks.{s}.{i}.conv_dw.*", "features.{s+1}.{i}.block.1.0.*"},
        {"blocks.{s}.{i}.bn2.*", "features.{s+1}.{i}.block.1.1.*"},
        {"blocks.{s}.{i}.se.conv_reduce.*", "features.{s+1}.{i}.block.2.fc1.*"},
        {"blocks.{s}.{i}.se.conv_expand.*", "features.{s+1}.{i}.block.2.fc2.*"},
        {"blocks.{s}.{i}.conv_pwl.*", "features.{s+1}.{i}.block.3.0.*"},
        {"blocks.{s}.{i}.bn3.*", "features.{s+1}.{i}.block.3.1.*"},
        {"conv_head.*", "features.8.0.*"},
        {"bn2.*", "features.8.1.*"},
        {"classifier.*", "classifier.1.*"},
    }};

// The same without squeeze-and-excitation.
const NameMap kTimmEfficientNetLite = {
    kTimm,
    {"efficientnet_lite0"},
    "conv_stem.weight",
    kEfficientNetBlocks,
    {
        {"conv_stem.*", "features.0.0.*"},
        {"bn1.*", "features.0.1.*"},
        {"blocks.0.{i}.conv_dw.*", "features.1.{i}.block.0.0.*"},
        {"blocks.0.{i}.bn1.*", "features.1.{i}.block.0.1.*"},
        {"blocks.0.{i}.conv_pw.*", "features.1.{i}.block.1.0.*"},
        {"blocks.0.{i}.bn2.*", "features.1.{i}.block.1.1.*"},
        {"blocks.{s}.{i}.conv_pw.*", "features.{s+1}.{i}.block.0.0.*"},
        {"blocks.{s}.{i}.bn1.*", "features.{s+1}.{i}.block.0.1.*"},
        {"blocks.{s}.{i}.conv_dw.*", "features.{s+1}.{i}.block.1.0.*"},
        {"blocks.{s}.{i}.bn2.*", "features.{s+1}.{i}.block.1.1.*"},
        {"blocks.{s}.{i}.conv_pwl.*", "features.{s+1}.{i}.block.2.0.*"},
        {"blocks.{s}.{i}.bn3.*", "features.{s+1}.{i}.block.2.1.*"},
        {"conv_head.*", "features.8.0.*"},
        {"bn2.*", "features.8.1.*"},
        {"classifier.*", "classifier.1.*"},
    }};

// https://github.com/lukemelas/EfficientNet-PyTorch, efficientnet_pytorch/model.py: blocks are
// numbered through; only the first has no expansion.
const NameMap kLukemelasEfficientNet = {
    kEfficientNetPyTorch,
    {"efficientnet_b0", "tf_efficientnet_b0"},
    "_conv_stem.weight",
    kEfficientNetBlocks,
    {
        {"_conv_stem.*", "features.0.0.*"},
        {"_bn0.*", "features.0.1.*"},
        {"_blocks.0._depthwise_conv.*", "features.1.0.block.0.0.*"},
        {"_blocks.0._bn1.*", "features.1.0.block.0.1.*"},
        {"_blocks.0._se_reduce.*", "features.1.0.block.1.fc1.*"},
        {"_blocks.0._se_expand.*", "features.1.0.block.1.fc2.*"},
        {"_blocks.0._project_conv.*", "features.1.0.block.2.0.*"},
        {"_blocks.0._bn2.*", "features.1.0.block.2.1.*"},
        {"_blocks.{n}._expand_conv.*", "features.{s+1}.{i}.block.0.0.*"},
        {"_blocks.{n}._bn0.*", "features.{s+1}.{i}.block.0.1.*"},
        {"_blocks.{n}._depthwise_conv.*", "features.{s+1}.{i}.block.1.0.*"},
        {"_blocks.{n}._bn1.*", "features.{s+1}.{i}.block.1.1.*"},
        {"_blocks.{n}._se_reduce.*", "features.{s+1}.{i}.block.2.fc1.*"},
        {"_blocks.{n}._se_expand.*", "features.{s+1}.{i}.block.2.fc2.*"},
        {"_blocks.{n}._project_conv.*", "features.{s+1}.{i}.block.3.0.*"},
        {"_blocks.{n}._bn2.*", "features.{s+1}.{i}.block.3.1.*"},
        {"_conv_head.*", "features.8.0.*"},
        {"_bn1.*", "features.8.1.*"},
        {"_fc.*", "classifier.1.*"},
    }};

// The package efficientnet-lite-pytorch: the same without squeeze-and-excitation.
const NameMap kLukemelasEfficientNetLite = {
    kEfficientNetPyTorch,
    {"efficientnet_lite0"},
    "_conv_stem.weight",
    kEfficientNetBlocks,
    {
        {"_conv_stem.*", "features.0.0.*"},
        {"_bn0.*", "features.0.1.*"},
        {"_blocks.0._depthwise_conv.*", "features.1.0.block.0.0.*"},
        {"_blocks.0._bn1.*", "features.1.0.block.0.1.*"},
        {"_blocks.0._project_conv.*", "features.1.0.block.1.0.*"},
        {"_blocks.0._bn2.*", "features.1.0.block.1.1.*"},
        {"_blocks.{n}._expand_conv.*", "features.{s+1}.{i}.block.0.0.*"},
        {"_blocks.{n}._bn0.*", "features.{s+1}.{i}.block.0.1.*"},
        {"_blocks.{n}._depthwise_conv.*", "features.{s+1}.{i}.block.1.0.*"},
        {"_blocks.{n}._bn1.*", "features.{s+1}.{i}.block.1.1.*"},
        {"_blocks.{n}._project_conv.*", "features.{s+1}.{i}.block.2.0.*"},
        {"_blocks.{n}._bn2.*", "features.{s+1}.{i}.block.2.1.*"},
        {"_conv_head.*", "features.8.0.*"},
        {"_bn1.*", "features.8.1.*"},
        {"_fc.*", "classifier.1.*"},
    }};

// timm/models/efficientnet.py, mobilenetv2_100.
const NameMap kTimmMobileNetV2 = {kTimm,
                                  {"mobilenet_v2"},
                                  "conv_stem.weight",
                                  {1, 2, 3, 4, 3, 3, 1},
                                  {
                                      {"conv_stem.*", "features.0.0.*"},
                                      {"bn1.*", "features.0.1.*"},
                                      {"blocks.0.0.conv_dw.*", "features.1.conv.0.0.*"},
                                      {"blocks.0.0.bn1.*", "features.1.conv.0.1.*"},
                                      {"blocks.0.0.conv_pw.*", "features.1.conv.1.*"},
                                      {"blocks.0.0.bn2.*", "features.1.conv.2.*"},
                                      {"blocks.{s}.{i}.conv_pw.*", "features.{n+1}.conv.0.0.*"},
                                      {"blocks.{s}.{i}.bn1.*", "features.{n+1}.conv.0.1.*"},
                                      {"blocks.{s}.{i}.conv_dw.*", "features.{n+1}.conv.1.0.*"},
                                      {"blocks.{s}.{i}.bn2.*", "features.{n+1}.conv.1.1.*"},
                                      {"blocks.{s}.{i}.conv_pwl.*", "features.{n+1}.conv.2.*"},
                                      {"blocks.{s}.{i}.bn3.*", "features.{n+1}.conv.3.*"},
                                      {"conv_head.*", "features.18.0.*"},
                                      {"bn2.*", "features.18.1.*"},
                                      {"classifier.*", "classifier.1.*"},
                                  }};

// https://github.com/tonylins/pytorch-mobilenet-v2, MobileNetV2.py: convolutions, batch norms and
// activations of a block in one sequence. The last convolution is "conv" there, and "features.18",
// as torchvision names it, in files derived from it.
const NameMap kFlatMobileNet = {kFlatMobileNetV2,
                                {"mobilenet_v2"},
                                "features.2.conv.7.weight",
                                {18},
                                {
                                    {"features.1.conv.0.*", "features.1.conv.0.0.*"},
                                    {"features.1.conv.1.*", "features.1.conv.0.1.*"},
                                    {"features.1.conv.3.*", "features.1.conv.1.*"},
                                    {"features.1.conv.4.*", "features.1.conv.2.*"},
                                    {"features.{n}.conv.0.*", "features.{n}.conv.0.0.*"},
                                    {"features.{n}.conv.1.*", "features.{n}.conv.0.1.*"},
                                    {"features.{n}.conv.3.*", "features.{n}.conv.1.0.*"},
                                    {"features.{n}.conv.4.*", "features.{n}.conv.1.1.*"},
                                    {"features.{n}.conv.6.*", "features.{n}.conv.2.*"},
                                    {"features.{n}.conv.7.*", "features.{n}.conv.3.*"},
                                    {"conv.0.*", "features.18.0.*"},
                                    {"conv.1.*", "features.18.1.*"},
                                    {"classifier.*", "classifier.1.*"},
                                }};

// timm/models/mobilenetv3.py, mobilenetv3_small_100: no expansion in the first block, no
// squeeze-and-excitation in the second stage; the linear layer before the head is a convolution.
const NameMap kTimmMobileNetV3 = {
    kTimm,
    {"mobilenet_v3_small"},
    "conv_stem.weight",
    {1, 2, 3, 2, 3, 1},
    {
        {"conv_stem.*", "features.0.0.*"},
        {"bn1.*", "features.0.1.*"},
        {"blocks.0.0.conv_dw.*", "features.1.block.0.0.*"},
        {"blocks.0.0.bn1.*", "features.1.block.0.1.*"},
        {"blocks.0.0.se.conv_reduce.*", "features.1.block.1.fc1.*"},
        {"blocks.0.0.se.conv_expand.*", "features.1.block.1.fc2.*"},
        {"blocks.0.0.conv_pw.*", "features.1.block.2.0.*"},
        {"blocks.0.0.bn2.*", "features.1.block.2.1.*"},
        {"blocks.1.{i}.conv_pwl.*", "features.{i+2}.block.2.0.*"},
        {"blocks.1.{i}.bn3.*", "features.{i+2}.block.2.1.*"},
        {"blocks.5.0.conv.*", "features.12.0.*"},
        {"blocks.5.0.bn1.*", "features.12.1.*"},
        {"blocks.{s}.{i}.conv_pw.*", "features.{n+1}.block.0.0.*"},
        {"blocks.{s}.{i}.bn1.*", "features.{n+1}.block.0.1.*"},
        {"blocks.{s}.{i}.conv_dw.*", "features.{n+1}.block.1.0.*"},
        {"blocks.{s}.{i}.bn2.*", "features.{n+1}.block.1.1.*"},
        {"blocks.{s}.{i}.se.conv_reduce.*", "features.{n+1}.block.2.fc1.*"},
        {"blocks.{s}.{i}.se.conv_expand.*", "features.{n+1}.block.2.fc2.*"},
        {"blocks.{s}.{i}.conv_pwl.*", "features.{n+1}.block.3.0.*"},
        {"blocks.{s}.{i}.bn3.*", "features.{n+1}.block.3.1.*"},
        {"conv_head.weight", "classifier.0.weight", Reshape::Linear},
        {"conv_head.bias", "classifier.0.bias"},
        {"classifier.*", "classifier.3.*"},
    }};

// timm/models/convnext.py, convnext_tiny.
const NameMap kTimmConvNeXt = {
    kTimm,
    {"convnext_tiny"},
    "stages.0.blocks.0.gamma",
    {3, 3, 9, 3},
    {
        {"stem.0.*", "features.0.0.*"},
        {"stem.1.*", "features.0.1.*"},
        {"stages.{s}.downsample.0.*", "features.{2s}.0.*"},
        {"stages.{s}.downsample.1.*", "features.{2s}.1.*"},
        {"stages.{s}.blocks.{i}.gamma", "features.{2s+1}.{i}.layer_scale", Reshape::PerChannel},
        {"stages.{s}.blocks.{i}.conv_dw.*", "features.{2s+1}.{i}.block.0.*"},
        {"stages.{s}.blocks.{i}.norm.*", "features.{2s+1}.{i}.block.2.*"},
        {"stages.{s}.blocks.{i}.mlp.fc1.*", "features.{2s+1}.{i}.block.3.*"},
        {"stages.{s}.blocks.{i}.mlp.fc2.*", "features.{2s+1}.{i}.block.5.*"},
        {"head.norm.*", "classifier.0.*"},
        {"head.fc.*", "classifier.2.*"},
    }};

// timm/models/vgg.py, vgg16_bn: the linear layers before the head are convolutions.
const NameMap kTimmVgg = {kTimm,
                          {"vgg16_bn"},
                          "pre_logits.fc1.weight",
                          {},
                          {
                              {"pre_logits.fc1.weight", "classifier.0.weight", Reshape::Linear},
                              {"pre_logits.fc1.bias", "classifier.0.bias"},
                              {"pre_logits.fc2.weight", "classifier.3.weight", Reshape::Linear},
                              {"pre_logits.fc2.bias", "classifier.3.bias"},
                              {"head.fc.*", "classifier.6.*"},
                          }};

const std::vector<const NameMap*>& all_maps() {
  static const std::vector<const NameMap*> maps = {
      &kTimmEfficientNet,          &kTimmEfficientNetLite, &kLukemelasEfficientNet,
      &kLukemelasEfficientNetLite, &kTimmMobileNetV2,      &kFlatMobileNet,
      &kTimmMobileNetV3,           &kTimmConvNeXt,         &kTimmVgg};
  return maps;
}

Tensor reshaped(const Tensor& tensor, Reshape reshape) {
  Shape shape = tensor.shape();
  if (reshape == Reshape::Linear && tensor.rank() == 4) {
    shape = Shape{tensor.size(0), tensor.numel() / std::max<std::int64_t>(tensor.size(0), 1)};
  } else if (reshape == Reshape::PerChannel && tensor.rank() == 1) {
    shape = Shape{tensor.size(0), 1, 1};
  } else {
    return tensor;
  }
  // The features that a linear layer flattens are in the logical order C,H,W.
  Tensor result = Tensor::empty(shape, TensorOptions{tensor.dtype(), Device::cpu()});
  copy_logical_order(tensor, static_cast<unsigned char*>(result.mutable_view().data));
  return result;
}

/// Of two with the same start the longer one comes first.
using Prefixes = std::set<std::string, std::greater<>>;

/// What stands in front of the anchor in the names that end with it.
Prefixes prefixes_of(const nn::StateDict& tensors, std::string_view anchor) {
  Prefixes prefixes;
  for (const auto& [name, tensor] : tensors) {
    if (!name.ends_with(anchor)) continue;
    const std::string prefix = name.substr(0, name.size() - anchor.size());
    if (prefix.empty() || prefix.ends_with('.')) prefixes.insert(prefix);
  }
  return prefixes;
}

nn::StateDict apply(const NameMap& map, const Prefixes& prefixes, const nn::StateDict& tensors) {
  nn::StateDict result;
  const auto rename = [&](const std::string& name, const Tensor& tensor) {
    // In this order "" does not take the names of the others.
    for (const std::string& prefix : prefixes) {
      if (!name.starts_with(prefix)) continue;
      const std::string_view rest = std::string_view(name).substr(prefix.size());
      for (const Row& row : map.rows) {
        const std::optional<NameHoles> holes = match_name(row.from, rest, map.blocks);
        if (!holes) continue;
        result.insert(prefix + fill_name(row.to, *holes), reshaped(tensor, row.reshape));
        return true;
      }
    }
    return false;
  };
  for (const auto& [name, tensor] : tensors) {
    if (!rename(name, tensor)) result.insert(name, tensor);
  }
  return result;
}

}  // namespace

std::optional<std::string> rename_to_torchvision(nn::StateDict& tensors, const std::string& model) {
  for (const NameMap* map : all_maps()) {
    if (std::find(map->models.begin(), map->models.end(), model) == map->models.end()) continue;
    const Prefixes prefixes = prefixes_of(tensors, map->anchor);
    if (prefixes.empty()) continue;
    tensors = apply(*map, prefixes, tensors);
    return std::string(map->code_base);
  }
  return {};
}

std::string difference_in_computation(const std::string& code_base, const std::string& model) {
  struct Difference {
    std::string_view code_base, model, text;
  };
  static constexpr std::array<Difference, 5> kDifferences = {{
      {kEfficientNetPyTorch, "efficientnet_b0",
       "these weights were trained with TensorFlow's padding and 0.001 as the epsilon of batch "
       "norm: --model tf_efficientnet_b0 computes so, efficientnet_b0 does not"},
      {kTimm, "efficientnet_b0",
       "timm's tf_efficientnet_b0 has the same names; its weights need TensorFlow's padding: "
       "--model tf_efficientnet_b0"},
      {kTimm, "tf_efficientnet_b0",
       "timm's efficientnet_b0 has the same names; its weights need symmetric padding: --model "
       "efficientnet_b0"},
      {kTimm, "efficientnet_lite0",
       "hanok pads as timm's tf_efficientnet_lite0; timm's efficientnet_lite0, of the same names, "
       "pads symmetrically, and its scores change"},
      {kTimm, "mobilenet_v3_small",
       "timm's batch norms have the epsilon 0.00001, torchvision's and hanok's 0.001: scores "
       "without fine-tuning change"},
  }};
  for (const Difference& each : kDifferences) {
    if (each.code_base == code_base && each.model == model) return std::string(each.text);
  }
  return "";
}

}  // namespace hanok::weights
