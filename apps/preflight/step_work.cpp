#include "hanok/apps/preflight/step_work.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <string>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/layers.h"

namespace hanok::training {
namespace {

/// Bytes of gradients by the module that holds the parameter; a tied one counts once.
std::map<std::string, std::int64_t> gradient_bytes(nn::Module& model) {
  std::map<std::string, std::int64_t> bytes;
  for (const nn::NamedTensor& parameter : model.named_parameters()) {
    if (!parameter.tensor.requires_grad()) continue;
    const std::size_t dot = parameter.name.rfind('.');
    const std::string owner = dot == std::string::npos ? "" : parameter.name.substr(0, dot);
    bytes[owner] +=
        parameter.tensor.numel() * static_cast<std::int64_t>(size_of(parameter.tensor.dtype()));
  }
  return bytes;
}

std::int64_t synchronised_channels(const nn::Module& module) {
  const auto* norm = dynamic_cast<const nn::BatchNorm*>(&module);
  return norm != nullptr && norm->state().training ? norm->features : 0;
}

Cost line_through(const Cost& small, double small_images, const Cost& large, double large_images) {
  return cost_between(small_images, small.of(small_images), large_images, large.of(large_images));
}

}  // namespace

StepWork measured_work(nn::Module& model, const std::vector<KernelCall>& calls,
                       const RecordedSteps& recorded) {
  if (recorded.steps < 1 || recorded.images < 1 || recorded.parts < 1) {
    throw ValueError(
        fmt::format("measured_work: expected at least 1 step, image and part (got {}, {} and {})",
                    recorded.steps, recorded.images, recorded.parts));
  }
  StepWork work{.layers = {},
                .other = {},
                .batch_size = recorded.images,
                .parts = recorded.parts,
                .threads = recorded.threads};
  std::map<std::string, std::int64_t> gradients = gradient_bytes(model);
  std::map<const void*, std::size_t> index;
  for (const nn::NamedModule& entry : model.named_modules()) {
    index.emplace(entry.module, work.layers.size());
    work.layers.push_back({.name = entry.name.empty() ? entry.module->type_name() : entry.name,
                           .forward = {},
                           .backward = {},
                           .gradient_bytes = gradients[entry.name],
                           .batch_norm_channels = synchronised_channels(*entry.module)});
  }
  // Seconds per image of a step.
  const double images = static_cast<double>(recorded.steps * recorded.images);
  work.other.per_image = recorded.seconds / images;
  for (const KernelCall& call : calls) {
    const auto found = index.find(call.layer);
    if (found == index.end() || call.pass == KernelCall::Pass::Update) continue;
    LayerWork& layer = work.layers[found->second];
    const bool forward = call.pass == KernelCall::Pass::Forward;
    (forward ? layer.forward : layer.backward).per_image += call.seconds / images;
    work.other.per_image -= call.seconds / images;
  }
  work.other.per_image = std::max(0.0, work.other.per_image);
  const auto is_idle = [](const LayerWork& layer) {
    return layer.forward.per_image == 0 && layer.backward.per_image == 0 &&
           layer.gradient_bytes == 0 && layer.batch_norm_channels == 0;
  };
  work.layers.erase(std::remove_if(work.layers.begin(), work.layers.end(), is_idle),
                    work.layers.end());
  return work;
}

StepWork between(const StepWork& small, const StepWork& large) {
  const auto same = [](const LayerWork& a, const LayerWork& b) { return a.name == b.name; };
  if (!std::equal(small.layers.begin(), small.layers.end(), large.layers.begin(),
                  large.layers.end(), same)) {
    throw ValueError(
        fmt::format("between: expected the same layers twice (got {} of a batch of {} and {} of a "
                    "batch of {})",
                    small.layers.size(), small.batch_size, large.layers.size(), large.batch_size));
  }
  const auto few = static_cast<double>(small.batch_size);
  const auto many = static_cast<double>(large.batch_size);
  // Images of a part.
  const double few_at_once = few / static_cast<double>(small.parts);
  const double many_at_once = many / static_cast<double>(large.parts);
  StepWork work = large;
  for (std::size_t i = 0; i < work.layers.size(); ++i) {
    LayerWork& layer = work.layers[i];
    layer.forward = line_through(small.layers[i].forward, few_at_once, layer.forward, many_at_once);
    layer.backward =
        line_through(small.layers[i].backward, few_at_once, layer.backward, many_at_once);
  }
  work.other = line_through(small.other, few, large.other, many);
  return work;
}

}  // namespace hanok::training
