// Options whose value is more than a number, a word or a text, each with its parser and the text
// that the parser reads back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hanok/data/augmentation.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// --unfreeze-at EPOCH=GLOB: what matches is frozen before this epoch and learns from it on.
struct EpochGlob {
  std::int64_t epoch = 1;  // 1 is the first
  std::string glob;
};
/// Throws UsageError.
EpochGlob parse_unfreeze_at(const std::string& text);
std::string text_of(const EpochGlob& pair);

/// --lr-group GLOB=LR: the learning rate of what matches.
struct GlobRate {
  std::string glob;
  double rate = 0;  // above 0
};
/// Throws UsageError.
GlobRate parse_lr_group(const std::string& text);
std::string text_of(const GlobRate& pair);

/// --group: which files, of one person or photograph, are kept out of different folds.
struct Grouping {
  enum class Kind {
    Auto,  // those that the data's layout knows to belong together
    None,  // every file by itself
    File,  // those that a table names one group
  };
  Kind kind = Kind::Auto;
  std::string file{};  // columns path and group; only of Kind::File
};
/// Throws UsageError for a text that is neither a word nor looks like a file.
Grouping parse_grouping(const std::string& text);
std::string text_of(const Grouping& grouping);

/// --folds: into how many folds the images are cut.
struct FoldCount {
  enum class Kind {
    Auto,    // Given where the data have a split of their own (folders train and val), else Number
    Given,   // none: what lies in val is validated on, once
    Number,  // folds are made of all images
  };
  Kind kind = Kind::Auto;
  std::int64_t number = 5;  // 2 to 1000
};
/// Throws UsageError.
FoldCount parse_fold_count(const std::string& text);
std::string text_of(const FoldCount& folds);

/// --fold: the number of one fold (0 is the first), or empty for all of them.
using FoldChoice = std::optional<std::int64_t>;
/// Throws UsageError.
FoldChoice parse_fold(const std::string& text);
std::string text_of(const FoldChoice& fold);

/// --weights: what training starts from.
struct StartWeights {
  enum class Source { ImageNet, Random, File };
  Source source = Source::ImageNet;
  std::string file;  // .pth or .safetensors; only of Source::File
};
StartWeights parse_start_weights(const std::string& text);
std::string text_of(const StartWeights& weights);

/// --augment: random changes of each image, from a list that has a name or from a file.
struct AugmentChoice {
  std::string name = "light";  // of a list (data::augmentation_names), or path of the file
  bool from_file = false;
  data::Augmentation transforms = data::named_augmentation("light");
};
/// Reads the file at once. Throws UsageError, and IoError if the file cannot be read.
AugmentChoice parse_augment(const std::string& text);
std::string text_of(const AugmentChoice& augment);

/// --memory: what the whole process may hold resident.
struct MemorySize {
  std::int64_t bytes = 0;  // 0: auto, what the system leaves
};
/// Throws UsageError unless `text` is auto or a size such as 700M, 2G or 1.5G (powers of 1024).
MemorySize parse_memory(const std::string& text);
std::string text_of(const MemorySize& memory);

/// --device
struct DeviceChoice {
  enum class Kind { Auto, Cpu, Cuda };
  Kind kind = Kind::Auto;
  std::optional<int> index;  // of the GPU; empty: the first one
};
/// Throws UsageError unless `text` is auto, cpu, cuda or cuda:N.
DeviceChoice parse_device(const std::string& text);
std::string text_of(const DeviceChoice& device);

}  // namespace hanok::training
#pragma GCC visibility pop
