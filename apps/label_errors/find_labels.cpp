#include "hanok/apps/label_errors/find_labels.h"

#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <optional>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/label_errors/labels_page.h"
#include "hanok/apps/label_errors/neighbourhoods.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/pages/html.h"
#include "hanok/apps/pages/text.h"
#include "hanok/apps/prediction/output_file.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/run_lock.h"
#include "hanok/apps/training/samples/corrections.h"
#include "hanok/data/shards.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"

namespace hanok::label_errors {
namespace {

constexpr int kThumbnailSide = 150;

/// The runs' records; the photographs of the first are where `options` says.
std::vector<run_report::RunRecord> read_runs(const LabelsOptions& options) {
  std::vector<run_report::RunRecord> runs;
  for (const std::string& path : options.runs) runs.push_back(run_report::read_run(path));
  if (options.data.empty()) return runs;
  std::error_code error;
  const bool table = std::filesystem::is_regular_file(options.data, error);
  runs.front().data.dataset.root =
      table ? std::filesystem::path(training::absolute_path(options.data)).parent_path().string()
            : options.data;
  return runs;
}

/// Networks need the photographs; a page shows what is there.
void check_photographs(const data::Dataset& dataset) {
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    if (data::sample_bytes(dataset, i)) continue;
    throw IoError(
        fmt::format("{}: not there; if the photographs were moved, add --data FOLDER (--neighbours "
                    "0 needs none)",
                    dataset.full_path(i)));
  }
}

/// The decisions of `file`, about a run's images.
MadeDecisions decisions_from(const std::string& file, const training::ExperimentData& data) {
  using training::Decision;
  const data::Dataset& dataset = data.dataset;
  const auto name = [&](std::int64_t label) {
    return dataset.class_names[static_cast<std::size_t>(label)];
  };
  MadeDecisions made{.file = file};
  for (const Decision& decision : training::read_decisions(file, dataset, data.bad)) {
    const data::Sample& sample = dataset.samples[decision.sample];
    MadeDecision& known = made.of_path[sample.path];
    known.label = name(sample.label);
    switch (decision.action) {
      case Decision::Action::Keep:
        known.action = "keep";
        break;
      case Decision::Action::Drop:
        known.action = "drop";
        break;
      case Decision::Action::Relabel:
        known.action = "relabel";
        known.new_label = name(decision.new_label);
        break;
    }
  }
  return made;
}

/// What was decided before: in --corrections, or in the first run that was trained by corrections.
MadeDecisions made_decisions(const LabelsOptions& options,
                             const std::vector<run_report::RunRecord>& runs) {
  if (!options.corrections.empty()) return decisions_from(options.corrections, runs.front().data);
  for (const run_report::RunRecord& run : runs) {
    const std::string file = training::RunFolder::open(run.path).corrections();
    if (training::exists(file)) return decisions_from(file, run.data);
  }
  return {};
}

/// True for the page and the table that find_labels_of_run() left in the run: to be written anew.
bool is_of_find_labels(const std::string& run, const std::string& file) {
  const training::RunFolder folder = training::RunFolder::open(run);
  const std::filesystem::path name = std::filesystem::path(file).lexically_normal();
  return name == std::filesystem::path(folder.labels_page()).lexically_normal() ||
         name == std::filesystem::path(folder.suspects()).lexically_normal();
}

/// Throws UsageError or IoError if a file cannot be written, or would replace a run's or the
/// data's.
void check_outputs(const LabelsOptions& options, const data::Dataset& dataset) {
  if (!options.report.empty() && !options.report.ends_with(".html")) {
    throw training::UsageError(
        fmt::format("--report: {}: the name must end in .html", options.report));
  }
  if (!options.out.empty() && !options.out.ends_with(".csv")) {
    throw training::UsageError(fmt::format("--out: {}: the name must end in .csv", options.out));
  }
  std::vector<std::string> inputs = {options.data, options.corrections};
  for (const std::string& run : options.runs) {
    for (const std::string& file : training::files_of_run(run)) {
      if (!is_of_find_labels(run, file)) inputs.push_back(file);
    }
  }
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) inputs.push_back(dataset.file_of(i));
  for (const char* table : {"/labels.csv", "/train.csv", "/train/train.csv"}) {
    inputs.push_back(dataset.root + table);
  }
  const std::pair<const char*, std::string> outputs[] = {{"--report", options.report},
                                                         {"--out", options.out}};
  for (const auto& [option, path] : outputs) {
    if (path.empty()) continue;
    training::refuse_to_overwrite(path, inputs, option);
    training::check_can_be_written(path);
  }
}

/// Ranks the runs' images, prints the first and writes the page and table that the options name;
/// false if interrupted.
bool write_findings(const LabelsOptions& options, const std::vector<run_report::RunRecord>& runs,
                    const RunPredictions& predictions, Reporter& reporter) {
  const MadeDecisions made = made_decisions(options, runs);
  const ConfidentJoint joint = confident_joint(predictions.mean);

  const data::Dataset& dataset = runs.front().data.dataset;
  Neighbourhood neighbours;
  if (options.neighbours > 0) {
    check_photographs(dataset);
    if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
    check_precision(options.precision, training::choose_device(options.device));
    const PrecisionScope precision(options.precision);
    std::optional<Neighbourhood> found =
        find_neighbours(options, predictions, runs.front(), reporter);
    if (!found) return false;
    neighbours = *std::move(found);
  }
  const std::vector<Suspect> suspects =
      rank_suspects(predictions, joint, neighbours, options.ranking);

  std::map<std::string, pages::Picture> pictures;  // a neighbour of many suspects is read once
  const auto thumbnail = [&](const std::string& path) -> pages::Picture {
    if (options.report.empty()) return {};
    const auto [known, is_new] = pictures.try_emplace(path);
    if (!is_new) return known->second;
    try {
      const data::Image image = data::decode_image_file(dataset.root + "/" + path);
      known->second = pages::thumbnail(image, kThumbnailSide);
    } catch (const Error&) {
      // The card says that there is no picture.
    }
    return known->second;
  };
  const pages::Page page = labels_page({.runs = options.runs,
                                        .predictions = predictions,
                                        .joint = joint,
                                        .suspects = suspects,
                                        .shown = static_cast<std::size_t>(options.shown),
                                        .made = made},
                                       thumbnail);
  reporter.print(pages::to_text(page));
  if (!options.out.empty()) {
    training::write_file(options.out, suspects_csv(predictions, suspects));
    reporter.print(fmt::format("wrote {}\n", options.out));
  }
  if (!options.report.empty()) {
    pages::write_page(options.report, page);
    reporter.print(fmt::format("wrote {}: open it in a browser to decide\n", options.report));
  }
  return true;
}

}  // namespace

void find_labels(const LabelsOptions& options, Reporter& reporter) {
  const std::vector<run_report::RunRecord> runs = read_runs(options);
  check_outputs(options, runs.front().data.dataset);
  const RunPredictions predictions = join_predictions(runs);
  for (const std::string& run : options.runs) training::warn_of_training(run, reporter);
  if (!write_findings(options, runs, predictions, reporter)) {
    throw Error("interrupted; nothing was written");
  }
}

bool find_labels_of_run(const std::string& run, const training::ReadingOptions& reading,
                        Reporter& reporter) {
  const training::RunFolder folder = training::RunFolder::open(run);
  LabelsOptions options{reading};
  options.runs = {run};
  options.report = folder.labels_page();
  options.out = folder.suspects();
  const std::vector<run_report::RunRecord> runs = read_runs(options);
  return write_findings(options, runs, join_predictions(runs), reporter);
}

}  // namespace hanok::label_errors
