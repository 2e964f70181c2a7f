#include "hanok/apps/label_errors/neighbourhoods.h"

#include <fmt/format.h>
#include <numeric>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/prediction/features.h"
#include "hanok/apps/run/run_folder.h"

namespace hanok::label_errors {
namespace {

using training::Features;
using training::LoadedModel;

/// Features of every sample by the network of one fold.
std::optional<Features> features_of_all(const LabelsOptions& options, const std::string& checkpoint,
                                        const training::ExperimentData& data,
                                        training::Progress& progress, Reporter& reporter) {
  std::vector<LoadedModel> models;
  models.push_back(training::load_model(checkpoint));
  models.front().model->to(training::choose_device(options.device));
  data::Loader loader(data.dataset, training::answering_loader(models, options));
  std::vector<std::int64_t> samples(data.dataset.samples.size());
  std::iota(samples.begin(), samples.end(), 0);
  return training::compute_features(
      models.front(), loader, data.dataset, samples,
      {.reporter = reporter, .on_batch = [&](std::int64_t images) { progress.advance(images); }});
}

Features rows_of(const Features& all, const std::vector<std::int64_t>& rows) {
  Features part{.rows = static_cast<std::int64_t>(rows.size()), .columns = all.columns};
  for (const std::int64_t row : rows) {
    part.values.insert(part.values.end(), all.row(row), all.row(row) + all.columns);
  }
  return part;
}

}  // namespace

std::optional<Neighbourhood> find_neighbours(const LabelsOptions& options,
                                             const RunPredictions& predictions,
                                             const training::ExperimentData& data,
                                             Reporter& reporter) {
  const training::RunFolder folder = training::RunFolder::open(options.runs.front());
  const std::vector<data::Sample>& samples = data.dataset.samples;
  Neighbourhood found(predictions.paths.size());
  std::vector<int> folds;
  for (int fold = 0; fold < data.folds; ++fold) {
    if (!data.validation(fold).empty()) folds.push_back(fold);
  }
  training::Progress progress(
      reporter,
      {.label = "neighbours", .total = static_cast<std::int64_t>(folds.size() * samples.size())});
  for (const int fold : folds) {
    const std::optional<Features> all =
        features_of_all(options, folder.best(fold), data, progress, reporter);
    if (!all) return {};
    const std::vector<std::int64_t> judged = data.validation(fold);
    const auto same_group = [&](std::int64_t query, std::int64_t row) {
      const auto q = static_cast<std::size_t>(judged[static_cast<std::size_t>(query)]);
      return samples[q].group == samples[static_cast<std::size_t>(row)].group;
    };
    const auto nearest = training::nearest_rows(
        rows_of(*all, judged), *all, static_cast<std::size_t>(options.neighbours), same_group);
    for (std::size_t j = 0; j < judged.size(); ++j) {
      const std::int64_t image =
          predictions.index_of(samples[static_cast<std::size_t>(judged[j])].path);
      if (image < 0) continue;
      std::vector<NearImage>& near = found[static_cast<std::size_t>(image)];
      for (const training::Neighbour& neighbour : nearest[j]) {
        const std::int64_t other =
            predictions.index_of(samples[static_cast<std::size_t>(neighbour.row)].path);
        if (other >= 0) near.push_back({.image = other, .similarity = neighbour.similarity});
      }
    }
  }
  return found;
}

}  // namespace hanok::label_errors
