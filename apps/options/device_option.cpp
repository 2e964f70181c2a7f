#include "hanok/apps/options/device_option.h"

#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/engine/communicator.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok::training {
namespace {

/// The first GPU that can be used, of several ranks on a machine each its own; else the CPU.
Device best_device() {
  if (cuda_runtime() == nullptr) return Device::cpu();
  try {
    const auto devices = cuda_runtime()->devices();
    const auto local = static_cast<std::size_t>(launch_of_environment().local_rank);
    return Device::cuda(devices[local % devices.size()].index);
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
