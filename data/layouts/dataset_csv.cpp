// A table of images, labels and perhaps groups.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <set>

#include "hanok/data/csv.h"
#include "hanok/data/dataset.h"
#include "hanok/data/files.h"
#include "hanok/data/image_files.h"
#include "hanok/data/layouts/class_names.h"
#include "hanok/data/layouts/table_columns.h"
#include "hanok/data/layouts/table_images.h"
#include "hanok/data/unicode.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// Throws a FormatError that starts with "labels.csv:7: ".
[[noreturn]] void fail(const Csv& csv, std::size_t row, const std::string& what) {
  throw FormatError(fmt::format("{}:{}: {}", csv.path, csv.lines[row], what));
}

/// Finds each row's image, and rows of one image.
class Rows {
 public:
  Rows(const Csv& csv, const TableColumns& columns, const std::string& root)
      : csv_(csv), columns_(columns), root_(root), images_(root) {}

  /// The path of a row's image below the root.
  std::string image_of(std::size_t row) {
    const std::string& name = csv_.rows[row][columns_.path];
    const std::string wrong = path_problem(root_, name);
    if (!wrong.empty()) fail(csv_, row, wrong);
    const std::string path = find(row, name);
    const std::optional<FileId> id = file_id(root_ + "/" + path);
    if (id) {
      check_once(row, of_file_.emplace(*id, row).first->second);
    } else {
      const std::string key = nfc(std::filesystem::path(path).lexically_normal().string());
      check_once(row, of_path_.emplace(key, row).first->second);
      if (missing_++ == 0) first_missing_ = row;
      if (!is_utf8_text(name)) {
        fail(
            csv_, row,
            fmt::format("'{}' names no file, and is not UTF-8 text; save the table in UTF-8 (iconv "
                        "-f ENCODING -t utf8, with the encoding that it was written in: latin1, "
                        "cp949, ...)",
                        name));
      }
    }
    return path;
  }

  void report(Dataset& dataset) const {
    const std::string completed = images_.completed();
    if (!completed.empty()) dataset.notes.push_back("completed: " + completed);
    if (missing_ == 0) return;
    dataset.warnings.push_back(fmt::format(
        "{}: {} of {} images do not exist, such as '{}' in line {}", csv_.path, missing_,
        csv_.rows.size(), csv_.rows[first_missing_][columns_.path], csv_.lines[first_missing_]));
  }

 private:
  std::string find(std::size_t row, const std::string& name) {
    try {
      return images_.find(name);
    } catch (const ValueError& error) {
      fail(csv_, row, error.what());
    }
  }

  void check_once(std::size_t row, std::size_t first) const {
    if (first == row) return;
    const std::string& name = csv_.rows[row][columns_.path];
    const std::string& other = csv_.rows[first][columns_.path];
    const std::string& label = csv_.rows[row][columns_.label];
    const std::string& other_label = csv_.rows[first][columns_.label];
    fail(csv_, row,
         fmt::format("path '{}' {} line {}, with {}", name,
                     name == other ? "occurs twice: also in"
                                   : fmt::format("is the same file as '{}' in", other),
                     csv_.lines[first],
                     label == other_label
                         ? fmt::format("the same label '{}'", label)
                         : fmt::format("the label '{}', here '{}'", other_label, label)));
  }

  const Csv& csv_;
  const TableColumns& columns_;
  const std::string& root_;
  TableImages images_;
  std::map<FileId, std::size_t> of_file_;  // the first row of each
  std::map<std::string, std::size_t> of_path_;
  std::int64_t missing_ = 0;
  std::size_t first_missing_ = 0;
};

/// "labels.csv: images from column 'id_code', labels from column 'diagnosis'"; empty where the
/// columns have the layout's own names.
std::string describe_columns(const Csv& csv, const TableColumns& columns) {
  const std::string& path = csv.header[columns.path];
  const std::string& label = csv.header[columns.label];
  if (path == "path" && label == "label") return {};
  return fmt::format(
      "{}: images from column '{}', labels from column '{}' (--path-column, --label-column)",
      csv.path, path, label);
}

}  // namespace

Dataset load_csv_dataset(const std::string& csv_path, const DatasetOptions& options) {
  const Csv csv = read_csv(csv_path);
  const TableColumns columns = find_columns(csv, options);
  Dataset dataset;
  dataset.root = std::filesystem::path(csv_path).parent_path().string();
  if (dataset.root.empty()) dataset.root = ".";
  dataset.layout = "csv";
  std::set<std::string> labels;
  for (const auto& row : csv.rows) labels.insert(row[columns.label]);
  dataset.class_names = ordered_labels(labels);
  if (dataset.class_names.size() < 2) {
    throw ValueError(fmt::format("{}: {} label{}, at least two are needed", csv_path,
                                 dataset.class_names.size(),
                                 dataset.class_names.size() == 1 ? "" : "s"));
  }
  std::map<std::string, std::int64_t> number;
  for (std::size_t c = 0; c < dataset.class_names.size(); ++c) {
    number[dataset.class_names[c]] = static_cast<std::int64_t>(c);
  }
  std::set<std::string> groups;
  Rows rows(csv, columns, dataset.root);
  for (std::size_t i = 0; i < csv.rows.size(); ++i) {
    const std::string& label = csv.rows[i][columns.label];
    const std::string path = rows.image_of(i);
    if (label.empty()) fail(csv, i, "label is empty");
    const std::string group = columns.group ? csv.rows[i][*columns.group] : std::string();
    dataset.samples.push_back({path, number[label], group.empty() ? path : group});
    if (!group.empty() && !groups.insert(group).second) dataset.has_groups = true;
  }
  if (columns.group) {
    dataset.grouped_by = fmt::format("column '{}'", csv.header[*columns.group]);
  }
  const std::string announced = describe_columns(csv, columns);
  if (!announced.empty()) dataset.notes.push_back(announced);
  rows.report(dataset);
  for (std::string& warning : twin_warnings(dataset.class_names)) {
    dataset.warnings.push_back(std::move(warning));
  }
  return dataset;
}

}  // namespace hanok::data
