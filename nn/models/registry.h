// The models that programs can ask for by name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/nn/module.h"

namespace hanok::nn {

struct ModelInfo {
  std::string name;             // "resnet18"
  std::string head;             // path of the submodule that maps features to classes: "fc"
  std::int64_t head_features;   // features that the head takes
  std::int64_t min_image_size;  // smallest side of a square image that the model takes
  bool fixed_image_size;        // true: takes only images of the size that it was built for
};

/// All models, in the order in which help texts list them.
const std::vector<ModelInfo>& models();
std::vector<std::string> model_names();
/// Throws ValueError with near names.
const ModelInfo& model_info(const std::string& name);

/// The path of the submodule that maps features to classes, e.g. "fc".
std::string head_name(const std::string& model);

/// A model for RGB images [N,3,S,S] -> logits [N,classes], freshly initialised. `image_size` is S;
/// it matters only to models of fixed image size. Throws ValueError for an unknown name (with near
/// names) and for sizes that the model cannot take.
std::unique_ptr<Module> make_model(const std::string& name, std::int64_t classes,
                                   std::int64_t image_size = 224);

}  // namespace hanok::nn
