#include "hanok/apps/options/device_option.h"

#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok::training {
namespace {

/// The first GPU that can be used, else the CPU.
Device best_device() {
  if (cuda_runtime() == nullptr) return Device::cpu();
  try {
    return Device::cuda(cuda_runtime()->devices().front().index);
  } catch (const DeviceError&) {
    return Device::cpu();
  }
}

}  // namespace

Device choose_device(const DeviceChoice& choice) {
  if (choice.kind == DeviceChoice::Kind::Auto) return best_device();
  if (choice.kind == DeviceChoice::Kind::Cpu) return Device::cpu();
  const Device device = Device::cuda(choice.index.value_or(0));
  backend_of(device);  // throws now if something is missing
  return device;
}

Precision parse_precision(const std::string& text) {
  try {
    return precision_of(text);
  } catch (const ValueError& error) {
    throw UsageError(fmt::format("--{}", error.what()));
  }
}

Device device_of(nn::Module& model) {
  const std::vector<Tensor> parameters = model.parameters();
  return parameters.empty() ? Device::cpu() : parameters.front().device();
}

}  // namespace hanok::training
