#include "hanok/apps/run/network.h"

#include <utility>

#include "hanok/nn/layers.h"
#include "hanok/nn/models/registry.h"

namespace hanok::training {

std::unique_ptr<nn::Module> make_network(const std::string& model, std::int64_t classes,
                                         std::int64_t image_size,
                                         const std::vector<std::int64_t>& hidden) {
  std::unique_ptr<nn::Module> network = nn::make_model(model, classes, image_size);
  if (hidden.empty()) return network;
  const nn::ModelInfo& info = nn::model_info(model);
  auto head = std::make_unique<nn::Sequential>();
  std::int64_t features = info.head_features;
  for (const std::int64_t units : hidden) {
    head->append(std::make_unique<nn::Linear>(features, units));
    head->append(std::make_unique<nn::ReLU>());
    features = units;
  }
  head->append(std::make_unique<nn::Linear>(features, classes));
  network->replace_submodule(info.head, std::move(head));
  return network;
}

data::Preprocessing pretrained_preprocessing(const std::string& model) {
  const nn::InputNormalization& input = nn::model_info(model).input;
  data::Preprocessing result = data::Preprocessing::imagenet();
  result.mean = input.mean;
  result.stddev = input.stddev;
  result.filter = input.bicubic ? data::Filter::Bicubic : data::Filter::Bilinear;
  return result;
}

}  // namespace hanok::training
