#include "hanok/apps/label_errors/find_labels.h"

#include <filesystem>
#include <fmt/format.h>
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
    if (training::exists(dataset.full_path(i))) continue;
    throw IoError(
        fmt::format("{}: not there; if the photographs were moved, add --data FOLDER (--neighbours "
                    "0 needs none)",
                    dataset.full_path(i)));
  }
}

void check_outputs(const LabelsOptions& options) {
  for (const std::string& out : {options.report, options.out}) {
    if (out.empty()) continue;
    for (const std::string& run : options.runs) {
      training::refuse_to_overwrite(out, training::files_of_run(run));
    }
    training::check_can_be_written(out);
  }
}

}  // namespace

void find_labels(const LabelsOptions& options, Reporter& reporter) {
  check_outputs(options);
  const std::vector<run_report::RunRecord> runs = read_runs(options);
  const RunPredictions predictions = join_predictions(runs);
  for (const std::string& run : options.runs) training::warn_of_training(run, reporter);
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
    if (!found) throw Error("interrupted; nothing was written");
    neighbours = *std::move(found);
  }
  const std::vector<Suspect> suspects =
      rank_suspects(predictions, joint, neighbours, options.ranking);

  const auto thumbnail = [&](const std::string& path) -> pages::Picture {
    if (options.report.empty()) return {};
    try {
      return pages::thumbnail(data::decode_image_file(dataset.root + "/" + path), kThumbnailSide);
    } catch (const Error&) {
      return {};  // the card says that there is no picture
    }
  };
  const pages::Page page = labels_page({.runs = options.runs,
                                        .predictions = predictions,
                                        .joint = joint,
                                        .suspects = suspects,
                                        .shown = static_cast<std::size_t>(options.shown)},
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
}

}  // namespace hanok::label_errors
