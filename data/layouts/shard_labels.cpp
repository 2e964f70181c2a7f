#include "hanok/data/layouts/shard_labels.h"

#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "hanok/data/csv.h"
#include "hanok/data/layouts/class_names.h"
#include "hanok/data/layouts/table_columns.h"
#include "hanok/data/shards/shard_content.h"
#include "hanok/data/shards/shard_index.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// Classes by their names, or by number where classes.txt numbers them.
class Classes {
 public:
  Classes(const Dataset& dataset, const std::vector<ShardLabel>& labels)
      : names_(read_shard_classes(dataset.root + "/" + kShardClasses)), numbered_(!names_.empty()) {
    if (!numbered_) {
      std::set<std::string> used;
      for (const ShardLabel& label : labels) used.insert(label.label);
      names_ = ordered_labels(used);
    }
    for (std::size_t i = 0; i < names_.size(); ++i) {
      number_of_[names_[i]] = static_cast<std::int64_t>(i);
    }
  }

  const std::vector<std::string>& names() const { return names_; }

  std::optional<std::int64_t> find(const std::string& label) const {
    const auto found = number_of_.find(label);
    if (found != number_of_.end()) return found->second;
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), number);
    const bool is_number = error == std::errc() && end == label.data() + label.size();
    if (!numbered_ || !is_number || number >= names_.size()) return {};
    return static_cast<std::int64_t>(number);
  }

 private:
  std::vector<std::string> names_;
  bool numbered_;
  std::unordered_map<std::string, std::int64_t> number_of_;
};

constexpr std::size_t kSeveral = static_cast<std::size_t>(-1);

/// Samples by the names that a table may give them.
std::unordered_map<std::string, std::size_t> sample_names(const Dataset& dataset) {
  std::unordered_map<std::string, std::size_t> of_name;
  const auto add = [&of_name](const std::string& name, std::size_t sample) {
    const auto [known, is_new] = of_name.emplace(name, sample);
    if (!is_new && known->second != sample) known->second = kSeveral;
  };
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    const Sample& sample = dataset.samples[i];
    const std::string& shard = dataset.shards[sample.member->shard];
    const std::string member = sample.path.substr(shard.size() + 1);
    add(sample.path, i);
    add(member, i);
    add(shard_key(member), i);
  }
  return of_name;
}

}  // namespace

void label_samples(Dataset& dataset, const std::vector<ShardLabel>& labels) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!labels[i].label.empty()) continue;
    throw FormatError(fmt::format(
        "{}: no label: neither KEY.cls nor \"label\" in KEY.json stands beside it, and there is no "
        "table labels.csv with columns path and label beside the shards",
        dataset.full_path(i)));
  }
  const Classes classes(dataset, labels);
  dataset.class_names = classes.names();
  if (dataset.class_names.size() < 2) {
    throw ValueError(fmt::format("{}: {} class{}, at least two are needed", dataset.root,
                                 dataset.class_names.size(),
                                 dataset.class_names.size() == 1 ? "" : "es"));
  }
  std::set<std::string> groups;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::optional<std::int64_t> label = classes.find(labels[i].label);
    if (!label) {
      throw FormatError(fmt::format("{}: label '{}' is no class of {}", dataset.full_path(i),
                                    labels[i].label, kShardClasses));
    }
    dataset.samples[i].label = *label;
    if (labels[i].group.empty()) continue;
    dataset.samples[i].group = labels[i].group;
    if (!groups.insert(labels[i].group).second) dataset.has_groups = true;
  }
  if (!groups.empty() && dataset.grouped_by.empty()) dataset.grouped_by = "\"group\" in the shards";
}

void label_samples_by_table(Dataset& dataset, std::vector<ShardLabel> labels,
                            const std::string& csv_path, const DatasetOptions& options) {
  const Csv csv = read_csv(csv_path);
  const TableColumns columns = find_columns(csv, options);
  const auto of_name = sample_names(dataset);
  const auto fail = [&csv](std::size_t row, const std::string& what) {
    throw FormatError(fmt::format("{}:{}: {}", csv.path, csv.lines[row], what));
  };
  std::vector<std::int64_t> line_of(dataset.samples.size(), 0);
  std::int64_t missing = 0;
  std::string example;
  for (std::size_t row = 0; row < csv.rows.size(); ++row) {
    const std::string& name = csv.rows[row][columns.path];
    const auto found = of_name.find(name);
    if (found == of_name.end()) {
      if (missing++ == 0) example = fmt::format("'{}' in line {}", name, csv.lines[row]);
      continue;
    }
    if (found->second == kSeveral) {
      fail(row, fmt::format("'{}' stands for several samples; write SHARD/MEMBER", name));
    }
    const std::size_t sample = found->second;
    if (line_of[sample] != 0) {
      fail(row, fmt::format("'{}' occurs twice: also in line {}", name, line_of[sample]));
    }
    line_of[sample] = csv.lines[row];
    if (csv.rows[row][columns.label].empty()) fail(row, "label is empty");
    labels[sample].label = csv.rows[row][columns.label];
    labels[sample].group = columns.group ? csv.rows[row][*columns.group] : std::string();
  }
  if (missing > 0) {
    dataset.warnings.push_back(
        fmt::format("{}: {} of {} rows name no sample in the shards, such as "
                    "{}",
                    csv_path, missing, csv.rows.size(), example));
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (line_of[i] == 0) {
      ++dataset.skipped["sample in a shard that the table does not name"];
      continue;
    }
    if (kept != i) {
      labels[kept] = std::move(labels[i]);
      dataset.samples[kept] = std::move(dataset.samples[i]);
    }
    ++kept;
  }
  labels.resize(kept);
  dataset.samples.resize(kept);
  if (kept == 0) throw FormatError(csv_path + ": names no sample of the shards beside it");
  if (columns.group) dataset.grouped_by = fmt::format("column '{}'", csv.header[*columns.group]);
  dataset.notes.push_back(
      fmt::format("labels from {}, column '{}'", csv_path, csv.header[columns.label]));
  label_samples(dataset, labels);
}

}  // namespace hanok::data
