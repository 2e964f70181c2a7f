// One folder per class.
#include <filesystem>
#include <fmt/format.h>

#include "hanok/data/dataset.h"
#include "hanok/data/files.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// "class/maksssksksss818_00.jpg" -> "maksssksksss818"; empty if there is no '_' with text before
/// it.
std::string name_before_last_underscore(const std::string& path) {
  const std::string stem = file_stem(path);
  const std::size_t underscore = stem.rfind('_');
  return underscore == std::string::npos ? std::string() : stem.substr(0, underscore);
}

/// A photograph has few crops. A prefix shared by more than half of a larger class, as in
/// cat_0001.jpg ... cat_0999.jpg, only numbers the files.
constexpr std::int64_t kSurelyNumbering = 20;

std::string numbering_prefix(const Dataset& dataset, const std::vector<std::string>& names) {
  const std::vector<std::int64_t> class_sizes = dataset.class_counts();
  std::map<std::pair<std::int64_t, std::string>, std::int64_t> members;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty()) ++members[{dataset.samples[i].label, names[i]}];
  }
  for (const auto& [key, count] : members) {
    if (count > kSurelyNumbering && 2 * count > class_sizes[static_cast<std::size_t>(key.first)]) {
      return key.second;
    }
  }
  return {};
}

void find_groups(Dataset& dataset) {
  std::vector<std::string> names;
  std::map<std::string, std::int64_t> sharing;
  for (const Sample& sample : dataset.samples) {
    names.push_back(name_before_last_underscore(sample.path));
    ++sharing[names.back()];
  }
  const std::string numbering = numbering_prefix(dataset, names);
  if (!numbering.empty()) {
    dataset.warnings.push_back(
        fmt::format("file names like '{}_...' number the files of a class, so names were not used "
                    "to find crops of one photograph",
                    numbering));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool shared = numbering.empty() && !names[i].empty() && sharing[names[i]] > 1;
    dataset.samples[i].group = shared ? names[i] : dataset.samples[i].path;
    dataset.has_groups = dataset.has_groups || shared;
  }
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
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
  dataset.class_names = list_folders(root, dataset.skipped);
  if (dataset.class_names.size() < 2) {
    throw ValueError(
        fmt::format("{}: {} class folder{}, at least two are needed (one folder per class, with "
                    "photographs in it)",
                    root, dataset.class_names.size(), dataset.class_names.size() == 1 ? "" : "s"));
  }
  for (std::size_t label = 0; label < dataset.class_names.size(); ++label) {
    const std::string& name = dataset.class_names[label];
    const std::vector<std::string> images = list_images(root + "/" + name, dataset.skipped);
    if (images.empty()) {
      throw ValueError(fmt::format("{}: class '{}' has no .jpg, .jpeg or .png file", root, name));
    }
    for (const std::string& image : images) {
      dataset.samples.push_back({name + "/" + image, static_cast<std::int64_t>(label), {}});
    }
  }
  find_groups(dataset);
  return dataset;
}

}  // namespace hanok::data
