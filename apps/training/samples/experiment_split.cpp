#include "hanok/apps/training/samples/experiment_split.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "hanok/apps/cli/errors.h"
#include "hanok/data/splits.h"

namespace hanok::training {
namespace {

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

/// Throws if there are more folds than images of any class, or than groups.
void check_fold_count(const ExperimentData& data, const std::vector<std::string>& groups) {
  const data::Dataset& dataset = data.dataset;
  const std::size_t units = data.grouped
                                ? std::set<std::string>(groups.begin(), groups.end()).size()
                                : dataset.samples.size();
  if (units < static_cast<std::size_t>(data.folds)) {
    throw ValueError(
        fmt::format("{}: {} folds need at least as many {}, but there are {}; give fewer --folds{}",
                    dataset.root, data.folds, data.grouped ? "groups" : "images", units,
                    data.grouped ? ", or --group none" : ""));
  }
  const std::vector<std::int64_t> counts = dataset.class_counts();
  const std::int64_t largest = *std::max_element(counts.begin(), counts.end());
  if (largest < data.folds) {
    throw ValueError(fmt::format(
        "{}: --folds {}: the largest class has only {} image{}, so that no fold could train and "
        "validate on it; add images, or {}",
        dataset.root, data.folds, largest, largest == 1 ? "" : "s",
        largest < 2 ? "--val-fraction X to hold out images of some classes"
                    : fmt::format("--folds {} at most", largest)));
  }
}

/// Fold 0 is val, what is trained on is numbered 1, as for a hold-out.
data::Folds given_split(const data::Dataset& dataset) {
  data::Folds folds;
  for (const data::Sample& sample : dataset.samples) {
    folds.push_back(sample.split == data::Split::Val ? 0 : 1);
  }
  return folds;
}

/// Why no image of a class is left to train on.
std::string cause(const ExperimentData& data, std::size_t label,
                  const std::vector<std::int64_t>& validation) {
  std::set<std::string> groups;
  std::int64_t images = 0;
  for (const std::int64_t i : validation) {
    const data::Sample& sample = data.dataset.samples[static_cast<std::size_t>(i)];
    if (sample.label != static_cast<std::int64_t>(label)) continue;
    ++images;
    groups.insert(sample.group);
  }
  if (images == 1) return "its only image is validated on";
  if (data.grouped && groups.size() == 1) {
    return fmt::format("its {} images are one group, '{}', which is never divided", images,
                       *groups.begin());
  }
  return fmt::format("all of its {} images are validated on", images);
}

/// Throws if a class would be validated that the network cannot have learned.
void check_training_classes(const ExperimentData& data, int fold) {
  const data::Dataset& dataset = data.dataset;
  std::vector<std::int64_t> left = dataset.class_counts();
  const std::vector<std::int64_t> counts = left;
  const std::vector<std::int64_t> validation = data.validation(fold);
  for (const std::int64_t i : validation) {
    --left[static_cast<std::size_t>(dataset.samples[static_cast<std::size_t>(i)].label)];
  }
  std::vector<std::size_t> missing;
  for (std::size_t c = 0; c < left.size(); ++c) {
    if (counts[c] > 0 && left[c] == 0) missing.push_back(c);
  }
  if (missing.empty()) return;
  throw ValueError(fmt::format(
      "{}: fold {} has no training image of class '{}'{}: {}. Add images of it or leave it out, or "
      "try another split: --folds, --val-fraction{}",
      dataset.root, fold, dataset.class_names[missing[0]],
      missing.size() > 1 ? fmt::format(" and {} more", missing.size() - 1) : "",
      cause(data, missing[0], validation), data.grouped ? ", --group none" : ""));
}

void make_folds(ExperimentData& data, const Options& options,
                const std::vector<std::string>& groups) {
  const std::vector<std::int64_t> labels = labels_of(data.dataset);
  check_fold_count(data, groups);
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

/// What becomes of folders train and val.
void report_given_split(ExperimentData& data, const Options& options) {
  const data::SplitFolders& folders = data.dataset.split_folders;
  if (options.folds.kind != FoldCount::Kind::Given) {
    data.warnings.insert(
        data.warnings.begin(),
        fmt::format("{} and {} are merged, as --folds, --folds-file or --val-fraction makes "
                    "another split; without these, {} alone is validated on",
                    folders.train, folders.val, folders.val));
    return;
  }
  data.notes.push_back(fmt::format("split: as given, {} is trained and {} validated on (fold 0)",
                                   folders.train, folders.val));
  const std::string crossing = data::groups_across_split(data.dataset);
  if (data.grouped && !crossing.empty()) data.warnings.push_back(crossing);
}

}  // namespace

FoldCount resolved_folds(const Options& options, const data::Dataset& dataset) {
  const bool other_split =
      options.val_fraction > 0 || options.repeats > 1 || !options.folds_file.empty();
  switch (options.folds.kind) {
    case FoldCount::Kind::Number:
      break;
    case FoldCount::Kind::Given:
      if (dataset.has_split()) break;
      throw UsageError(
          fmt::format("--folds given: {} has no folders train and val with classes", dataset.root));
    case FoldCount::Kind::Auto:
      return {.kind = dataset.has_split() && !other_split ? FoldCount::Kind::Given
                                                          : FoldCount::Kind::Number,
              .number = options.folds.number};
  }
  return options.folds;
}

int folds_of_repeat(const Options& options, const data::Folds& folds) {
  if (!options.folds_file.empty()) return 1 + *std::max_element(folds.begin(), folds.end());
  const bool single = options.val_fraction > 0 || options.folds.kind == FoldCount::Kind::Given;
  return single ? 1 : static_cast<int>(options.folds.number);
}

void split_data(ExperimentData& data, Options options, const data::Folds& given) {
  options.folds = resolved_folds(options, data.dataset);
  data.grouped = options.group.kind != Grouping::Kind::None && data.dataset.has_groups;
  const std::vector<std::string> groups =
      data.grouped ? groups_of(data.dataset) : std::vector<std::string>();
  if (!options.folds_file.empty()) {
    data::check_folds(options.folds_file, data.dataset, given, data.warnings);
    data.repeats = {given};
  } else if (options.val_fraction > 0) {
    data.repeats = {data::stratified_hold_out(labels_of(data.dataset), groups, options.val_fraction,
                                              options.seed)};
  } else if (options.folds.kind == FoldCount::Kind::Given) {
    data.repeats = {given_split(data.dataset)};
  } else {
    data.folds = static_cast<int>(options.folds.number);
    make_folds(data, options, groups);
  }
  data.folds = folds_of_repeat(options, data.repeats[0]);
  data.fold_count = data.folds * static_cast<int>(data.repeats.size());
  if (data.dataset.has_split()) report_given_split(data, options);
  for (int fold = 0; fold < data.fold_count; ++fold) {
    if (data.validation(fold).empty() || data.training(fold).empty()) {
      throw ValueError(fmt::format(
          "{}: fold {} has {} training and {} validation images; neither may be empty",
          data.dataset.root, fold, data.training(fold).size(), data.validation(fold).size()));
    }
  }
  const std::vector<int> selected = selected_folds(options, data.fold_count);
  // The competition's 18 classes are there whether they have images or not: a fold's table warns.
  if (data.dataset.class_names == data::competition_class_names()) return;
  for (const int fold : selected) check_training_classes(data, fold);
}

}  // namespace hanok::training
