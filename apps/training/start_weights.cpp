#include "hanok/apps/training/start_weights.h"

#include <filesystem>
#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"
#include "hanok/weights/catalogue.h"
#include "hanok/weights/weights.h"

namespace hanok::training {
namespace {

/// What to give instead of a name that `./dev weights` knows; empty: it is no such name.
std::string advice_on_name(const std::string& file) {
  const std::string text = std::filesystem::path(file).filename().string();
  for (const weights::WheelEntry& entry : weights::wheel_catalogue()) {
    if (entry.name != text) continue;
    if (entry.use == weights::WeightsUse::Faces) {
      return fmt::format("{} finds faces and is no model to train; give imagenet, none or a file",
                         text);
    }
    return fmt::format("{} is the name of a model: give --model {} --weights imagenet", text, text);
  }
  return "";
}

}  // namespace

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
  try {
    check_can_be_mapped(file);
  } catch (const IoError& error) {
    if (const std::string advice = advice_on_name(file); !advice.empty()) {
      throw UsageError(fmt::format("--weights: {}", advice));
    }
    throw IoError(fmt::format("--weights: {}; give imagenet, none, or a .pth or .safetensors file",
                              error.what()));
  }
  return file;
}

std::vector<weights::Rename> start_renames(const Options& options) {
  try {
    std::vector<weights::Rename> renames;
    for (const std::string& text : options.rename) renames.push_back(weights::parse_rename(text));
    return renames;
  } catch (const ValueError& error) {
    throw UsageError(error.what());
  }
}

}  // namespace hanok::training
