#include "hanok/apps/training/experiment_data.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <set>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/unreadable.h"

namespace hanok::training {
namespace {

constexpr double kBadLimit = 0.05;  // share of unreadable images that is tolerated

std::vector<std::int64_t> labels_of(const data::Dataset& dataset) {
  std::vector<std::int64_t> labels;
  for (const data::Sample& sample : dataset.samples) labels.push_back(sample.label);
  return labels;
}

std::vector<std::string> groups_of(const data::Dataset& dataset) {
  std::vector<std::string> groups;
  for (const data::Sample& sample : dataset.samples) groups.push_back(sample.group);
  return groups;
}

void drop_unreadable(ExperimentData& data, const Options& options) {
  data::Dataset& dataset = data.dataset;
  const std::size_t images = dataset.samples.size();
  data.bad = take_out_unreadable(dataset, options.workers);
  const double share = static_cast<double>(data.bad.size()) / static_cast<double>(images);
  if (share > kBadLimit && !options.allow_bad) {
    throw ValueError(
        fmt::format("{}: {} of {} images ({:.1f}%) cannot be read, more than {:.0f}%; --allow-bad "
                    "continues without them:{}",
                    dataset.root, data.bad.size(), images, 100 * share, 100 * kBadLimit,
                    list_unreadable(data.bad)));
  }
}

void check_classes(const data::Dataset& dataset) {
  for (const std::string& name : dataset.class_names) {
    if (is_utf8(name)) continue;
    throw ValueError(fmt::format(
        "{}: the class name '{}' is not UTF-8 text, which files of weights and scores require; "
        "rename it (convmv -f latin1 -t utf8 --notest FOLDER turns Latin-1 into UTF-8)",
        dataset.root, name));
  }
  const std::vector<std::int64_t> counts = dataset.class_counts();
  const auto filled =
      std::count_if(counts.begin(), counts.end(), [](std::int64_t count) { return count > 0; });
  if (filled < 2) {
    throw ValueError(fmt::format("{}: {} of {} classes have images; there must be at least two",
                                 dataset.root, filled, counts.size()));
  }
}

void split(ExperimentData& data, const Options& options) {
  const std::vector<std::int64_t> labels = labels_of(data.dataset);
  data.grouped = options.group == Grouping::Auto && data.dataset.has_groups;
  const std::vector<std::string> groups =
      data.grouped ? groups_of(data.dataset) : std::vector<std::string>();
  if (!options.folds_file.empty()) {
    data.repeats = {data::read_folds(options.folds_file, data.dataset, data.warnings)};
    data.folds = 1 + *std::max_element(data.repeats[0].begin(), data.repeats[0].end());
  } else if (options.val_fraction > 0) {
    data.folds = 1;
    data.repeats = {data::stratified_hold_out(labels, groups, options.val_fraction, options.seed)};
  } else {
    data.folds = static_cast<int>(options.folds);
    const std::size_t units =
        data.grouped ? std::set<std::string>(groups.begin(), groups.end()).size() : labels.size();
    if (units < static_cast<std::size_t>(data.folds)) {
      throw ValueError(fmt::format("{}: {} folds need at least as many {}, but there are {}",
                                   data.dataset.root, data.folds,
                                   data.grouped ? "groups" : "images", units));
    }
    if (options.repeats > 1) {
      data.repeats = data::repeated_stratified_k_fold(
          labels, groups, data.folds, static_cast<int>(options.repeats), options.seed);
    } else {
      data.repeats = {data.grouped ? data::stratified_group_k_fold(labels, groups, data.folds)
                                   : data::stratified_k_fold(labels, data.folds)};
    }
    for (std::string& line : data::fold_warnings(labels, data.dataset.class_names, data.folds)) {
      data.warnings.push_back(std::move(line));
    }
  }
  data.fold_count = data.folds * static_cast<int>(data.repeats.size());
  for (int fold = 0; fold < data.fold_count; ++fold) {
    if (data.validation(fold).empty() || data.training(fold).empty()) {
      throw ValueError(fmt::format(
          "{}: fold {} has {} training and {} validation images; neither may be empty",
          data.dataset.root, fold, data.training(fold).size(), data.validation(fold).size()));
    }
  }
}

}  // namespace

std::vector<std::int64_t> ExperimentData::members(int fold, bool in_fold) const {
  const data::Folds& numbers = repeats[static_cast<std::size_t>(fold / folds)];
  std::vector<std::int64_t> samples;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if ((numbers[i] == fold % folds) == in_fold) samples.push_back(static_cast<std::int64_t>(i));
  }
  return samples;
}

std::vector<std::int64_t> ExperimentData::validation(int fold) const { return members(fold, true); }

std::vector<std::int64_t> ExperimentData::training(int fold) const { return members(fold, false); }

ExperimentData prepare_data(const Options& options) {
  const bool table = options.layout == Layout::Auto || options.layout == Layout::Csv;
  if (!std::filesystem::is_directory(options.data) &&
      !(table && std::filesystem::is_regular_file(options.data))) {
    throw UsageError(fmt::format("--data: {}: no such folder", options.data));
  }
  ExperimentData data;
  data.dataset = data::load_dataset(options.data, name_of(options.layout));
  drop_unreadable(data, options);
  check_classes(data.dataset);
  split(data, options);
  return data;
}

std::string folds_to_csv(const ExperimentData& data) {
  std::string out = "path,label,group,fold";
  for (std::size_t r = 1; r < data.repeats.size(); ++r) out += fmt::format(",fold_{}", r + 1);
  out += "\n";
  for (std::size_t i = 0; i < data.dataset.samples.size(); ++i) {
    const data::Sample& sample = data.dataset.samples[i];
    out += fmt::format(
        "{},{},{}", data::csv_field(sample.path),
        data::csv_field(data.dataset.class_names[static_cast<std::size_t>(sample.label)]),
        data::csv_field(sample.group));
    for (const data::Folds& folds : data.repeats) out += fmt::format(",{}", folds[i]);
    out += "\n";
  }
  return out;
}

ExperimentData data_from_folds_csv(const Options& options, const std::string& path) {
  ExperimentData data;
  data.dataset = data::load_dataset(options.data, name_of(options.layout));
  const data::Csv csv = data::read_csv(path);
  const std::size_t path_column = csv.column("path");
  const std::size_t label_column = csv.column("label");
  const std::size_t group_column = csv.column("group");
  std::vector<std::size_t> fold_columns = {csv.column("fold")};
  for (std::int64_t r = 2; r <= options.repeats; ++r) {
    fold_columns.push_back(csv.column(fmt::format("fold_{}", r)));
  }
  data.repeats.resize(fold_columns.size());
  std::map<std::string, std::int64_t> label_of;
  for (std::size_t i = 0; i < data.dataset.class_names.size(); ++i) {
    label_of[data.dataset.class_names[i]] = static_cast<std::int64_t>(i);
  }
  data.dataset.samples.clear();
  for (const std::vector<std::string>& row : csv.rows) {
    const auto label = label_of.find(row[label_column]);
    if (label == label_of.end()) {
      throw FormatError(fmt::format("{}: class \"{}\" is no longer in {}", path, row[label_column],
                                    options.data));
    }
    data.dataset.samples.push_back({row[path_column], label->second, row[group_column]});
    for (std::size_t r = 0; r < fold_columns.size(); ++r) {
      data.repeats[r].push_back(std::stoi(row[fold_columns[r]]));
    }
  }
  data.grouped = options.group == Grouping::Auto && data.dataset.has_groups;
  data.folds = options.val_fraction > 0 ? 1 : static_cast<int>(options.folds);
  if (!options.folds_file.empty()) {
    data.folds = 1 + *std::max_element(data.repeats[0].begin(), data.repeats[0].end());
  }
  data.fold_count = data.folds * static_cast<int>(data.repeats.size());
  return data;
}

std::string unreadable_to_csv(const std::vector<data::BadImage>& bad) {
  std::string out = "path,reason\n";
  for (const data::BadImage& image : bad) {
    out += data::csv_field(image.path) + "," + data::csv_field(image.reason) + "\n";
  }
  return out;
}

std::vector<data::BadImage> unreadable_from_csv(const std::string& path) {
  const data::Csv csv = data::read_csv(path);
  const std::size_t path_column = csv.column("path");
  const std::size_t reason_column = csv.column("reason");
  std::vector<data::BadImage> bad;
  for (const std::vector<std::string>& row : csv.rows) {
    bad.push_back({row[path_column], row[reason_column]});
  }
  return bad;
}

std::string describe(const ExperimentData& data) {
  const data::Dataset& dataset = data.dataset;
  std::string out = fmt::format("{}: {} layout, {} images, {} classes, {}\n", dataset.root,
                                dataset.layout, dataset.samples.size(), dataset.class_names.size(),
                                data.grouped ? "groups kept together" : "every file by itself");
  for (const auto& [reason, count] : dataset.skipped) {
    out += fmt::format("skipped: {} x {}\n", count, reason);
  }
  if (!data.bad.empty()) {
    out += fmt::format("skipped: {} unreadable image{}:{}\n", data.bad.size(),
                       data.bad.size() == 1 ? "" : "s", list_unreadable(data.bad));
  }
  for (const std::string& line : dataset.warnings) out += "warning: " + line + "\n";
  for (const std::string& line : data.warnings) out += "warning: " + line + "\n";
  for (std::size_t r = 0; r < data.repeats.size(); ++r) {
    if (data.repeats.size() > 1) out += fmt::format("repeat {}\n", r + 1);
    // A hold-out has two columns: what is validated on, and the rest.
    out += data::fold_table(data.repeats[r], std::max(2, data.folds), labels_of(dataset),
                            dataset.class_names);
  }
  return out;
}

std::vector<float> class_weights(ClassWeights kind, const data::Dataset& dataset,
                                 const std::vector<std::int64_t>& samples) {
  const std::size_t classes = dataset.class_names.size();
  std::vector<float> weights(classes, 1.0F);
  if (kind == ClassWeights::None) return weights;
  std::vector<std::int64_t> counts(classes, 0);
  for (const std::int64_t i : samples) {
    ++counts[static_cast<std::size_t>(dataset.samples[static_cast<std::size_t>(i)].label)];
  }
  for (std::size_t c = 0; c < classes; ++c) {
    weights[c] =
        counts[c] == 0
            ? 0.0F
            : static_cast<float>(static_cast<double>(samples.size()) /
                                 (static_cast<double>(classes) * static_cast<double>(counts[c])));
  }
  return weights;
}

}  // namespace hanok::training
