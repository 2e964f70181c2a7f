#include "hanok/apps/run_report/run_record.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/training/samples/recorded_data.h"
#include "hanok/data/csv.h"

namespace hanok::run_report {
namespace {

using training::RecordedData;
using Names = std::vector<std::string>;

/// Class names in summary.json; empty without one. Throws FormatError.
Names classes_of_summary(const std::string& path, const std::string& text) {
  if (text.empty()) return {};
  try {
    return nlohmann::json::parse(text).at("class_names").get<Names>();
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("{}: {}; `finetune --resume` of a finished run writes it anew",
                                  path, training::json_problem(error.id)));
  }
}

/// What a run from before [recorded] was written would have recorded: its data need not be there.
std::optional<RecordedData> recorded_by_summary(const training::RunFolder& folder,
                                                const training::Options& options,
                                                const Names& classes) {
  if (classes.empty()) return {};
  const data::Csv csv = data::read_csv(folder.folds());
  const std::size_t group = csv.column("group");
  RecordedData recorded{.layout = training::name_of(options.layout), .class_names = classes};
  recorded.folds = static_cast<int>(options.folds.number);
  std::set<std::string> groups;
  for (const Names& row : csv.rows) groups.insert(row[group]);
  recorded.grouped =
      options.group.kind != training::Grouping::Kind::None && groups.size() < csv.rows.size();
  return recorded;
}

/// A name as the header of a table is read: without blanks at its ends.
std::string without_outer_blanks(const std::string& name) {
  const std::size_t first = name.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return name.substr(first, name.find_last_not_of(" \t") - first + 1);
}

/// The first of the columns that are called as the classes are, in their order. Throws FormatError.
std::size_t first_class_column(const data::Csv& csv, const Names& classes) {
  const auto found =
      std::search(csv.header.begin(), csv.header.end(), classes.begin(), classes.end(),
                  [](const std::string& column, const std::string& name) {
                    return column == without_outer_blanks(name);
                  });
  if (found != csv.header.end()) return static_cast<std::size_t>(found - csv.header.begin());
  throw FormatError(
      fmt::format("{}: lacks the columns of the run's {} classes", csv.path, classes.size()));
}

float probability_in(const data::Csv& csv, std::size_t row, std::size_t column) {
  const std::string& text = csv.rows[row][column];
  float value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool number = error == std::errc() && end == text.data() + text.size();
  if (number && value >= 0 && value <= 1) return value;
  throw FormatError(fmt::format("{}:{}: \"{}\" is no probability", csv.path, csv.lines[row], text));
}

/// Adds the rows of one fold's predictions.csv.
class PredictionReader {
 public:
  explicit PredictionReader(RunRecord& record) : record_(record) {
    const Names& classes = record.class_names();
    for (std::size_t c = 0; c < classes.size(); ++c) {
      number_of_[classes[c]] = static_cast<std::int64_t>(c);
    }
    for (const data::Sample& sample : record.data.dataset.samples) {
      group_of_[sample.path] = sample.group;
    }
  }

  void read(const std::string& file, int fold) {
    const data::Csv csv = data::read_csv(file);
    const std::size_t path = csv.column("path");
    const std::size_t label = csv.column("label");
    const std::size_t answer = csv.column("prediction");
    const std::size_t first = first_class_column(csv, record_.class_names());
    for (std::size_t row = 0; row < csv.rows.size(); ++row) {
      const Names& fields = csv.rows[row];
      const auto group = group_of_.find(fields[path]);
      if (group == group_of_.end()) {
        throw FormatError(fmt::format("{}:{}: {} is not in the run's folds.csv", file,
                                      csv.lines[row], fields[path]));
      }
      Prediction prediction{.path = fields[path],
                            .group = group->second,
                            .fold = fold,
                            .label = class_number(csv, row, fields[label]),
                            .answer = class_number(csv, row, fields[answer])};
      for (std::size_t c = 0; c < number_of_.size(); ++c) {
        prediction.probabilities.push_back(probability_in(csv, row, first + c));
      }
      record_.predictions.push_back(std::move(prediction));
    }
  }

 private:
  std::int64_t class_number(const data::Csv& csv, std::size_t row, const std::string& name) const {
    const auto found = number_of_.find(name);
    if (found != number_of_.end()) return found->second;
    throw FormatError(
        fmt::format("{}:{}: \"{}\" is no class of the run", csv.path, csv.lines[row], name));
  }

  RunRecord& record_;
  std::map<std::string, std::int64_t> number_of_;
  std::map<std::string, std::string> group_of_;
};

double mean_over_folds(const RunRecord& run, double (*score)(const training::FoldResult&)) {
  if (run.folds.empty()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (const training::FoldResult& fold : run.folds) sum += score(fold);
  return sum / static_cast<double>(run.folds.size());
}

}  // namespace

std::vector<training::EpochMetrics> RunRecord::epochs_of(int fold) const {
  std::vector<training::EpochMetrics> out;
  for (const training::EpochMetrics& epoch : epochs) {
    if (epoch.fold == fold) out.push_back(epoch);
  }
  return out;
}

double RunRecord::macro_f1() const {
  return mean_over_folds(
      *this, [](const training::FoldResult& fold) { return fold.confusion.macro_f1(); });
}

double RunRecord::majority_macro_f1() const {
  return mean_over_folds(*this,
                         [](const training::FoldResult& fold) { return fold.majority_macro_f1; });
}

std::optional<statistics::ScoreIntervals> score_intervals(const RunRecord& run) {
  if (run.predictions.empty()) return {};
  statistics::Predictions predictions;
  predictions.classes = static_cast<std::int64_t>(run.class_names().size());
  for (const Prediction& prediction : run.predictions) {
    predictions.labels.push_back(prediction.label);
    predictions.predicted.push_back(prediction.answer);
    predictions.groups.push_back(prediction.group);
  }
  return statistics::score_intervals(predictions);
}

RunRecord read_run(const std::string& path) {
  const training::RunFolder folder = training::RunFolder::open(path);
  RunRecord run;
  run.path = training::absolute_path(path);
  run.name = std::filesystem::path(run.path).filename().string();
  training::apply_toml_file(run.options, folder.config());
  if (training::exists(folder.summary())) run.summary = training::read_file(folder.summary());

  std::optional<RecordedData> recorded = training::recorded_in_toml(folder.config());
  if (!recorded) {
    recorded =
        recorded_by_summary(folder, run.options, classes_of_summary(folder.summary(), run.summary));
  }
  try {
    training::locate_data(run.options, folder, recorded);
  } catch (const IoError&) {
    // The page has no photographs then, and says so.
  }
  run.data = training::data_of_run(run.options, folder, recorded);
  run.planned = training::selected_folds(run.options, run.data.fold_count);

  run.epochs = training::MetricsLog(folder).lines();
  PredictionReader reader(run);
  for (const int fold : run.planned) {
    const std::string file = folder.fold_result(fold);
    if (!training::exists(file)) continue;
    run.folds.push_back(training::fold_result_from_json(file, training::read_file(file)));
    const auto classes = static_cast<std::size_t>(run.folds.back().confusion.classes());
    if (classes != run.class_names().size()) {
      throw FormatError(fmt::format("{}: has {} classes, but the run has {}", file, classes,
                                    run.class_names().size()));
    }
    reader.read(folder.fold_predictions(fold), fold);
  }
  return run;
}

}  // namespace hanok::run_report
