#include "hanok/apps/options/device_option.h"

#include <charconv>
#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok::training {
namespace {

/// N of "cuda:N", 0 of "cuda"; -1 for anything else.
int cuda_index(const std::string& text) {
  if (text == "cuda") return 0;
  if (text.rfind("cuda:", 0) != 0) return -1;
  int index = -1;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + 5, end, index);
  return error == std::errc() && stop == end ? index : -1;
}

}  // namespace

void check_device_text(const std::string& text) {
  if (text == "auto" || text == "cpu" || cuda_index(text) >= 0) return;
  throw UsageError(
      fmt::format("--device: expects one of auto, cpu, cuda, cuda:N; got \"{}\"", text));
}

Device choose_device(const std::string& text) {
  check_device_text(text);
  if (text == "cpu") return Device::cpu();
  if (text == "auto") {
    if (cuda_runtime() == nullptr) return Device::cpu();
    try {
      return Device::cuda(cuda_runtime()->devices().front().index);
    } catch (const DeviceError&) {
      return Device::cpu();
    }
  }
  const Device device = Device::cuda(cuda_index(text));
  backend_of(device);  // says now what is missing
  return device;
}

Precision choose_precision(const std::string& text, Device device) {
  Precision precision = Precision::F32;
  try {
    precision = precision_of(text);
  } catch (const ValueError& error) {
    throw UsageError(fmt::format("--{}", error.what()));
  }
  check_precision(precision, device);
  return precision;
}

Device device_of(nn::Module& model) {
  const std::vector<Tensor> parameters = model.parameters();
  return parameters.empty() ? Device::cpu() : parameters.front().device();
}

}  // namespace hanok::training
