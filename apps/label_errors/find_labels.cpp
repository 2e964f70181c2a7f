#include "hanok/apps/label_errors/find_labels.h"

#include <fmt/format.h>
#include <optional>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/label_errors/labels_page.h"
#include "hanok/apps/label_errors/neighbourhoods.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/pages/html.h"
#include "hanok/apps/pages/text.h"
#include "hanok/apps/prediction/output_file.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/run/run_lock.h"
#include "hanok/apps/training/samples/recorded_data.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"

namespace hanok::label_errors {
namespace {

using training::ExperimentData;
using training::RunFolder;

constexpr int kThumbnailSide = 150;

/// The first run's data, where they are now.
ExperimentData data_of(const LabelsOptions& options) {
  const RunFolder folder = RunFolder::open(options.runs.front());
  training::Options saved;
  training::apply_toml_file(saved, folder.config());
  if (!options.data.empty()) saved.data = options.data;
  const std::optional<training::RecordedData> record = training::recorded_in_toml(folder.config());
  if (options.data.empty()) training::locate_data(saved, folder, record);
  return training::data_of_run(saved, folder, record);
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
  const RunPredictions predictions = read_predictions(options.runs);
  for (const std::string& run : options.runs) training::warn_of_training(run, reporter);
  const ConfidentJoint joint = confident_joint(predictions.mean);

  std::optional<ExperimentData> data;
  if (options.neighbours > 0 || !options.report.empty()) data = data_of(options);
  Neighbourhood neighbours;
  if (options.neighbours > 0) {
    if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
    check_precision(options.precision, training::choose_device(options.device));
    const PrecisionScope precision(options.precision);
    std::optional<Neighbourhood> found = find_neighbours(options, predictions, *data, reporter);
    if (!found) throw Error("interrupted; nothing was written");
    neighbours = *std::move(found);
  }
  const std::vector<Suspect> suspects =
      rank_suspects(predictions, joint, neighbours, options.ranking);

  const auto thumbnail = [&](const std::string& path) -> pages::Picture {
    if (options.report.empty()) return {};
    try {
      return pages::thumbnail(data::decode_image_file(data->dataset.root + "/" + path),
                              kThumbnailSide);
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
