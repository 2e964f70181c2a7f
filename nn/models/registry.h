// The models that programs select by name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

struct ModelInfo {
  std::string name;             // "resnet18"
  std::string head;             // path of the submodule that maps features to classes: "fc"
  std::int64_t head_features;   // number of input features of the head
  std::int64_t min_image_size;  // smallest supported side of a square image
  bool fixed_image_size;        // true: supports only the image size that it was built for
};

/// All models, in the order in which help texts list them.
const std::vector<ModelInfo>& models();
std::vector<std::string> model_names();
/// Throws ValueError listing similar names.
const ModelInfo& model_info(const std::string& name);

/// The path of the submodule that maps features to classes, e.g. "fc".
std::string head_name(const std::string& model);

/// A newly initialised model for RGB images [N,3,S,S] -> logits [N,classes]. `image_size` is S,
/// which matters only to models of fixed image size. Throws ValueError for an unknown name (listing
/// similar ones) and for sizes that the model does not support.
std::unique_ptr<Module> make_model(const std::string& name, std::int64_t classes,
                                   std::int64_t image_size = 224);

}  // namespace hanok::nn
#pragma GCC visibility pop
