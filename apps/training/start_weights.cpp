#include "hanok/apps/training/start_weights.h"

#include <filesystem>
#include <fmt/format.h>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/weights.h"

namespace hanok::training {

std::string start_weights(const Options& options) {
  switch (options.weights.source) {
    case StartWeights::Source::Random:
      return "";
    case StartWeights::Source::ImageNet:
      return weights::find_pretrained(options.model);
    case StartWeights::Source::File:
      break;
  }
  const std::string& file = options.weights.file;
  if (!std::filesystem::exists(file)) {
    throw IoError(fmt::format(
        "--weights: {}: no such file; give imagenet, none, or a .pth or .safetensors file", file));
  }
  return file;
}

}  // namespace hanok::training
