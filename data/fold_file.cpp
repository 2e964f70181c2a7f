// Reads folds from a table, written by a run or by the user.
#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>

#include "hanok/data/csv.h"
#include "hanok/data/sample_rows.h"
#include "hanok/data/splits.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

int parse_fold(const Csv& csv, std::size_t row, const std::string& text) {
  constexpr int kMaxFolds = 10000;
  int fold = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fold);
  if (error != std::errc() || end != text.data() + text.size() || fold < 0 || fold >= kMaxFolds) {
    throw FormatError(
        fmt::format("{}:{}: fold is '{}', expected 0, 1, ...", csv.path, csv.lines[row], text));
  }
  return fold;
}

void check_numbers(const std::string& csv_path, const Folds& folds) {
  const int highest = *std::max_element(folds.begin(), folds.end());
  if (highest < 1) throw FormatError(csv_path + ": all samples are in fold 0");
  for (int fold = 0; fold < highest; ++fold) {
    if (std::find(folds.begin(), folds.end(), fold) == folds.end()) {
      throw FormatError(fmt::format("{}: fold {} has no samples, but the highest fold is {}",
                                    csv_path, fold, highest));
    }
  }
}

}  // namespace

Folds read_known_folds(const std::string& csv_path, const Dataset& dataset) {
  const Csv csv = read_csv(csv_path);
  const std::size_t fold = csv.column("fold");
  const std::vector<std::size_t> samples = samples_of_rows(csv, dataset);
  Folds folds(dataset.samples.size(), -1);
  for (std::size_t row = 0; row < samples.size(); ++row) {
    folds[samples[row]] = parse_fold(csv, row, csv.rows[row][fold]);
  }
  return folds;
}

void check_folds(const std::string& csv_path, const Dataset& dataset, const Folds& folds,
                 std::vector<std::string>& warnings) {
  const auto missing = std::find(folds.begin(), folds.end(), -1);
  if (missing != folds.end()) {
    throw FormatError(
        fmt::format("{}: {} of {} samples have no fold, for example '{}'", csv_path,
                    std::count(folds.begin(), folds.end(), -1), folds.size(),
                    dataset.samples[static_cast<std::size_t>(missing - folds.begin())].path));
  }
  check_numbers(csv_path, folds);

  std::map<std::string, int> fold_of_group;
  std::map<std::string, bool> cut;
  for (std::size_t i = 0; i < folds.size(); ++i) {
    const std::string& group = dataset.samples[i].group;
    if (fold_of_group.emplace(group, folds[i]).first->second != folds[i]) cut[group] = true;
  }
  if (!cut.empty()) {
    warnings.push_back(fmt::format("{}: {} group{} several folds, for example '{}'", csv_path,
                                   cut.size(), cut.size() == 1 ? " spans" : "s span",
                                   cut.begin()->first));
  }
}

Folds read_folds(const std::string& csv_path, const Dataset& dataset,
                 std::vector<std::string>& warnings) {
  Folds folds = read_known_folds(csv_path, dataset);
  check_folds(csv_path, dataset, folds, warnings);
  return folds;
}

}  // namespace hanok::data
