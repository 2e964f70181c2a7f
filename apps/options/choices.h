// Options that take one of a few words: an enum for each, and one table of its names, which
// parsing, --help, TOML and messages share.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "hanok/data/sampler.h"
#include "hanok/engine/precision.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// --layout: how the folder of images is laid out.
enum class Layout { Auto, Folder, Competition, Csv, Shards };
/// --mode: which parts of the network learn, and when (FreezingPlan).
enum class FreezingMode { FeatureExtraction, Finetune, Gradual };
/// --optimizer
enum class OptimizerKind { AdamW, Adam, Sgd, RmsProp };
/// --scheduler: course of the learning rate.
enum class ScheduleKind { OneCycle, Cosine, Constant };
/// --loss
enum class LossKind { CrossEntropy, Focal };
/// --noise-robust: losses for data in which some labels are wrong.
enum class NoiseRobust { None, Gce, Bootstrap, Trim };
/// --class-weights: weight of each class in the loss.
enum class ClassWeights { None, Balanced };
/// --crop: what of an image is scaled to the square.
enum class Crop { None, Center, Face };
/// --monitor: the value that decides which epoch is best.
enum class Monitor { ValLoss, ValF1 };
/// --cache-images, --cache-features
enum class Caching { Auto, Yes, No };
/// --cuda-graph
enum class YesNo { Yes, No };

template <typename Enum>
struct NamedValue {
  Enum value;
  const char* name;
};

/// The names of an enum's values, in the order of --help: `ChoiceNames<Layout>::table`.
template <typename Enum>
struct ChoiceNames;

template <>
struct ChoiceNames<Layout> {
  static constexpr std::array<NamedValue<Layout>, 5> table = {{{Layout::Auto, "auto"},
                                                               {Layout::Folder, "folder"},
                                                               {Layout::Competition, "competition"},
                                                               {Layout::Csv, "csv"},
                                                               {Layout::Shards, "shards"}}};
};

template <>
struct ChoiceNames<FreezingMode> {
  static constexpr std::array<NamedValue<FreezingMode>, 3> table = {
      {{FreezingMode::FeatureExtraction, "feature-extraction"},
       {FreezingMode::Finetune, "finetune"},
       {FreezingMode::Gradual, "gradual"}}};
};

template <>
struct ChoiceNames<OptimizerKind> {
  static constexpr std::array<NamedValue<OptimizerKind>, 4> table = {
      {{OptimizerKind::AdamW, "adamw"},
       {OptimizerKind::Adam, "adam"},
       {OptimizerKind::Sgd, "sgd"},
       {OptimizerKind::RmsProp, "rmsprop"}}};
};

template <>
struct ChoiceNames<ScheduleKind> {
  static constexpr std::array<NamedValue<ScheduleKind>, 3> table = {
      {{ScheduleKind::OneCycle, "one-cycle"},
       {ScheduleKind::Cosine, "cosine"},
       {ScheduleKind::Constant, "constant"}}};
};

template <>
struct ChoiceNames<LossKind> {
  static constexpr std::array<NamedValue<LossKind>, 2> table = {
      {{LossKind::CrossEntropy, "cross-entropy"}, {LossKind::Focal, "focal"}}};
};

template <>
struct ChoiceNames<NoiseRobust> {
  static constexpr std::array<NamedValue<NoiseRobust>, 4> table = {
      {{NoiseRobust::None, "none"},
       {NoiseRobust::Gce, "gce"},
       {NoiseRobust::Bootstrap, "bootstrap"},
       {NoiseRobust::Trim, "trim"}}};
};

template <>
struct ChoiceNames<ClassWeights> {
  static constexpr std::array<NamedValue<ClassWeights>, 2> table = {
      {{ClassWeights::None, "none"}, {ClassWeights::Balanced, "balanced"}}};
};

template <>
struct ChoiceNames<data::Sampling> {
  static constexpr std::array<NamedValue<data::Sampling>, 4> table = {
      {{data::Sampling::Shuffled, "shuffled"},
       {data::Sampling::OverSampled, "over"},
       {data::Sampling::UnderSampled, "under"},
       {data::Sampling::ClassBalanced, "class-balanced"}}};
};

template <>
struct ChoiceNames<Crop> {
  static constexpr std::array<NamedValue<Crop>, 3> table = {
      {{Crop::None, "none"}, {Crop::Center, "center"}, {Crop::Face, "face"}}};
};

template <>
struct ChoiceNames<Monitor> {
  static constexpr std::array<NamedValue<Monitor>, 2> table = {
      {{Monitor::ValLoss, "val_loss"}, {Monitor::ValF1, "val_f1"}}};
};

template <>
struct ChoiceNames<Caching> {
  static constexpr std::array<NamedValue<Caching>, 3> table = {
      {{Caching::Auto, "auto"}, {Caching::Yes, "yes"}, {Caching::No, "no"}}};
};

template <>
struct ChoiceNames<YesNo> {
  static constexpr std::array<NamedValue<YesNo>, 2> table = {
      {{YesNo::Yes, "yes"}, {YesNo::No, "no"}}};
};

/// These names come from the engine.
template <>
struct ChoiceNames<Precision> {
  static inline const std::array<NamedValue<Precision>, 5> table = {
      {{Precision::F32, name_of(Precision::F32)},
       {Precision::TF32, name_of(Precision::TF32)},
       {Precision::BF16, name_of(Precision::BF16)},
       {Precision::F16, name_of(Precision::F16)},
       {Precision::Int16, name_of(Precision::Int16)}}};
};

template <typename Enum>
concept Choice = requires {
  ChoiceNames<Enum>::table;
};

/// The name of a value, as the user writes it.
template <Choice Enum>
const char* name_of(Enum value) {
  const auto& table = ChoiceNames<Enum>::table;
  return std::find_if(table.begin(), table.end(),
                      [value](const NamedValue<Enum>& entry) { return entry.value == value; })
      ->name;
}

/// The value of that name; empty if no value has it.
template <Choice Enum>
std::optional<Enum> value_named(const std::string& name) {
  for (const NamedValue<Enum>& entry : ChoiceNames<Enum>::table) {
    if (name == entry.name) return entry.value;
  }
  return {};
}

/// All names, in the order of --help.
template <Choice Enum>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for (const NamedValue<Enum>& entry : ChoiceNames<Enum>::table) names.emplace_back(entry.name);
  return names;
}

}  // namespace hanok::training
#pragma GCC visibility pop
