#include "hanok/nn/models/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hanok/engine/allocator.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/convnext.h"
#include "hanok/nn/models/efficientnet.h"
#include "hanok/nn/models/mobilenet.h"
#include "hanok/nn/models/mobilenet_v3.h"
#include "hanok/nn/models/resnet.h"
#include "hanok/nn/models/small.h"
#include "hanok/nn/models/vgg.h"

namespace hanok::nn {
namespace {

constexpr std::int64_t kMlpHidden = 128;

// (x - 127) / 128 of bytes.
constexpr float kLiteMean = 127.0F / 255, kLiteStddev = 128.0F / 255;
constexpr InputNormalization kLiteInput = {.mean = {kLiteMean, kLiteMean, kLiteMean},
                                           .stddev = {kLiteStddev, kLiteStddev, kLiteStddev},
                                           .bicubic = true};

struct Entry {
  ModelInfo info;
  std::unique_ptr<Module> (*make)(std::int64_t classes, std::int64_t image_size);
};

template <auto Constructor>
std::unique_ptr<Module> any_size(std::int64_t classes, std::int64_t /*image_size*/) {
  return Constructor(classes);
}

// One row per model; everything else in this file follows from it.
const std::vector<Entry>& entries() {
  static const std::vector<Entry> table = {
      {{"resnet18", "fc", 512, 32, false}, any_size<resnet18>},
      {{"resnet34", "fc", 512, 32, false}, any_size<resnet34>},
      {{"resnet50", "fc", 2048, 32, false}, any_size<resnet50>},
      {{"resnet101", "fc", 2048, 32, false}, any_size<resnet101>},
      {{"wide_resnet50_2", "fc", 2048, 32, false}, any_size<wide_resnet50_2>},
      {{"resnext50_32x4d", "fc", 2048, 32, false}, any_size<resnext50_32x4d>},
      {{"mobilenet_v2", "classifier.1", 1280, 32, false}, any_size<mobilenet_v2>},
      {{"mobilenet_v3_small", "classifier.3", 1024, 32, false}, any_size<mobilenet_v3_small>},
      {{"efficientnet_b0", "classifier.1", 1280, 32, false}, any_size<efficientnet_b0>},
      {{"tf_efficientnet_b0", "classifier.1", 1280, 32, false, {.bicubic = true}},
       any_size<tf_efficientnet_b0>},
      {{"efficientnet_lite0", "classifier.1", 1280, 32, false, kLiteInput},
       any_size<efficientnet_lite0>},
      {{"convnext_tiny", "classifier.2", 768, 32, false}, any_size<convnext_tiny>},
      {{"vgg16_bn", "classifier.6", 4096, 32, false}, any_size<vgg16_bn>},
      {{"lenet", "fc3", 84, 16, true},
       [](std::int64_t classes, std::int64_t image_size) -> std::unique_ptr<Module> {
         return std::make_unique<LeNet>(classes, 3, image_size);
       }},
      {{"mlp", "head", kMlpHidden, 1, true},
       [](std::int64_t classes, std::int64_t image_size) -> std::unique_ptr<Module> {
         return std::make_unique<Mlp>(
             std::vector<std::int64_t>{3 * image_size * image_size, kMlpHidden, classes});
       }},
  };
  return table;
}

const Entry& entry(const std::string& name) {
  for (const Entry& candidate : entries()) {
    if (candidate.info.name == name) return candidate;
  }
  const auto near = near_names(name, model_names());
  throw ValueError(fmt::format("model: no model '{}'; {}", name,
                               near.empty()
                                   ? fmt::format("known: {}", fmt::join(model_names(), ", "))
                                   : fmt::format("near: {}", fmt::join(near, ", "))));
}

}  // namespace

const std::vector<ModelInfo>& models() {
  static const std::vector<ModelInfo> all = [] {
    std::vector<ModelInfo> infos;
    for (const Entry& entry : entries()) infos.push_back(entry.info);
    return infos;
  }();
  return all;
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const ModelInfo& info : models()) names.push_back(info.name);
  return names;
}

const ModelInfo& model_info(const std::string& name) { return entry(name).info; }

std::string head_name(const std::string& model) { return model_info(model).head; }

std::unique_ptr<Module> make_model(const std::string& name, std::int64_t classes,
                                   std::int64_t image_size) {
  const Entry& found = entry(name);
  if (classes < 1) throw ValueError(fmt::format("model: {} with {} classes", name, classes));
  if (image_size < found.info.min_image_size) {
    throw ValueError(fmt::format("model: {} takes images of at least {} pixels a side, got {}",
                                 name, found.info.min_image_size, image_size));
  }
  const MemoryTag tag("parameters");
  return found.make(classes, image_size);
}

}  // namespace hanok::nn
