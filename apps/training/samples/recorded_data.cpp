#include "hanok/apps/training/samples/recorded_data.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string_view>
#include <toml++/toml.h>
#include <unordered_map>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/words.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/training/samples/experiment_split.h"
#include "hanok/data/image_files.h"
#include "hanok/data/shards.h"
#include "hanok/engine/runtime.h"
#include "hanok/weights/weights.h"

namespace hanok::training {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr int kMostFolds = 10'000;  // that a file may record: there is a result for each

/// A whole number in row `row`. Throws FormatError naming file and line.
std::int64_t number_in(const data::Csv& csv, std::size_t row, std::size_t column) {
  const std::string& text = csv.rows[row][column];
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0) return number;
  throw FormatError(fmt::format("{}:{}: {} is '{}', expected 0, 1, ...", csv.path, csv.lines[row],
                                csv.header[column], text));
}

/// ",OFFSET,CRC32" of a sample in a shard.
std::string place_columns(const data::Sample& sample) {
  if (!sample.member) return ",,";
  const std::optional<std::uint32_t>& crc32 = sample.member->crc32;
  return fmt::format(",{},{}", sample.member->offset, crc32 ? std::to_string(*crc32) : "");
}

/// Reads what place_columns() wrote. The columns are missing where the data are in no shards.
class PlaceReader {
 public:
  explicit PlaceReader(const data::Csv& csv) : csv_(csv) {
    const auto found = std::find(csv.header.begin(), csv.header.end(), "offset");
    if (found == csv.header.end()) return;
    offset_ = static_cast<std::size_t>(found - csv.header.begin());
    bytes_ = csv.column("bytes");
    crc32_ = csv.column("crc32");
  }

  /// Where the sample of a row lies; its shard is added to the data set's.
  std::optional<data::ShardMember> read(std::size_t row, const std::string& path,
                                        data::Dataset& dataset) {
    if (!offset_ || csv_.rows[row][*offset_].empty()) return {};
    constexpr std::string_view kEnding = ".tar/";
    const std::size_t end = path.find(kEnding);
    constexpr std::int64_t kFarthest = std::numeric_limits<std::int64_t>::max() / 4;
    data::ShardMember member{.offset = number_in(csv_, row, *offset_),
                             .bytes = number_in(csv_, row, bytes_)};
    if (end == std::string::npos || member.offset > kFarthest || member.bytes > kFarthest) {
      throw FormatError(fmt::format("{}:{}: '{}' is in no shard, or at no place in it", csv_.path,
                                    csv_.lines[row], path));
    }
    const std::string shard = path.substr(0, end + kEnding.size() - 1);
    const auto [known, is_new] = shards_.try_emplace(shard, dataset.shards.size());
    if (is_new) dataset.shards.push_back(shard);
    member.shard = known->second;
    if (!csv_.rows[row][crc32_].empty()) {
      member.crc32 = static_cast<std::uint32_t>(number_in(csv_, row, crc32_));
    }
    return member;
  }

 private:
  const data::Csv& csv_;
  std::optional<std::size_t> offset_;
  std::size_t bytes_ = 0, crc32_ = 0;
  std::map<std::string, std::size_t> shards_;
};

/// A line for each of the first ten names; every line starts with a newline.
std::string listed(const Names& names) {
  constexpr std::size_t kListed = 10;
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kListed); ++i) out += "\n  " + names[i];
  if (names.size() > kListed) out += fmt::format("\n  ... and {} more", names.size() - kListed);
  return out;
}

/// The folder to which paths are relative: --data may be a table in it.
std::string root_of(const std::string& data) {
  std::error_code error;
  if (!fs::is_regular_file(data, error)) return data;
  const std::string folder = fs::path(data).parent_path().string();
  return folder.empty() ? "." : folder;
}

/// The classes of a run that has recorded none: those of the data's folder that the run's table
/// names, in its order. The competition's are always the same.
Names classes_of_folder(const data::Dataset& listing, const Names& labels) {
  if (listing.layout == "competition") return listing.class_names;
  const std::set<std::string> used(labels.begin(), labels.end());
  Names names;
  for (const std::string& name : listing.class_names) {
    if (used.count(name) != 0) names.push_back(name);
  }
  return names;
}

/// Class names in a checkpoint of the run; empty if it has none.
Names classes_of_checkpoint(const RunFolder& folder) {
  for (const std::string& name : folder.own_files()) {
    const std::optional<int> fold = fold_number(name);
    if (!fold || !exists(folder.best(*fold))) continue;
    const std::string path = folder.best(*fold);
    return card_from_metadata(path, weights::load(path).metadata).class_names;
  }
  return {};
}

constexpr const char* kWhyUnchanged =
    "\na resumed run ends with the weights of an unbroken one, so it needs the images with which "
    "it was started";

[[noreturn]] void refuse_changed(const ExperimentData& data, const Names& changed,
                                 const char* what) {
  throw ValueError(
      fmt::format("{}: {} of the run's {} images {} changed ({}):{}{}: put those back, or "
                  "start a new run",
                  data.dataset.root, changed.size(), data.dataset.samples.size(),
                  changed.size() == 1 ? "has" : "have", what, listed(changed), kWhyUnchanged));
}

/// What has happened to the images since the run recorded them.
void check_images(const ExperimentData& data, const data::Csv& csv) {
  const auto bytes = std::find(csv.header.begin(), csv.header.end(), "bytes");
  const auto bytes_column = static_cast<std::size_t>(bytes - csv.header.begin());
  Names missing, changed;
  for (std::size_t i = 0; i < data.dataset.samples.size(); ++i) {
    const std::optional<std::int64_t> size = data::sample_bytes(data.dataset, i);
    const std::string& path = data.dataset.samples[i].path;
    if (!size) {
      missing.push_back(path);
    } else if (bytes != csv.header.end() && !csv.rows[i][bytes_column].empty() &&
               number_in(csv, i, bytes_column) != *size) {
      changed.push_back(path);
    }
  }
  if (!missing.empty()) {
    throw IoError(fmt::format(
        "{}: {} of the run's {} images {} missing:{}{}: put them back; if the data were moved, add "
        "--data FOLDER",
        data.dataset.root, missing.size(), data.dataset.samples.size(),
        missing.size() == 1 ? "is" : "are", listed(missing), kWhyUnchanged));
  }
  if (!changed.empty()) refuse_changed(data, changed, "another size in bytes");
  if (!data.faces) return;
  changed = faces::changed_files(*data.faces, data.dataset, num_threads());
  if (!changed.empty()) refuse_changed(data, changed, "other content than was searched for faces");
}

/// Images that lie elsewhere in their shards than the run has recorded: the shards were written
/// anew.
void check_places(const ExperimentData& data, const data::Dataset& listing) {
  if (data.dataset.shards.empty()) return;
  std::unordered_map<std::string, const data::ShardMember*> place_of;
  for (const data::Sample& sample : listing.samples) {
    if (sample.member) place_of[sample.path] = &*sample.member;
  }
  Names changed;
  for (const data::Sample& sample : data.dataset.samples) {
    const auto found = place_of.find(sample.path);
    if (!sample.member || found == place_of.end()) continue;
    const data::ShardMember& now = *found->second;
    const bool other_content =
        now.crc32 && sample.member->crc32 && *now.crc32 != *sample.member->crc32;
    if (now.offset != sample.member->offset || now.bytes != sample.member->bytes || other_content) {
      changed.push_back(sample.path);
    }
  }
  if (!changed.empty()) refuse_changed(data, changed, "another place or content in a shard");
}

/// Files and classes in the listing that the run did not start with, and labels that have changed.
void report_changes(const ExperimentData& data, const data::Dataset& listing, Reporter& reporter) {
  const data::Dataset& own = data.dataset;
  std::map<std::string, std::string> class_of;
  for (const data::Sample& sample : own.samples) {
    class_of[sample.path] = own.class_names[static_cast<std::size_t>(sample.label)];
  }
  std::set<std::string> known_bad;
  for (const data::BadImage& image : data.bad) known_bad.insert(image.path);
  Names added, relabelled, classes;
  std::map<std::string, std::size_t> images_of_class;  // of new classes
  for (const data::Sample& sample : listing.samples) {
    const auto found = class_of.find(sample.path);
    const std::string& label = listing.class_names[static_cast<std::size_t>(sample.label)];
    if (std::find(own.class_names.begin(), own.class_names.end(), label) == own.class_names.end()) {
      ++images_of_class[label];
    }
    if (found == class_of.end()) {
      const bool named_by_class = images_of_class.count(label) != 0;
      if (!named_by_class && known_bad.count(sample.path) == 0) added.push_back(sample.path);
    } else if (found->second != label) {
      relabelled.push_back(fmt::format("{}: {}, now {}", sample.path, found->second, label));
    }
  }
  for (const auto& [name, images] : images_of_class) {
    classes.push_back(fmt::format("{} ({})", name, counted(images, "image", "images")));
  }
  const char* goes_on = "the run goes on without";
  if (!classes.empty()) {
    reporter.warn(fmt::format("{} new since the run was started; {} {}:{}",
                              counted(classes.size(), "class is", "classes are"), goes_on,
                              classes.size() == 1 ? "it" : "them", listed(classes)));
  }
  if (!added.empty()) {
    reporter.warn(fmt::format("{} new since the run was started; {} {}:{}",
                              counted(added.size(), "image is", "images are"), goes_on,
                              added.size() == 1 ? "it" : "them", listed(added)));
  }
  if (!relabelled.empty()) {
    reporter.warn(
        fmt::format("{} another label since the run was started; the run goes on with its own:{}",
                    counted(relabelled.size(), "image has", "images have"), listed(relabelled)));
  }
}

}  // namespace

std::string folds_to_csv(const ExperimentData& data) {
  std::string out = "path,label,group,fold";
  for (std::size_t r = 1; r < data.repeats.size(); ++r) out += fmt::format(",fold_{}", r + 1);
  const bool in_shards = !data.dataset.shards.empty();
  out += in_shards ? ",bytes,offset,crc32\n" : ",bytes\n";
  for (std::size_t i = 0; i < data.dataset.samples.size(); ++i) {
    const data::Sample& sample = data.dataset.samples[i];
    out += fmt::format(
        "{},{},{}", data::csv_field(sample.path),
        data::csv_field(data.dataset.class_names[static_cast<std::size_t>(sample.label)]),
        data::csv_field(sample.group));
    for (const data::Folds& folds : data.repeats) out += fmt::format(",{}", folds[i]);
    const std::optional<std::int64_t> bytes = data::sample_bytes(data.dataset, i);
    out += bytes ? fmt::format(",{}", *bytes) : ",";
    if (in_shards) out += place_columns(sample);
    out += "\n";
  }
  return out;
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

RecordedData recorded(const ExperimentData& data) {
  return {.layout = data.dataset.layout,
          .class_names = data.dataset.class_names,
          .folds = data.folds,
          .grouped = data.grouped};
}

std::string to_toml(const RecordedData& recorded) {
  toml::array classes;
  for (const std::string& name : recorded.class_names) classes.push_back(name);
  toml::table table{{"layout", recorded.layout},
                    {"classes", std::move(classes)},
                    {"folds", recorded.folds},
                    {"grouped", recorded.grouped}};
  if (!recorded.data_in_run.empty()) table.insert("data_in_run", recorded.data_in_run);
  if (recorded.tensor_budget > 0) table.insert("tensor_budget", recorded.tensor_budget);
  std::ostringstream out;
  out << "\n# ---- What the run found in the data: --resume goes by it, --config ignores it ----\n"
      << toml::table{{"recorded", std::move(table)}} << "\n";
  return out.str();
}

std::optional<RecordedData> recorded_in_toml(const std::string& config_path) {
  const auto damaged = [&config_path](const std::string& what) {
    return FormatError(fmt::format("{}: [recorded]: {}", config_path, what));
  };
  try {
    const toml::table config = toml::parse(read_file(config_path), config_path);
    const toml::table* table = config["recorded"].as_table();
    if (table == nullptr) return {};
    RecordedData recorded;
    recorded.layout = table->at_path("layout").value_or(std::string());
    recorded.folds = table->at_path("folds").value_or(0);
    recorded.grouped = table->at_path("grouped").value_or(false);
    recorded.data_in_run = table->at_path("data_in_run").value_or(std::string());
    recorded.tensor_budget = table->at_path("tensor_budget").value_or(std::int64_t{0});
    if (const toml::array* classes = table->at_path("classes").as_array()) {
      for (const toml::node& name : *classes) {
        recorded.class_names.push_back(name.value_or(std::string()));
      }
    }
    if (recorded.layout.empty()) throw damaged("layout is missing");
    if (recorded.folds < 1) throw damaged("folds is missing");
    if (recorded.folds > kMostFolds) {
      throw damaged(fmt::format("{} folds, at most {} are read", recorded.folds, kMostFolds));
    }
    if (!recorded.data_in_run.empty()) {
      const std::string folder = fs::path(config_path).parent_path().string();
      const std::string wrong = data::path_problem(folder, recorded.data_in_run);
      if (!wrong.empty()) throw damaged("data_in_run: " + wrong);
    }
    if (recorded.class_names.size() < 2) throw damaged("classes are missing");
    return recorded;
  } catch (const toml::parse_error& error) {
    throw damaged(std::string(error.description()));
  }
}

ExperimentData data_from_folds_csv(const Options& options, const std::string& path,
                                   const std::optional<RecordedData>& recorded) {
  const data::Csv csv = data::read_csv(path);
  const std::size_t path_column = csv.column("path");
  const std::size_t label_column = csv.column("label");
  const std::size_t group_column = csv.column("group");
  std::vector<std::size_t> fold_columns = {csv.column("fold")};
  for (std::int64_t r = 2; r <= options.repeats; ++r) {
    fold_columns.push_back(csv.column(fmt::format("fold_{}", r)));
  }
  if (csv.rows.empty()) throw FormatError(path + ": has a header but no rows");
  ExperimentData data;
  if (recorded) {
    data.dataset.root = root_of(options.data);
    data.dataset.layout = recorded->layout;
    data.dataset.class_names = recorded->class_names;
    data.grouped = data.dataset.has_groups = recorded->grouped;
    data.folds = recorded->folds;
  } else {
    if (options.data.empty()) throw FormatError(path + ": the run's config.toml names no data");
    data.dataset = data::load_dataset(options.data, dataset_options(options));
    Names labels;
    for (const std::vector<std::string>& row : csv.rows) labels.push_back(row[label_column]);
    data.dataset.class_names = classes_of_folder(data.dataset, labels);
    data.dataset.samples.clear();
    data.grouped = options.group.kind != Grouping::Kind::None && data.dataset.has_groups;
  }
  std::map<std::string, std::int64_t> label_of;
  for (std::size_t i = 0; i < data.dataset.class_names.size(); ++i) {
    label_of[data.dataset.class_names[i]] = static_cast<std::int64_t>(i);
  }
  data.repeats.resize(fold_columns.size());
  data.dataset.shards.clear();
  PlaceReader places(csv);
  int highest = 0;
  for (std::size_t i = 0; i < csv.rows.size(); ++i) {
    const std::vector<std::string>& row = csv.rows[i];
    const auto label = label_of.find(row[label_column]);
    if (label == label_of.end()) {
      throw FormatError(fmt::format("{}:{}: class \"{}\" is no longer in {}", path, csv.lines[i],
                                    row[label_column], options.data));
    }
    const std::string wrong = data::path_problem(data.dataset.root, row[path_column]);
    if (!wrong.empty()) throw FormatError(fmt::format("{}:{}: {}", path, csv.lines[i], wrong));
    data.dataset.samples.push_back({.path = row[path_column],
                                    .label = label->second,
                                    .group = row[group_column],
                                    .member = places.read(i, row[path_column], data.dataset)});
    for (std::size_t r = 0; r < fold_columns.size(); ++r) {
      const std::int64_t fold = number_in(csv, i, fold_columns[r]);
      if (fold >= kMostFolds) {
        throw FormatError(fmt::format("{}:{}: fold {}, at most {} are read", path, csv.lines[i],
                                      fold, kMostFolds));
      }
      data.repeats[r].push_back(static_cast<int>(fold));
      highest = std::max(highest, data.repeats[r].back());
    }
  }
  if (!recorded) data.folds = folds_of_repeat(options, data.repeats[0]);
  if (highest > std::max(1, data.folds - 1)) {
    throw FormatError(
        fmt::format("{}: has a fold {}, but the run has {} folds", path, highest, data.folds));
  }
  data.fold_count = data.folds * static_cast<int>(data.repeats.size());
  return data;
}

void locate_data(Options& options, const RunFolder& folder,
                 const std::optional<RecordedData>& recorded) {
  std::error_code error;
  if (fs::exists(options.data, error)) return;
  const std::string inside = recorded ? recorded->data_in_run : "";
  const std::string moved = absolute_path(folder.path() + "/" + inside);
  if (!inside.empty() && fs::exists(moved, error)) {
    options.data = moved;
    return;
  }
  throw IoError(fmt::format(
      "{}: the run's data are not there; if they were moved: finetune --resume {} --data FOLDER",
      options.data, folder.path()));
}

ExperimentData data_of_run(const Options& options, const RunFolder& folder,
                           const std::optional<RecordedData>& recorded) {
  std::optional<RecordedData> known = recorded;
  if (!known) {  // a run from before [recorded] was written
    if (const Names classes = classes_of_checkpoint(folder); !classes.empty()) {
      known = training::recorded(data_from_folds_csv(options, folder.folds()));
      known->class_names = classes;
    }
  }
  ExperimentData data = data_from_folds_csv(options, folder.folds(), known);
  if (exists(folder.unreadable())) data.bad = unreadable_from_csv(folder.unreadable());
  if (exists(folder.corrections())) correct_labels(data, folder.corrections());
  if (options.crop == Crop::Face) {
    data.faces = faces::faces_from_csv(folder.faces(), data.dataset);
    faces::crop_to_faces(data.dataset, *data.faces, options.face_margin);
  }
  return data;
}

void compare_with_files(ExperimentData& data, const Options& options, const RunFolder& folder,
                        Reporter& reporter) {
  check_images(data, data::read_csv(folder.folds()));
  std::optional<data::Dataset> listing;
  try {
    data::DatasetOptions reading = dataset_options(options);
    reading.layout = data.dataset.layout;
    listing = data::load_dataset(options.data, reading);
  } catch (const Error& problem) {
    reporter.warn(fmt::format(
        "a new run could not be started on these data ({}); this one goes on with the images and "
        "classes that it has recorded",
        problem.what()));
    return;
  }
  check_places(data, *listing);
  report_changes(data, *listing, reporter);
  data.dataset.skipped = listing->skipped;
  data.dataset.warnings = listing->warnings;
}

data::Folds folds_from_file(const Options& options, const data::Dataset& dataset) {
  data::Folds folds = data::read_known_folds(options.folds_file, dataset);
  for (std::size_t i = 0; i < folds.size(); ++i) {
    if (folds[i] >= 0) continue;
    data::Dataset alone;
    alone.root = dataset.root;
    alone.shards = dataset.shards;
    alone.samples = {dataset.samples[i]};
    if (data::find_unreadable(alone, 1).empty()) {
      data::check_folds(options.folds_file, dataset, folds, alone.warnings);  // throws
    }
    folds[i] = 0;
  }
  return folds;
}

}  // namespace hanok::training
