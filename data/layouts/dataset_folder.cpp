// One folder per class, perhaps below train/ and val/.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "hanok/data/dataset.h"
#include "hanok/data/files.h"
#include "hanok/data/layouts/class_names.h"
#include "hanok/data/layouts/name_groups.h"
#include "hanok/data/layouts/split_folders.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

bool is_folder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

/// "; skipped: 1 x hidden file or folder": a folder that is missed may be among them.
std::string list_of_skipped(const std::map<std::string, std::int64_t>& skipped) {
  if (skipped.empty()) return {};
  std::vector<std::string> reasons;
  for (const auto& [reason, count] : skipped) {
    reasons.push_back(fmt::format("{} x {}", count, reason));
  }
  return fmt::format("; skipped: {}", fmt::join(reasons, ", "));
}

/// Adds the images of a class in `folder`, "cat" or "train/cat"; returns how many there are.
std::size_t add_class(Dataset& dataset, const std::string& folder, std::int64_t label,
                      Split split) {
  const std::vector<std::string> images = list_images(dataset.root + "/" + folder, dataset.skipped);
  for (const std::string& image : images) {
    dataset.samples.push_back({folder + "/" + image, label, {}, split});
  }
  return images.size();
}

/// True if a folder holds runs of finetune and no images: it is one for output, not a class.
bool holds_only_runs(const std::string& folder) {
  std::map<std::string, std::int64_t> skipped;
  list_folders(folder, skipped);
  return !holds_images(folder) &&
         std::any_of(skipped.begin(), skipped.end(),
                     [](const auto& entry) { return entry.first.rfind("run folder", 0) == 0; });
}

/// An archive often unpacks into one more folder.
std::string hint_at_only_folder(const std::string& parent, const std::string& name) {
  const std::string folder = parent + "/" + name;
  std::map<std::string, std::int64_t> skipped;
  if (list_folders(folder, skipped).size() < 2) return fmt::format("; there is only '{}'", name);
  return fmt::format("; there is only '{}', which holds folders itself: perhaps --data {}", name,
                     folder);
}

/// Makes the folders `names` in `below` ("" or "train/") the data set's classes, with their images.
void load_classes(Dataset& dataset, const std::string& below, std::vector<std::string> names,
                  Split split) {
  const std::string parent =
      dataset.root + (below.empty() ? "" : "/" + below.substr(0, below.size() - 1));
  std::erase_if(names, [&](const std::string& name) {
    if (!holds_only_runs(parent + "/" + name)) return false;
    ++dataset.skipped["folder that holds run folders"];
    return true;
  });
  if (names.size() < 2) {
    throw ValueError(fmt::format(
        "{}: {} class folder{}, at least two are needed (one folder per class, with photographs in "
        "it){}{}",
        parent, names.size(), names.size() == 1 ? "" : "s",
        names.empty() ? "" : hint_at_only_folder(parent, names[0]),
        list_of_skipped(dataset.skipped)));
  }
  for (std::size_t label = 0; label < names.size(); ++label) {
    if (add_class(dataset, below + names[label], static_cast<std::int64_t>(label), split) == 0) {
      std::map<std::string, std::int64_t> there;
      list_images(parent + "/" + names[label], there);
      throw ValueError(fmt::format(
          "{}: class '{}' has no image{}; add images, or move the folder away", parent,
          names[label], there.empty() ? ": the folder is empty" : list_of_skipped(there)));
    }
  }
  dataset.class_names = std::move(names);
}

/// Adds the images of val/, whose classes must be among train's.
void load_validation(Dataset& dataset) {
  const SplitFolders& splits = dataset.split_folders;
  const std::vector<std::string>& known = dataset.class_names;
  const std::string val = dataset.root + "/" + splits.val;
  std::set<std::string> found;
  for (const std::string& name : list_folders(val, dataset.skipped)) {
    const auto place = std::find(known.begin(), known.end(), name);
    if (place == known.end()) {
      if (!holds_images(val + "/" + name)) continue;
      const std::string twin = twin_of(name, known);
      throw ValueError(fmt::format(
          "{0}: {1} has the class '{2}', which {3} has not{4}; classes of both are matched by name",
          dataset.root, splits.val, name, splits.train,
          twin.empty() ? "" : fmt::format(" (it has '{}')", twin)));
    }
    if (add_class(dataset, splits.val + "/" + name, place - known.begin(), Split::Val) > 0) {
      found.insert(name);
    }
  }
  std::vector<std::string> missing;
  for (const std::string& name : known) {
    if (found.count(name) == 0) missing.push_back("'" + name + "'");
  }
  if (!missing.empty()) {
    dataset.warnings.push_back(fmt::format(
        "{} has no images of {}: nothing will say how well {} "
        "learned",
        splits.val, fmt::join(missing, ", "), missing.size() == 1 ? "it is" : "they are"));
  }
}

/// cat/{a,b}, dog/{a,b}: folders of the same names in every class are perhaps the classes.
void warn_of_inner_classes(Dataset& dataset) {
  std::vector<std::set<std::string>> inner(dataset.class_names.size());
  for (const Sample& sample : dataset.samples) {
    const std::string& name = dataset.class_names[static_cast<std::size_t>(sample.label)];
    const std::string below = sample.path.substr(name.size() + 1);
    const std::size_t slash = below.find('/');
    inner[static_cast<std::size_t>(sample.label)].insert(
        slash == std::string::npos ? std::string() : below.substr(0, slash));
  }
  const std::set<std::string>& first = inner.front();
  if (first.size() < 2 || first.count("") > 0) return;
  if (!std::all_of(inner.begin(), inner.end(), [&](const auto& names) { return names == first; })) {
    return;
  }
  dataset.warnings.push_back(
      fmt::format("every class holds folders of the same names ({}), whose images are learned "
                  "together; if these are the classes, they belong directly into {}",
                  fmt::join(first, ", "), dataset.root));
}

/// A file that two classes hold, by links.
void warn_of_shared_files(Dataset& dataset) {
  std::map<FileId, std::size_t> first;
  std::int64_t shared = 0;
  std::string example;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    const std::optional<FileId> id = file_id(dataset.full_path(i));
    if (!id) continue;
    const auto [known, is_new] = first.emplace(*id, i);
    if (is_new) continue;
    const Sample& one = dataset.samples[known->second];
    if (shared++ == 0) example = fmt::format("'{}' and '{}'", one.path, dataset.samples[i].path);
  }
  if (shared == 0) return;
  dataset.warnings.push_back(fmt::format(
      "{} image{} listed more than once through links, such as {}: scores may be too good, and of "
      "two classes one is wrong",
      shared, shared == 1 ? " is" : "s are", example));
}

/// What is left out, and what reads it.
std::string describe_test(const Dataset& dataset) {
  const std::string test = dataset.root + "/" + dataset.split_folders.test;
  std::map<std::string, std::int64_t> skipped;
  const bool labelled = !list_folders(test, skipped).empty();
  return fmt::format("left out: {}, for testing; {} {}", test,
                     labelled ? "its scores: evaluate --run RUN --data"
                              : "without labels: predict --run RUN --images",
                     test);
}

void load_splits(Dataset& dataset) {
  const SplitFolders& splits = dataset.split_folders;
  const std::string train = dataset.root + "/" + splits.train;
  load_classes(dataset, splits.train + "/", list_folders(train, dataset.skipped),
               splits.val.empty() ? Split::None : Split::Train);
  if (!splits.val.empty()) load_validation(dataset);
  if (!splits.test.empty()) dataset.notes.push_back(describe_test(dataset));
}

}  // namespace

std::vector<std::int64_t> Dataset::class_counts() const {
  std::vector<std::int64_t> counts(class_names.size());
  for (const Sample& sample : samples) {
    if (sample.label >= 0) ++counts[static_cast<std::size_t>(sample.label)];
  }
  return counts;
}

Dataset load_image_folder(const std::string& root) {
  if (!is_folder(root)) throw IoError(root + ": no such folder");
  Dataset dataset;
  dataset.root = root;
  dataset.layout = "folder";
  const std::vector<std::string> folders = list_folders(root, dataset.skipped);
  dataset.split_folders = find_split_folders(root, folders, dataset.warnings);
  if (dataset.split_folders.any()) {
    load_splits(dataset);
  } else {
    load_classes(dataset, "", folders, Split::None);
    warn_of_inner_classes(dataset);
  }
  for (std::string& warning : twin_warnings(dataset.class_names)) {
    dataset.warnings.push_back(std::move(warning));
  }
  warn_of_shared_files(dataset);
  find_name_groups(dataset);
  return dataset;
}

}  // namespace hanok::data
