#include "hanok/apps/prediction/grad_cam.h"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_set>
#include <utility>

#include "hanok/apps/cli/signals.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/training/samples/batch_source.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/containers.h"

namespace hanok::training {
namespace {

/// Convolutions choose their algorithm as for this batch, whatever the real one is.
constexpr std::int64_t kNominalImages = 32;

/// While alive, runs `hook` after a module.
class Hook {
 public:
  Hook(nn::Module& module, nn::Module::ForwardHook hook)
      : module_(&module), id_(module.register_forward_hook(std::move(hook))) {}
  ~Hook() {
    if (module_ != nullptr) module_->remove_forward_hook(id_);
  }
  Hook(Hook&& other) noexcept : module_(std::exchange(other.module_, nullptr)), id_(other.id_) {}
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

 private:
  nn::Module* module_;
  int id_;
};

/// While alive, no parameter needs a gradient: what a layer returns is no op's result then, but a
/// leaf, and may be the one tensor whose gradient is computed.
class WithoutParameterGradients {
 public:
  explicit WithoutParameterGradients(nn::Module& model) {
    for (Tensor& parameter : model.parameters()) {
      if (!parameter.requires_grad()) continue;
      parameter.set_requires_grad(false);
      changed_.push_back(parameter);
    }
  }
  ~WithoutParameterGradients() {
    for (Tensor& parameter : changed_) parameter.set_requires_grad(true);
  }
  WithoutParameterGradients(const WithoutParameterGradients&) = delete;
  WithoutParameterGradients& operator=(const WithoutParameterGradients&) = delete;

 private:
  std::vector<Tensor> changed_;
};

bool is_pooling(const nn::Module& module) {
  return module.type_name().find("Pool") != std::string::npos;
}

/// What the layers returned for one image, in the order in which they were done.
class Outputs {
 public:
  void add(nn::Module& module, const Tensor& output) {
    if (output.rank() == 4) maps_.push_back({&module, output});
  }

  /// The last layer whose feature map has places; null if there is none.
  const nn::Module* last_with_places() const {
    const std::unordered_set<const nn::Module*> branches = modules_of_blocks_to_one_place();
    // From the last to the first: C++20 of g++ 12 and clang 14 has no common reversed view.
    // NOLINTNEXTLINE(modernize-loop-convert)
    for (auto map = maps_.rbegin(); map != maps_.rend(); ++map) {
      if (has_places(map->output) && !is_pooled(map->output) && !branches.contains(map->module)) {
        return map->module;
      }
    }
    return nullptr;
  }

 private:
  struct Map {
    nn::Module* module;
    Tensor output;
  };
  static bool has_places(const Tensor& map) { return map.size(2) * map.size(3) > 1; }

  /// True for a pooling's output, also where a container has passed it on.
  bool is_pooled(const Tensor& output) const {
    return std::any_of(maps_.begin(), maps_.end(), [&](const Map& map) {
      return is_pooling(*map.module) && map.output.id() == output.id();
    });
  }

  /// What lies in a block that returns one place. Such a block may have a shortcut, beside which
  /// its inner maps are not all that the logits depend on.
  std::unordered_set<const nn::Module*> modules_of_blocks_to_one_place() const {
    std::unordered_set<const nn::Module*> inner;
    for (const Map& map : maps_) {
      if (has_places(map.output) || dynamic_cast<nn::Sequential*>(map.module) != nullptr) continue;
      for (const nn::Module* module : map.module->modules()) inner.insert(module);
    }
    return inner;
  }

  std::vector<Map> maps_;
};

/// The path of the layer whose feature map is explained; empty if there is none.
std::optional<std::string> find_layer(nn::Module& model, int image_size) {
  const NoGrad no_grad;
  model.eval();
  Outputs outputs;
  {
    std::vector<Hook> hooks;
    for (nn::Module* module : model.modules()) {
      hooks.emplace_back(*module, [&outputs](nn::Module& done, const Tensor&,
                                             const Tensor& output) { outputs.add(done, output); });
    }
    model(Tensor::zeros({1, 3, image_size, image_size}, {DType::F32, device_of(model)}));
  }
  const nn::Module* layer = outputs.last_with_places();
  for (const auto& [name, module] : model.named_modules()) {
    if (module == layer) return name;
  }
  return {};
}

/// The maps of feature maps [N,K,h,w] and of the logits' gradients with respect to them.
std::vector<HeatMap> maps_of(const Tensor& features, const Tensor& gradients) {
  const std::vector<float> values = features.to_vector();
  const std::vector<float> slopes = gradients.to_vector();
  const auto channels = static_cast<std::size_t>(features.size(1));
  const auto places = static_cast<std::size_t>(features.size(2) * features.size(3));
  std::vector<HeatMap> maps;
  std::vector<double> sum(places);
  for (std::int64_t n = 0; n < features.size(0); ++n) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (std::size_t k = 0; k < channels; ++k) {
      const std::size_t at = (static_cast<std::size_t>(n) * channels + k) * places;
      double alpha = 0;
      for (std::size_t p = 0; p < places; ++p) alpha += slopes[at + p];
      alpha /= static_cast<double>(places);
      for (std::size_t p = 0; p < places; ++p) sum[p] += alpha * values[at + p];
    }
    HeatMap map{.width = static_cast<int>(features.size(3)),
                .height = static_cast<int>(features.size(2))};
    for (const double value : sum) map.values.push_back(static_cast<float>(std::max(value, 0.0)));
    scale_to_one(map);
    maps.push_back(std::move(map));
  }
  return maps;
}

/// [N,C]: 1 at each image's class, the gradient of the sum of these logits.
Tensor one_hot(const Tensor& logits, const std::vector<std::int64_t>& classes) {
  const std::int64_t columns = logits.size(1);
  std::vector<float> values(static_cast<std::size_t>(logits.size(0) * columns), 0.0F);
  for (std::size_t n = 0; n < classes.size(); ++n) {
    if (classes[n] < 0 || classes[n] >= columns) {
      throw ValueError(fmt::format("GradCam: no class {} among {}", classes[n], columns));
    }
    values[n * static_cast<std::size_t>(columns) + static_cast<std::size_t>(classes[n])] = 1;
  }
  return Tensor::from_vector(values, logits.shape()).to(logits.device());
}

}  // namespace

GradCam::GradCam(nn::Module& model, int image_size) : model_(model) {
  const std::optional<std::string> layer = find_layer(model, image_size);
  if (!layer) {
    throw ValueError(fmt::format(
        "GradCam: no layer of {} returns a feature map of more than one place for images of {} "
        "pixels",
        model.type_name(), image_size));
  }
  layer_ = *layer;
}

std::vector<HeatMap> GradCam::operator()(const Tensor& images,
                                         const std::vector<std::int64_t>& classes) {
  if (static_cast<std::int64_t>(classes.size()) != images.size(0)) {
    throw ValueError(
        fmt::format("GradCam: {} classes for {} images", classes.size(), images.size(0)));
  }
  const NominalBatch nominal_batch(kNominalImages);
  const PrecisionScope precision(Precision::F32);
  const WithoutParameterGradients without_parameters(model_);
  model_.eval();
  Tensor features;
  const Hook hook(model_.get_submodule(layer_),
                  [&features](nn::Module&, const Tensor&, const Tensor& output) {
                    features = output;  // the same tensor: what follows is recorded
                    features.set_requires_grad(true);
                  });
  const Tensor logits = model_(images.detach());
  logits.backward(one_hot(logits, classes));
  return maps_of(features.detach(), features.grad());
}

bool has_feature_map(LoadedModel& model) {
  return find_layer(*model.model, model.card.preprocessing.image_size).has_value();
}

std::optional<std::vector<HeatMap>> compute_heat_maps(LoadedModel& model, data::Loader& loader,
                                                      const std::vector<MapRequest>& requests,
                                                      const EvaluationListeners& listeners) {
  GradCam grad_cam(*model.model, model.card.preprocessing.image_size);
  std::vector<std::int64_t> order;
  for (const MapRequest& request : requests) order.push_back(request.sample);
  DeviceBatches batches(*model.model, loader);
  batches.start_epoch(0, order, /*first_batch=*/0);
  std::vector<HeatMap> maps;
  data::Batch batch;
  while (batches.next(batch)) {
    if (interrupted()) return {};
    std::vector<std::int64_t> classes;
    for (std::size_t i = 0; i < batch.samples.size(); ++i) {
      classes.push_back(requests[maps.size() + i].target);
    }
    for (HeatMap& map : grad_cam(batch.images, classes)) maps.push_back(std::move(map));
    if (listeners.on_batch) listeners.on_batch(static_cast<std::int64_t>(classes.size()));
  }
  return maps;
}

}  // namespace hanok::training
