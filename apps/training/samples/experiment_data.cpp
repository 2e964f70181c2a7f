#include "hanok/apps/training/samples/experiment_data.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <map>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/unreadable.h"
#include "hanok/apps/training/samples/corrections.h"
#include "hanok/apps/training/samples/experiment_split.h"
#include "hanok/apps/training/samples/image_loading.h"
#include "hanok/apps/training/samples/recorded_data.h"

namespace hanok::training {
namespace {

constexpr double kBadLimit = 0.05;  // share of unreadable images that is tolerated

std::vector<std::int64_t> labels_of(const data::Dataset& dataset) {
  std::vector<std::int64_t> labels;
  for (const data::Sample& sample : dataset.samples) labels.push_back(sample.label);
  return labels;
}

/// Also from the folds of --folds-file, which are those of the listed samples.
void drop_unreadable(ExperimentData& data, const Options& options, data::Folds& given) {
  data::Dataset& dataset = data.dataset;
  const std::size_t images = dataset.samples.size();
  std::map<std::string, int> fold_of;
  for (std::size_t i = 0; i < given.size(); ++i) fold_of[dataset.samples[i].path] = given[i];
  data.bad = take_out_unreadable(dataset, options.workers, preprocessing(options));
  const double share = static_cast<double>(data.bad.size()) / static_cast<double>(images);
  if (share > kBadLimit && !options.allow_bad) {
    throw ValueError(
        fmt::format("{}: {} of {} images ({:.1f}%) cannot be read, more than {:.0f}%; --allow-bad "
                    "continues without them:{}",
                    dataset.root, data.bad.size(), images, 100 * share, 100 * kBadLimit,
                    list_unreadable(data.bad)));
  }
  given.clear();
  if (fold_of.empty()) return;
  for (const data::Sample& sample : dataset.samples) given.push_back(fold_of.at(sample.path));
}

void check_classes(const data::Dataset& dataset) {
  for (const std::string& name : dataset.class_names) {
    if (is_utf8(name)) continue;
    throw ValueError(fmt::format(
        "{}: the class name '{}' is not UTF-8 text, which files of weights and scores require; {} "
        "turns Latin-1 into UTF-8)",
        dataset.root, name,
        dataset.layout == "csv"      ? "save the table in UTF-8 (iconv -f latin1 -t utf8 TABLE"
        : dataset.layout == "shards" ? "name it in UTF-8 in a table labels.csv (iconv -f latin1 -t "
                                       "utf8 TABLE"
                                     : "rename it (convmv -f latin1 -t utf8 --notest FOLDER"));
  }
  const std::vector<std::int64_t> counts = dataset.class_counts();
  const auto filled =
      std::count_if(counts.begin(), counts.end(), [](std::int64_t count) { return count > 0; });
  if (filled < 2) {
    throw ValueError(fmt::format("{}: {} of {} classes have images; there must be at least two",
                                 dataset.root, filled, counts.size()));
  }
}

/// A class that nobody is trained on can only be answered wrongly, and where it is gone from the
/// corrected labels their score rises for nothing.
void check_classes_remain(const ExperimentData& data, const std::string& csv_path,
                          const std::vector<std::int64_t>& training, int fold) {
  std::vector<std::int64_t> before(data.dataset.class_names.size(), 0), after = before;
  for (const std::int64_t i : training) {
    ++before[static_cast<std::size_t>(data.dataset.samples[static_cast<std::size_t>(i)].label)];
    const std::int64_t label = data.corrected[static_cast<std::size_t>(i)];
    if (label != kDropped) ++after[static_cast<std::size_t>(label)];
  }
  for (std::size_t k = 0; k < before.size(); ++k) {
    if (before[k] == 0 || after[k] > 0) continue;
    throw FormatError(
        fmt::format("{}: leaves fold {} without a photograph of class '{}' to train on", csv_path,
                    fold, data.dataset.class_names[k]));
  }
}

}  // namespace

void correct_labels(ExperimentData& data, const std::string& csv_path) {
  data.corrected = read_corrections(csv_path, data.dataset, data.bad);
  for (int fold = 0; fold < data.fold_count; ++fold) {
    check_classes_remain(data, csv_path, data.training(fold), fold);
  }
  data.notes.push_back(describe_corrections(data.corrected, data.dataset));
}

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

data::DatasetOptions dataset_options(const Options& options) {
  return {.layout = name_of(options.layout),
          .path_column = options.path_column,
          .label_column = options.label_column,
          .allow_damaged_shards = options.allow_bad};
}

ExperimentData prepare_data(const Options& options,
                            const std::function<void(const data::Dataset&)>& before_decoding) {
  const bool table = options.layout == Layout::Auto || options.layout == Layout::Csv ||
                     options.layout == Layout::Shards;
  std::error_code error;
  if (!std::filesystem::is_directory(options.data, error) &&
      !(table && std::filesystem::is_regular_file(options.data, error))) {
    throw UsageError(fmt::format("--data: {}: no such folder", options.data));
  }
  ExperimentData data;
  data.dataset = data::load_dataset(options.data, dataset_options(options));
  check_classes(data.dataset);
  if (options.group.kind == Grouping::Kind::File) {
    data::apply_group_file(data.dataset, options.group.file);
  }
  data::Folds given;
  if (!options.folds_file.empty()) given = folds_from_file(options, data.dataset);
  // What is wrong with split and corrections as such is found before an image is decoded.
  ExperimentData before = data;
  split_data(before, options, given);
  if (!options.corrections.empty()) correct_labels(before, options.corrections);
  if (before_decoding) before_decoding(data.dataset);
  drop_unreadable(data, options, given);
  check_classes(data.dataset);
  split_data(data, options, given);
  if (!options.corrections.empty()) correct_labels(data, options.corrections);
  return data;
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
  if (data.grouped) {
    out += fmt::format("groups: {}; they never cross folds (--group none: every file by itself)\n",
                       data::describe_groups(dataset));
  }
  for (const std::string& line : dataset.notes) out += line + "\n";
  for (const std::string& line : data.notes) out += line + "\n";
  if (data.faces) out += faces::describe(*data.faces) + "\n";
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
