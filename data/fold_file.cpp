// Reads folds from a table, written by a run or by the user.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <map>

#include "hanok/data/csv.h"
#include "hanok/data/splits.h"
#include "hanok/data/unicode.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// How paths are compared: "./a" is "a", and letters are composed (NFC).
std::string key_of(const std::string& path) {
  return nfc(std::filesystem::path(path).lexically_normal().string());
}

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
  const std::size_t path = csv.column("path");
  const std::size_t fold = csv.column("fold");
  std::map<std::string, std::size_t> sample_of;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    sample_of.emplace(dataset.samples[i].path, i);
  }
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    sample_of.emplace(key_of(dataset.samples[i].path), i);
  }
  if (sample_of.empty()) throw ValueError(csv_path + ": the data set has no samples");
  Folds folds(dataset.samples.size(), -1);
  for (std::size_t row = 0; row < csv.rows.size(); ++row) {
    const std::string& name = csv.rows[row][path];
    auto found = sample_of.find(name);
    if (found == sample_of.end()) found = sample_of.find(key_of(name));
    if (found == sample_of.end()) {
      std::error_code error;
      const bool missing = !std::filesystem::exists(dataset.root + "/" + name, error);
      throw FormatError(fmt::format("{}:{}: '{}' is not in the data set {}{}", csv.path,
                                    csv.lines[row], name, dataset.root,
                                    missing ? ": there is no such file" : ""));
    }
    if (folds[found->second] >= 0) {
      throw FormatError(fmt::format("{}:{}: '{}' occurs twice", csv.path, csv.lines[row], name));
    }
    folds[found->second] = parse_fold(csv, row, csv.rows[row][fold]);
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
