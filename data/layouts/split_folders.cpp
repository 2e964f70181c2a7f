#include "hanok/data/layouts/split_folders.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iterator>

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
constexpr std::array<SplitName, 12> kSplitNames = {{{"train", "train"},
                                                    {"training", "train"},
                                                    {"trainval", "train"},
                                                    {"val", "val"},
                                                    {"valid", "val"},
                                                    {"validate", "val"},
                                                    {"validation", "val"},
                                                    {"eval", "val"},
                                                    {"dev", "val"},
                                                    {"test", "test"},
                                                    {"testing", "test"},
                                                    {"holdout", "test"}}};
/// What may follow: trainset, val2017.
constexpr std::array<const char*, 4> kEndings = {"set", "data", "images", "split"};

/// A folder in the root that holds images.
struct Folder {
  std::string name;                    // a path, where archives nest: "seg_train/seg_train"
  std::string split;                   // of its name; empty: none
  std::vector<std::string> classes{};  // folders with images in it
  bool holds_classes() const { return !classes.empty(); }
  /// False for a name that only contains a split's ("blood_test"); of a nested folder the outer
  /// one.
  bool is_clear() const { return is_split_name(name.substr(0, name.find('/'))); }
};

/// A folder of a split. Unpacked archives often hold one folder of their own name.
Folder folder_of_split(const std::string& root, const std::string& name, const std::string& split) {
  Folder folder{name, split, folders_with_images(root + "/" + name)};
  while (folder.classes.size() == 1 && split_of_name(folder.classes[0]) == split) {
    folder.name += "/" + folder.classes[0];
    folder.classes = folders_with_images(root + "/" + folder.name);
  }
  return folder;
}

/// True if a class of both has the same name.
bool share_classes(const Folder& a, const Folder& b) {
  return std::any_of(a.classes.begin(), a.classes.end(), [&](const std::string& name) {
    return std::find(b.classes.begin(), b.classes.end(), name) != b.classes.end();
  });
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
    if (folder.split == split && (any || folder.holds_classes())) found.push_back(folder);
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

std::string split_of_word(std::string word) {
  while (!word.empty() && word.back() >= '0' && word.back() <= '9') word.pop_back();
  for (const char* ending : kEndings) {
    if (word.size() > 3 && word.ends_with(ending)) {
      word.resize(word.size() - std::string(ending).size());
      break;
    }
  }
  for (const SplitName& known : kSplitNames) {
    if (word == known.name) return known.split;
  }
  return {};
}

}  // namespace

std::string split_of_name(const std::string& folder_name) {
  // A name has one such word: seg_train, 01_val, test-data.
  std::string split, word;
  for (const char c : folded_name(folder_name) + "_") {
    if (c != '_' && c != '-' && c != ' ' && c != '.') {
      word += c;
      continue;
    }
    const std::string found = split_of_word(word);
    if (!found.empty() && !split.empty() && found != split) return {};
    if (!found.empty()) split = found;
    word.clear();
  }
  return split;
}

bool is_split_name(const std::string& folder_name) {
  const std::string name = folded_name(folder_name);
  std::string joined;  // "train_set" is "trainset", "01_train" is not "train"
  std::copy_if(name.begin(), name.end(), std::back_inserter(joined),
               [](char c) { return c != '_' && c != '-' && c != ' '; });
  return !split_of_word(joined).empty();
}

/// Names that only contain a split's ("blood_test") are splits where they look like one data set:
/// one for training and another, all of them with class folders.
bool look_like_splits(const std::vector<Folder>& named) {
  return of_split(named, "train").size() == 1 &&
         std::any_of(named.begin(), named.end(), [](const Folder& folder) {
           return folder.split != "train" && folder.holds_classes();
         });
}

SplitFolders find_split_folders(const std::string& root, const std::vector<std::string>& names,
                                std::vector<std::string>& warnings) {
  std::vector<Folder> named, others;
  bool all_clear = true;
  for (const std::string& name : names) {
    if (!holds_images(root + "/" + name)) continue;
    const std::string split = split_of_name(name);
    if (split.empty()) {
      others.push_back({name, split, folders_with_images(root + "/" + name)});
    } else {
      named.push_back(folder_of_split(root, name, split));
      all_clear = all_clear && is_split_name(name);
    }
  }
  if (!all_clear && !look_like_splits(named)) {
    for (const Folder& folder : named) {
      if (!folder.is_clear()) others.push_back({folder.name, "", folder.classes});
    }
    std::erase_if(named, [](const Folder& folder) { return !folder.is_clear(); });
  }
  if (named.empty()) return {};
  std::vector<Folder> with_classes = named;
  std::erase_if(with_classes, [](const Folder& folder) { return !folder.holds_classes(); });
  if (others.empty()) {
    if (with_classes.empty()) refuse_without_classes(root, named);
    return splits_of(root, named);
  }
  // Folders with other names beside them: still splits if there are two with classes, or if the
  // others hold the same classes.
  const bool same_classes = with_classes.size() == 1 && with_classes[0].split == "train" &&
                            std::all_of(others.begin(), others.end(), [&](const Folder& other) {
                              return share_classes(other, with_classes[0]);
                            });
  if (with_classes.size() > 1 || same_classes) {
    warnings.push_back(fmt::format("{} beside {} {} no split, and not read", quoted_names(others),
                                   quoted_names(with_classes), others.size() == 1 ? "is" : "are"));
    return splits_of(root, named);
  }
  for (const Folder& folder : named) {
    if (folder.holds_classes()) refuse_split_beside_classes(root, folder, others);
    warnings.push_back(
        fmt::format("'{}' is learned as a class, as '{}' is; if its images are of a split, move "
                    "the folder away",
                    folder.name, others[0].name));
  }
  return {};
}

}  // namespace hanok::data
