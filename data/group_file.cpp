// Reads groups from a table, written by inspect, by a run or by the user.
#include <filesystem>
#include <fmt/format.h>
#include <set>

#include "hanok/data/csv.h"
#include "hanok/data/dataset.h"
#include "hanok/data/loader.h"
#include "hanok/data/sample_rows.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// Throws unless the samples that no row names are unreadable: they leave the data set before it is
/// used.
void check_missing(const std::string& csv_path, const Dataset& dataset,
                   const std::vector<bool>& named) {
  std::size_t missing = 0;
  std::string example;
  for (std::size_t i = 0; i < named.size(); ++i) {
    if (named[i]) continue;
    ++missing;
    if (!example.empty()) continue;
    Dataset alone;
    alone.root = dataset.root;
    alone.shards = dataset.shards;
    alone.samples = {dataset.samples[i]};
    if (find_unreadable(alone, 1).empty()) example = dataset.samples[i].path;
  }
  if (example.empty()) return;
  throw FormatError(fmt::format("{}: {} of {} samples have no group, for example '{}'", csv_path,
                                missing, named.size(), example));
}

}  // namespace

void apply_group_file(Dataset& dataset, const std::string& csv_path) {
  const Csv csv = read_csv(csv_path);
  const std::size_t group = csv.column("group");
  const std::vector<std::size_t> samples = samples_of_rows(csv, dataset);
  std::vector<bool> named(dataset.samples.size(), false);
  for (const std::size_t i : samples) named[i] = true;
  check_missing(csv_path, dataset, named);
  for (Sample& sample : dataset.samples) sample.group = sample.path;
  std::set<std::string> groups;
  dataset.has_groups = false;
  for (std::size_t row = 0; row < samples.size(); ++row) {
    const std::string& name = csv.rows[row][group];
    if (name.empty()) continue;
    dataset.samples[samples[row]].group = name;
    if (!groups.insert(name).second) dataset.has_groups = true;
  }
  dataset.grouped_by = std::filesystem::path(csv_path).filename().string();
}

}  // namespace hanok::data
