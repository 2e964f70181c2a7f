// The models that programs select by name.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// How the images were made that a model's published weights were trained on: values of 0 to 1,
/// minus the mean, divided by stddev, for red, green and blue.
struct InputNormalization {
  std::array<float, 3> mean{0.485F, 0.456F, 0.406F};
  std::array<float, 3> stddev{0.229F, 0.224F, 0.225F};
  bool bicubic = false;  // resized with a bicubic filter, not a bilinear one
};

struct ModelInfo {
  std::string name;             // "resnet18"
  std::string head;             // path of the submodule that maps features to classes: "fc"
  std::int64_t head_features;   // number of input features of the head
  std::int64_t min_image_size;  // smallest supported side of a square image
  bool fixed_image_size;        // true: supports only the image size that it was built for
  InputNormalization input{};
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
