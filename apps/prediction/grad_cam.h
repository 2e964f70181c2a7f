// Where a network looked: Grad-CAM (Selvaraju et al., Grad-CAM: Visual Explanations from Deep
// Networks via Gradient-based Localization, 2017, equations 1 and 2). For the logit y of a class
// and the K channels A_k of the last feature map,
//   alpha_k = mean over places of dy/dA_k,   map = relu(sum_k alpha_k A_k).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/prediction/ensemble.h"
#include "hanok/apps/prediction/heat_map.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/data/loader.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Computes maps of one network, in f32. Leaves its parameters, their gradients, what is frozen,
/// and its hooks as they were; sets it to evaluation mode.
class GradCam {
 public:
  /// Looks for the layer on an image of `image_size` x `image_size` pixels: the last that returns a
  /// feature map [N,K,h,w] of more than one place and is no pooling, outside of the branches of a
  /// block that reduces it to one place. Throws ValueError where there is none (an Mlp).
  GradCam(nn::Module& model, int image_size);

  /// The layer's path: "layer4". Empty: the network itself.
  const std::string& layer() const { return layer_; }

  /// Maps [h,w] of the feature map's size, scaled to 1, of images [N,3,S,S] on the model's device
  /// for one class each; on_photograph() enlarges them. An image gives the same bits in any batch.
  /// Throws ValueError unless there is a valid class for every image.
  std::vector<HeatMap> operator()(const Tensor& images, const std::vector<std::int64_t>& classes);

 private:
  nn::Module& model_;
  std::string layer_;
};

/// False where GradCam finds no feature map.
bool has_feature_map(LoadedModel& model);

/// Which map to compute.
struct MapRequest {
  std::int64_t sample = 0;  // of the data set
  std::int64_t target = 0;  // the class
};
/// A map for each request, of samples of `dataset`, which `loader` reads. Empty if the user
/// interrupted; `listeners.profile` is not used. Throws as GradCam.
std::optional<std::vector<HeatMap>> compute_heat_maps(LoadedModel& model, data::Loader& loader,
                                                      const std::vector<MapRequest>& requests,
                                                      const EvaluationListeners& listeners);

}  // namespace hanok::training
#pragma GCC visibility pop
