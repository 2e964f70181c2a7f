// Selects the layout of a data set, by name or by its files.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hanok/data/csv.h"
#include "hanok/data/dataset.h"
#include "hanok/data/files.h"
#include "hanok/data/layouts/split_folders.h"
#include "hanok/data/layouts/table_columns.h"
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

/// train.csv, in the root or in train/; empty if there is none.
std::string train_table(const std::string& root) {
  for (const char* name : {"/train.csv", "/train/train.csv"}) {
    if (is_file(root + name)) return root + name;
  }
  return {};
}

bool has_columns(const std::string& csv_path, const std::vector<std::string>& names) {
  const Csv csv = read_csv_header(csv_path);
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::find(csv.header.begin(), csv.header.end(), name) != csv.header.end();
  });
}

/// The table given by `root`; else labels.csv, train.csv or the only table in it.
std::string table_of(const std::string& root) {
  if (!is_folder(root)) return root;
  std::vector<std::string> tables;
  for (const std::string& name : list_tables(root)) {
    if (name == "labels.csv") return root + "/" + name;
    tables.push_back(root + "/" + name);
  }
  const std::string train = train_table(root);
  if (!train.empty()) return train;
  if (tables.size() == 1) return tables[0];
  if (tables.empty()) throw IoError(root + ": contains no table labels.csv");
  throw ValueError(
      fmt::format("{}: contains neither labels.csv nor train.csv, but {}; name the table "
                  "itself: --data {}",
                  root, fmt::join(tables, ", "), tables[0]));
}

/// The splits of a folder; none also where it holds split folders that cannot be learned from.
SplitFolders splits_in(const std::string& root) {
  std::vector<std::string> warnings;
  try {
    return find_split_folders(root, folders_with_images(root), warnings);
  } catch (const ValueError&) {
    return {};
  }
}

/// A table beside train/ and val/ may list the images of all of them, those for testing as well.
void refuse_table_beside_splits(const std::string& csv_path, const std::string& root) {
  const SplitFolders splits = splits_in(root);
  if (!splits.any() || (splits.val.empty() && splits.test.empty())) return;
  throw ValueError(fmt::format(
      "{}: lies beside the folders {} and {} of a split. --layout folder trains and validates as "
      "these say; --layout csv makes folds of all rows of the table, whatever folder they name",
      csv_path, splits.train, splits.val.empty() ? splits.test : splits.val));
}

/// Throws for a table that has not the columns by which the layout would be known: says which
/// --layout reads what is there.
[[noreturn]] void refuse_table(const std::string& csv_path, const std::string& root,
                               const std::string& expected, const DatasetOptions& options) {
  const Csv csv = read_csv_header(csv_path);
  std::vector<std::string> remedies;
  const std::vector<std::string> folders = folders_with_images(root);
  if (const SplitFolders splits = splits_in(root); splits.any()) {
    remedies.push_back(fmt::format("--layout folder reads the classes in {}{}", splits.train,
                                   splits.val.empty() ? "" : " and " + splits.val));
  } else if (folders.size() > 1 && split_of_name(folders[0]).empty()) {
    remedies.push_back(fmt::format("--layout folder learns the folders {}, {}{} as classes",
                                   folders[0], folders[1], folders.size() > 2 ? ", ..." : ""));
  }
  if (has_image_columns(csv, options)) {
    const TableColumns columns = find_columns(csv, options);
    remedies.push_back(
        fmt::format("--layout csv reads images from its column '{}' and labels from "
                    "'{}'",
                    csv.header[columns.path], csv.header[columns.label]));
  } else {
    remedies.emplace_back(
        "--layout csv with --path-column and --label-column reads images and labels from others");
  }
  throw ValueError(fmt::format("{}: has not the columns {} (it has {}). {}", csv_path, expected,
                               fmt::join(csv.header, ", "), fmt::join(remedies, "; ")));
}

/// True if the data are in tar archives: a photographs' folder may hold an archive as well.
bool holds_shards(const std::string& root) {
  if (holds_images(root)) return false;
  std::map<std::string, std::int64_t> skipped;
  std::vector<std::string> compressed;
  return !list_shards(root, skipped, compressed).empty() || !compressed.empty();
}

Dataset detect(const std::string& root, const DatasetOptions& options) {
  if (is_file(root)) {
    const std::string folder = std::filesystem::path(root).parent_path().string();
    const bool beside_shards = holds_shards(folder.empty() ? "." : folder);
    return beside_shards ? load_shards(root, options) : load_csv_dataset(root, options);
  }
  if (!is_folder(root)) throw IoError(root + ": no such folder");
  if (train_table(root).empty() && holds_shards(root)) return load_shards(root, options);
  const bool columns_named = !options.path_column.empty() || !options.label_column.empty();
  if (columns_named) return load_csv_dataset(table_of(root), options);
  const std::string train = train_table(root);
  if (!train.empty() && has_columns(train, {"id", "gender", "age", "path"})) {
    return load_competition(root);
  }
  const std::string labels = root + "/labels.csv";
  if (is_file(labels)) {
    const bool may_be_classes = folders_with_images(root).size() > 1;
    if (has_columns(labels, {"path", "label"}) ||
        (!may_be_classes && has_image_columns(read_csv_header(labels), options))) {
      refuse_table_beside_splits(labels, root);
      return load_csv_dataset(labels, options);
    }
    refuse_table(labels, root, "path and label", options);
  }
  if (!train.empty()) {
    refuse_table(train, root, "id, gender, age and path of the competition layout", options);
  }
  if (!folders_with_images(root).empty()) return load_image_folder(root);
  throw ValueError(root +
                   ": contains no data set: neither train.csv nor train/train.csv (competition "
                   "layout), nor labels.csv (a table of paths and labels), nor folders with "
                   "images (one folder per class), nor shards (tar archives *.tar)");
}

}  // namespace

Dataset load_dataset(const std::string& root, const DatasetOptions& options) {
  if (options.layout == "auto") return detect(root, options);
  if (options.layout == "folder") return load_image_folder(root);
  if (options.layout == "competition") return load_competition(root);
  if (options.layout == "csv") return load_csv_dataset(table_of(root), options);
  if (options.layout == "shards") return load_shards(root, options);
  throw ValueError("load_dataset: unknown layout '" + options.layout +
                   "' (known: auto, folder, competition, csv, shards)");
}

}  // namespace hanok::data
