// A plain table: path, label and optionally group.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <set>

#include "hanok/data/csv.h"
#include "hanok/data/dataset.h"
#include "hanok/data/files.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// Parses `text` as an integer; false if it is not one.
bool to_integer(const std::string& text, std::int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// The distinct labels in byte order, or in numerical order (2 before 10) if all are integers.
std::vector<std::string> sorted_labels(const Csv& csv, std::size_t column) {
  std::set<std::string> texts;
  for (const auto& row : csv.rows) texts.insert(row[column]);
  std::vector<std::string> names(texts.begin(), texts.end());
  std::int64_t ignored = 0;
  if (std::all_of(names.begin(), names.end(),
                  [&](const std::string& name) { return to_integer(name, ignored); })) {
    std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      std::int64_t x = 0, y = 0;
      return to_integer(a, x) && to_integer(b, y) && x < y;
    });
  }
  return names;
}

}  // namespace

Dataset load_csv_dataset(const std::string& csv_path) {
  const Csv csv = read_csv(csv_path);
  const std::size_t path = csv.column("path");
  const std::size_t label = csv.column("label");
  const auto group = std::find(csv.header.begin(), csv.header.end(), "group");
  const std::size_t group_column = static_cast<std::size_t>(group - csv.header.begin());
  Dataset dataset;
  dataset.root = std::filesystem::path(csv_path).parent_path().string();
  if (dataset.root.empty()) dataset.root = ".";
  dataset.layout = "csv";
  dataset.class_names = sorted_labels(csv, label);
  if (dataset.class_names.size() < 2) {
    throw ValueError(fmt::format("{}: {} label{}, at least two are needed", csv_path,
                                 dataset.class_names.size(),
                                 dataset.class_names.size() == 1 ? "" : "s"));
  }
  std::map<std::string, std::int64_t> number;
  for (std::size_t c = 0; c < dataset.class_names.size(); ++c) {
    number[dataset.class_names[c]] = static_cast<std::int64_t>(c);
  }
  std::set<std::string> paths, groups;
  for (std::size_t i = 0; i < csv.rows.size(); ++i) {
    const std::vector<std::string>& row = csv.rows[i];
    const std::string wrong = path_problem(row[path]);
    if (!wrong.empty()) throw FormatError(fmt::format("{}:{}: {}", csv.path, csv.lines[i], wrong));
    if (row[label].empty()) {
      throw FormatError(fmt::format("{}:{}: label is empty", csv.path, csv.lines[i]));
    }
    if (!paths.insert(row[path]).second) {
      throw FormatError(
          fmt::format("{}:{}: path '{}' occurs twice", csv.path, csv.lines[i], row[path]));
    }
    const bool grouped = group != csv.header.end() && !row[group_column].empty();
    dataset.samples.push_back(
        {row[path], number[row[label]], grouped ? row[group_column] : row[path]});
    if (grouped && !groups.insert(row[group_column]).second) dataset.has_groups = true;
  }
  return dataset;
}

}  // namespace hanok::data
