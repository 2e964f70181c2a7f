// Selects the layout of a data set, by name or by its files.
#include <filesystem>

#include "hanok/data/dataset.h"
#include "hanok/data/files.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

bool is_file(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

bool looks_like_competition(const std::string& root) {
  return is_file(root + "/train.csv") || is_file(root + "/train/train.csv");
}

bool looks_like_folders(const std::string& root) {
  std::map<std::string, std::int64_t> skipped;
  for (const std::string& name : list_folders(root, skipped)) {
    if (!list_images(root + "/" + name, skipped).empty()) return true;
  }
  return false;
}

/// The table given by `root`, or labels.csv in it.
std::string csv_of(const std::string& root) {
  return is_folder(root) ? root + "/labels.csv" : root;
}

}  // namespace

Dataset load_dataset(const std::string& root, const std::string& layout) {
  if (layout == "folder") return load_image_folder(root);
  if (layout == "competition") return load_competition(root);
  if (layout == "csv") return load_csv_dataset(csv_of(root));
  if (layout != "auto") {
    throw ValueError("load_dataset: unknown layout '" + layout +
                     "' (known: auto, folder, competition, csv)");
  }
  if (is_file(root)) return load_csv_dataset(root);
  if (!is_folder(root)) throw IoError(root + ": no such folder");
  if (looks_like_competition(root)) return load_competition(root);
  if (is_file(csv_of(root))) return load_csv_dataset(csv_of(root));
  if (looks_like_folders(root)) return load_image_folder(root);
  throw ValueError(root +
                   ": contains no data set: neither train.csv nor train/train.csv (competition "
                   "layout), nor labels.csv (a table of paths and labels), nor folders with .jpg, "
                   ".jpeg or .png files (one folder per class)");
}

}  // namespace hanok::data
