#include "hanok/apps/options/option_values.h"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string_view>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/augmentation_toml.h"
#include "hanok/apps/options/option_entry.h"
#include "hanok/apps/run/files.h"

namespace hanok::training {

EpochGlob parse_unfreeze_at(const std::string& text) {
  const std::size_t equals = text.find('=');
  EpochGlob pair{.epoch = 0, .glob = equals == std::string::npos ? "" : text.substr(equals + 1)};
  const char* end = text.data() + std::min(equals, text.size());
  const auto [stop, error] = std::from_chars(text.data(), end, pair.epoch);
  if (error != std::errc() || stop != end || pair.epoch < 1 || pair.glob.empty()) {
    throw UsageError(fmt::format(
        "--unfreeze-at: expects EPOCH=GLOB with epochs from 1, e.g. 3=layer4; got \"{}\"", text));
  }
  return pair;
}

std::string text_of(const EpochGlob& pair) { return fmt::format("{}={}", pair.epoch, pair.glob); }

GlobRate parse_lr_group(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  GlobRate pair{.glob = text.substr(0, std::min(equals, text.size())), .rate = 0};
  bool good = equals != std::string::npos && equals > 0;
  if (good) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, pair.rate);
    good = error == std::errc() && stop == end && std::isfinite(pair.rate) && pair.rate > 0;
  }
  if (!good) {
    throw UsageError(fmt::format(
        "--lr-group: expects GLOB=LR with a finite rate above 0, e.g. layer4=1e-4; got \"{}\"",
        text));
  }
  return pair;
}

std::string text_of(const GlobRate& pair) { return fmt::format("{}={}", pair.glob, pair.rate); }

Grouping parse_grouping(const std::string& text) {
  if (text == "auto") return {};
  if (text == "none") return {.kind = Grouping::Kind::None};
  std::error_code error;
  // A run that is resumed no longer needs the table, so that it may be gone.
  if (std::filesystem::exists(text, error) || text.find_first_of("/.") != std::string::npos) {
    return {.kind = Grouping::Kind::File, .file = text};
  }
  throw UsageError(fmt::format(
      "--group: expects one of auto, none, or a table with columns path and group; got \"{}\"",
      text));
}

std::string text_of(const Grouping& grouping) {
  switch (grouping.kind) {
    case Grouping::Kind::Auto:
      return "auto";
    case Grouping::Kind::None:
      return "none";
    case Grouping::Kind::File:
      break;
  }
  return grouping.file;
}

FoldCount parse_fold_count(const std::string& text) {
  if (text == "auto") return {};
  if (text == "given") return {.kind = FoldCount::Kind::Given};
  const std::int64_t number = whole_number("folds", text, "a whole number, \"given\" or \"auto\"");
  if (number < 2 || number > 1000) {
    throw UsageError(fmt::format("--folds: must lie between 2 and 1000, got {}", text));
  }
  return {.kind = FoldCount::Kind::Number, .number = number};
}

std::string text_of(const FoldCount& folds) {
  switch (folds.kind) {
    case FoldCount::Kind::Auto:
      return "auto";
    case FoldCount::Kind::Given:
      return "given";
    case FoldCount::Kind::Number:
      break;
  }
  return std::to_string(folds.number);
}

FoldChoice parse_fold(const std::string& text) {
  if (text == "all") return {};
  const std::int64_t fold = whole_number("fold", text, "a fold's number or \"all\"");
  if (fold < 0) throw UsageError(fmt::format("--fold: must be at least 0, got {}", text));
  return fold;
}

std::string text_of(const FoldChoice& fold) { return fold ? std::to_string(*fold) : "all"; }

StartWeights parse_start_weights(const std::string& text) {
  if (text == "imagenet") return {.source = StartWeights::Source::ImageNet, .file = ""};
  if (text == "none") return {.source = StartWeights::Source::Random, .file = ""};
  return {.source = StartWeights::Source::File, .file = text};
}

std::string text_of(const StartWeights& weights) {
  switch (weights.source) {
    case StartWeights::Source::ImageNet:
      return "imagenet";
    case StartWeights::Source::Random:
      return "none";
    case StartWeights::Source::File:
      break;
  }
  return weights.file;
}

AugmentChoice parse_augment(const std::string& text) {
  if (data::is_augmentation_name(text)) {
    return {.name = text, .from_file = false, .transforms = data::named_augmentation(text)};
  }
  std::error_code error;
  // What is named like a file, or is one, is read: its error says why it cannot be.
  if (std::filesystem::exists(text, error) || text.find_first_of("/.") != std::string::npos) {
    try {
      check_can_be_read(text);
    } catch (const IoError& problem) {
      throw UsageError(fmt::format("--augment: {}", problem.what()));
    }
    return {.name = text, .from_file = true, .transforms = read_augmentation(text)};
  }
  throw UsageError(fmt::format("--augment: expects one of {}, or a TOML file; got \"{}\"",
                               fmt::join(data::augmentation_names(), ", "), text));
}

std::string text_of(const AugmentChoice& augment) { return augment.name; }

MemorySize parse_memory(const std::string& text) {
  if (text == "auto") return {};
  constexpr std::string_view kUnits = "KMGT";  // 2^10, 2^20, ...
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const std::size_t unit = stop == end ? std::string_view::npos : kUnits.find(*stop);
  const std::string_view rest(stop, static_cast<std::size_t>(end - stop));
  const bool known = unit != std::string_view::npos &&
                     (rest.size() == 1 || rest.substr(1) == "B" || rest.substr(1) == "iB");
  const double bytes = known ? std::ldexp(number, 10 * (static_cast<int>(unit) + 1)) : 0;
  if (error != std::errc() || !(bytes >= 1 << 20) || bytes > std::ldexp(1.0, 50)) {
    throw UsageError(fmt::format(
        "--memory: expects auto or a size from 1M on, e.g. 700M or 2G; got \"{}\"", text));
  }
  return {.bytes = static_cast<std::int64_t>(bytes)};
}

std::string text_of(const MemorySize& memory) {
  if (memory.bytes == 0) return "auto";
  for (const auto& [unit, bits] : {std::pair('G', 30), std::pair('M', 20)}) {
    const std::int64_t whole = memory.bytes >> bits;
    if (whole << bits == memory.bytes) return fmt::format("{}{}", whole, unit);
  }
  return fmt::format("{}K", (memory.bytes + 1023) >> 10);
}

DeviceChoice parse_device(const std::string& text) {
  using Kind = DeviceChoice::Kind;
  if (text == "auto") return {.kind = Kind::Auto, .index = {}};
  if (text == "cpu") return {.kind = Kind::Cpu, .index = {}};
  if (text == "cuda") return {.kind = Kind::Cuda, .index = {}};
  const std::string prefix = "cuda:";
  if (text.rfind(prefix, 0) == 0) {
    int index = -1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + prefix.size(), end, index);
    if (error == std::errc() && stop == end && index >= 0) {
      return {.kind = Kind::Cuda, .index = index};
    }
  }
  throw UsageError(
      fmt::format("--device: expects one of auto, cpu, cuda, cuda:N; got \"{}\"", text));
}

std::string text_of(const DeviceChoice& device) {
  switch (device.kind) {
    case DeviceChoice::Kind::Auto:
      return "auto";
    case DeviceChoice::Kind::Cpu:
      return "cpu";
    case DeviceChoice::Kind::Cuda:
      break;
  }
  return device.index ? fmt::format("cuda:{}", *device.index) : "cuda";
}

}  // namespace hanok::training
