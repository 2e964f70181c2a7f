// Reports about folds: a table of counts, and warnings.
#include <algorithm>
#include <fmt/format.h>

#include "hanok/data/splits.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {

std::string fold_table(const Folds& folds, int fold_count, const std::vector<std::int64_t>& labels,
                       const std::vector<std::string>& class_names) {
  if (folds.size() != labels.size()) {
    throw ValueError(
        fmt::format("fold_table: {} labels but {} fold numbers", labels.size(), folds.size()));
  }
  const std::size_t columns = static_cast<std::size_t>(std::max(fold_count, 0));
  const std::size_t classes = class_names.size();
  std::vector<std::int64_t> counts((classes + 1) *
                                   (columns + 1));  // one more row and column for the sums
  for (std::size_t i = 0; i < folds.size(); ++i) {
    if (folds[i] < 0 || folds[i] >= fold_count || labels[i] < 0 ||
        labels[i] >= static_cast<std::int64_t>(classes)) {
      throw ValueError(fmt::format("fold_table: sample {} has class {} of {} and fold {} of {}", i,
                                   labels[i], classes, folds[i], fold_count));
    }
    const std::size_t fold = static_cast<std::size_t>(folds[i]);
    const std::size_t label = static_cast<std::size_t>(labels[i]);
    for (const std::size_t row : {label, classes}) {
      for (const std::size_t column : {fold, columns}) ++counts[row * (columns + 1) + column];
    }
  }
  std::size_t width = 5;
  for (const std::string& name : class_names) width = std::max(width, name.size());
  std::string table = fmt::format("{:<{}}", "class", width);
  for (int fold = 0; fold < fold_count; ++fold) {
    table += fmt::format("{:>9}", fmt::format("fold {}", fold));
  }
  table += fmt::format("{:>9}\n", "total");
  for (std::size_t row = 0; row <= classes; ++row) {
    table += fmt::format("{:<{}}", row < classes ? class_names[row] : "total", width);
    for (std::size_t column = 0; column <= columns; ++column) {
      table += fmt::format("{:>9}", counts[row * (columns + 1) + column]);
    }
    table += '\n';
  }
  return table;
}

std::vector<std::string> fold_warnings(const std::vector<std::int64_t>& labels,
                                       const std::vector<std::string>& class_names, int folds) {
  std::vector<std::string> warnings;
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    const auto members = std::count(labels.begin(), labels.end(), static_cast<std::int64_t>(c));
    if (members < folds) {
      warnings.push_back(fmt::format("class {} has {} member{} but there are {} folds",
                                     class_names[c], members, members == 1 ? "" : "s", folds));
    }
  }
  return warnings;
}

}  // namespace hanok::data
