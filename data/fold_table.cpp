// Reports about folds: a table of counts, and warnings.
#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "hanok/data/splits.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

constexpr std::size_t kMostClassesShown = 30, kShownOfMany = 20;
constexpr std::size_t kMostFoldsShown = 10;
constexpr std::size_t kMostWarnings = 10;

/// All classes in order, or where there are many the smallest of them, smallest first.
template <typename Members>
std::vector<std::size_t> shown_rows(std::size_t classes, const Members& members) {
  std::vector<std::size_t> rows(classes);
  std::iota(rows.begin(), rows.end(), 0);
  if (classes <= kMostClassesShown) return rows;
  std::stable_sort(rows.begin(), rows.end(),
                   [&members](std::size_t a, std::size_t b) { return members(a) < members(b); });
  rows.resize(kShownOfMany);
  return rows;
}

}  // namespace

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
  const auto count = [&](std::size_t row, std::size_t column) {
    return counts[row * (columns + 1) + column];
  };
  const std::vector<std::size_t> shown =
      shown_rows(classes, [&](std::size_t row) { return count(row, columns); });
  const bool every_fold = columns <= kMostFoldsShown;
  std::size_t width = 5;
  for (const std::size_t row : shown) width = std::max(width, class_names[row].size());
  std::string table = fmt::format("{:<{}}", "class", width);
  for (std::size_t fold = 0; every_fold && fold < columns; ++fold) {
    table += fmt::format("{:>9}", fmt::format("fold {}", fold));
  }
  if (!every_fold) table += fmt::format("  least and most of {} folds", columns);
  table += fmt::format("{:>9}\n", "total");
  const auto add_row = [&](const std::string& name, std::size_t row) {
    table += fmt::format("{:<{}}", name, width);
    for (std::size_t column = 0; every_fold && column < columns; ++column) {
      table += fmt::format("{:>9}", count(row, column));
    }
    if (!every_fold) {
      const auto first = counts.begin() + static_cast<std::ptrdiff_t>(row * (columns + 1));
      const auto [least, most] =
          std::minmax_element(first, first + static_cast<std::ptrdiff_t>(columns));
      table += fmt::format("{:>{}}", fmt::format("{} to {}", *least, *most),
                           fmt::formatted_size("  least and most of {} folds", columns));
    }
    table += fmt::format("{:>9}\n", count(row, columns));
  };
  for (const std::size_t row : shown) add_row(class_names[row], row);
  if (shown.size() < classes) {
    table += fmt::format("... and {} classes with as many or more\n", classes - shown.size());
  }
  add_row("total", classes);
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
  if (warnings.size() <= kMostWarnings) return warnings;
  const std::size_t left = warnings.size() - kMostWarnings;
  warnings.resize(kMostWarnings);
  warnings.push_back(fmt::format("{} more classes have fewer members than there are folds", left));
  return warnings;
}

}  // namespace hanok::data
