#include "hanok/data/split_folders.h"

#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hanok/data/files.h"
#include "hanok/data/unicode.h"
#include "hanok/kernels/base/error.h"

namespace fs = std::filesystem;

namespace hanok::data {
namespace {

struct SplitName {
  const char* name;  // in lower case
  const char* split;
};
constexpr std::array<SplitName, 9> kSplitNames = {{{"train", "train"},
                                                   {"training", "train"},
                                                   {"val", "val"},
                                                   {"valid", "val"},
                                                   {"validation", "val"},
                                                   {"eval", "val"},
                                                   {"dev", "val"},
                                                   {"test", "test"},
                                                   {"testing", "test"}}};
/// What may follow: train_set, test-data, val2017.
constexpr std::array<const char*, 4> kEndings = {"set", "data", "images", "split"};

/// A folder in the root that holds images.
struct Folder {
  std::string name;
  std::string split;           // of its name; empty: none
  bool holds_classes = false;  // it holds folders with images
};

bool holds_folders_with_images(const std::string& folder) {
  std::map<std::string, std::int64_t> skipped;
  for (const std::string& name : list_folders(folder, skipped)) {
    if (holds_images(folder + "/" + name)) return true;
  }
  return false;
}

std::string quoted_names(const std::vector<Folder>& folders) {
  std::vector<std::string> names;
  for (const Folder& folder : folders) names.push_back("'" + folder.name + "'");
  return fmt::format("{}", fmt::join(names, ", "));
}

/// The folders of one split that hold classes, or with `any` those that hold images at all.
std::vector<Folder> of_split(const std::vector<Folder>& folders, const std::string& split,
                             bool any = false) {
  std::vector<Folder> found;
  for (const Folder& folder : folders) {
    if (folder.split == split && (any || folder.holds_classes)) found.push_back(folder);
  }
  return found;
}

/// The one folder of a split; empty if there is none.
std::string only_folder(const std::string& root, const std::vector<Folder>& folders) {
  if (folders.size() > 1) {
    throw ValueError(fmt::format("{}: {} could each hold the {} images; move or rename all but one",
                                 root, quoted_names(folders), folders[0].split));
  }
  return folders.empty() ? std::string() : folders[0].name;
}

[[noreturn]] void refuse_without_classes(const std::string& root,
                                         const std::vector<Folder>& folders) {
  throw ValueError(fmt::format(
      "{}: no class folders in {}: {} of a data set, not {}, and nothing says which class an image "
      "has. Expected train/CLASS/..., or a table labels.csv with columns path and label; a folder "
      "that is a class needs another name",
      root, quoted_names(folders), folders.size() == 1 ? "that is a split" : "these are splits",
      folders.size() == 1 ? "a class" : "classes"));
}

[[noreturn]] void refuse_without_training(const std::string& root,
                                          const std::vector<Folder>& splits) {
  throw ValueError(fmt::format(
      "{0}: no training images: there is {1}, but no folder train with class folders. To "
      "learn from one of them, name it: --data {0}/{2}",
      root, quoted_names(splits), splits[0].name));
}

/// cat/, dog/ and test/{cat,dog}: the folder named as a split holds the classes beside it.
void refuse_split_beside_classes(const std::string& root, const Folder& split,
                                 const std::vector<Folder>& classes) {
  std::map<std::string, std::int64_t> skipped;
  for (const std::string& name : list_folders(root + "/" + split.name, skipped)) {
    for (const Folder& known : classes) {
      if (folded_name(name) != folded_name(known.name)) continue;
      throw ValueError(
          fmt::format("{0}: '{1}' holds a folder '{2}', as {0} itself does: it is a split, not a "
                      "class. Move it "
                      "away, or the class folders beside it into {0}/train",
                      root, split.name, name));
    }
  }
}

/// The splits, where all folders are such.
SplitFolders splits_of(const std::string& root, const std::vector<Folder>& folders) {
  SplitFolders splits;
  splits.train = only_folder(root, of_split(folders, "train"));
  if (splits.train.empty()) refuse_without_training(root, folders);
  splits.val = only_folder(root, of_split(folders, "val"));
  const std::vector<Folder> unlabelled = of_split(folders, "val", /*any=*/true);
  if (splits.val.empty() && !unlabelled.empty()) {
    throw ValueError(
        fmt::format("{0}: '{1}' holds images but no class folders, as '{2}' does: move its images "
                    "into {0}/{1}/CLASS, or name --data {0}/{2} to make folds of that alone",
                    root, unlabelled[0].name, splits.train));
  }
  const std::vector<Folder> tests = of_split(folders, "test", /*any=*/true);
  if (!tests.empty()) splits.test = tests[0].name;
  return splits;
}

}  // namespace

std::string split_of_name(const std::string& folder_name) {
  std::string name = folded_name(folder_name);
  while (!name.empty() && name.back() >= '0' && name.back() <= '9') name.pop_back();
  for (const char* ending : kEndings) {
    if (name.size() > 3 && name.ends_with(ending)) {
      name.resize(name.size() - std::string(ending).size());
      break;
    }
  }
  while (!name.empty() && (name.back() == '_' || name.back() == '-' || name.back() == ' ')) {
    name.pop_back();
  }
  for (const SplitName& known : kSplitNames) {
    if (name == known.name) return known.split;
  }
  return {};
}

SplitFolders find_split_folders(const std::string& root, const std::vector<std::string>& names,
                                std::vector<std::string>& warnings) {
  std::vector<Folder> named, others;
  bool any_classes = false;
  for (const std::string& name : names) {
    const std::string split = split_of_name(name);
    const std::string path = root + "/" + name;
    if (split.empty()) {
      others.push_back({name, split});
    } else if (holds_images(path)) {
      named.push_back({name, split, holds_folders_with_images(path)});
      any_classes = any_classes || named.back().holds_classes;
    }
  }
  if (named.empty()) return {};
  std::erase_if(others,
                [&](const Folder& other) { return !holds_images(root + "/" + other.name); });
  if (others.empty()) {
    if (!any_classes) refuse_without_classes(root, named);
    return splits_of(root, named);
  }
  // Folders with other names beside them: still splits if there are two with classes.
  std::vector<Folder> with_classes = named;
  std::erase_if(with_classes, [](const Folder& folder) { return !folder.holds_classes; });
  if (with_classes.size() > 1) {
    warnings.push_back(fmt::format("{} beside {} {} no split, and not read", quoted_names(others),
                                   quoted_names(with_classes), others.size() == 1 ? "is" : "are"));
    return splits_of(root, named);
  }
  for (const Folder& folder : named) {
    if (folder.holds_classes) refuse_split_beside_classes(root, folder, others);
    warnings.push_back(
        fmt::format("'{}' is learned as a class, as '{}' is; if its images are of a split, move "
                    "the folder away",
                    folder.name, others[0].name));
  }
  return {};
}

}  // namespace hanok::data
