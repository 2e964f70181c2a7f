#include "hanok/apps/label_errors/neighbourhoods.h"

#include <fmt/format.h>
#include <numeric>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/prediction/features.h"
#include "hanok/apps/run/fnv_hash.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/nn/models/registry.h"

namespace hanok::label_errors {
namespace {

using training::Features;
using training::LoadedModel;

/// Features of all samples of a run, by the network of one fold after the other.
class FoldFeatures {
 public:
  FoldFeatures(const LabelsOptions& options, const run_report::RunRecord& run, Reporter& reporter)
      : options_(options),
        run_(run),
        reporter_(reporter),
        progress_(reporter, {.label = "neighbours", .total = all_images()}) {}

  /// Null if the user interrupted. Folds whose networks differ in the head alone (feature
  /// extraction) have the same features, which are computed once.
  const Features* of(int fold) {
    std::vector<LoadedModel> models;
    models.push_back(training::load_model(training::RunFolder::open(run_.path).best(fold)));
    const std::string hash = hash_below_head(models.front());
    const data::Dataset& dataset = run_.data.dataset;
    const auto images = static_cast<std::int64_t>(dataset.samples.size());
    if (features_ && hash == hash_) {
      progress_.advance(images);
      return &*features_;
    }
    models.front().model->to(training::choose_device(options_.device));
    data::Loader loader(dataset, training::answering_loader(models, options_));
    std::vector<std::int64_t> samples(dataset.samples.size());
    std::iota(samples.begin(), samples.end(), 0);
    features_ = training::compute_features(
        models.front(), loader, dataset, samples,
        {.reporter = reporter_, .on_batch = [&](std::int64_t done) { progress_.advance(done); }});
    hash_ = hash;
    return features_ ? &*features_ : nullptr;
  }

 private:
  std::int64_t all_images() const {
    return static_cast<std::int64_t>(run_.folds.size() * run_.data.dataset.samples.size());
  }

  /// Of the weights that features depend on.
  static std::string hash_below_head(LoadedModel& loaded) {
    const std::string head = nn::head_name(loaded.card.model) + ".";
    training::FnvHash hash;
    for (const auto& [name, tensor] : loaded.model->state_dict()) {
      if (name.rfind(head, 0) == 0) continue;
      hash.add(name);
      hash.add(tensor.view().data, tensor.bytes());
    }
    return hash.hex();
  }

  const LabelsOptions& options_;
  const run_report::RunRecord& run_;
  Reporter& reporter_;
  training::Progress progress_;
  std::optional<Features> features_;
  std::string hash_;
};

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
                                             const run_report::RunRecord& run, Reporter& reporter) {
  const std::vector<data::Sample>& samples = run.data.dataset.samples;
  const auto image_of = [&](std::int64_t sample) {
    return predictions.index_of(samples[static_cast<std::size_t>(sample)].path);
  };
  Neighbourhood found(predictions.paths.size());
  FoldFeatures features(options, run, reporter);
  for (const training::FoldResult& fold : run.folds) {
    const Features* all = features.of(fold.fold);
    if (all == nullptr) return {};
    const std::vector<std::int64_t> judged = run.data.validation(fold.fold);
    const auto same_group = [&](std::int64_t query, std::int64_t row) {
      const auto q = static_cast<std::size_t>(judged[static_cast<std::size_t>(query)]);
      return samples[q].group == samples[static_cast<std::size_t>(row)].group;
    };
    const auto nearest = training::nearest_rows(
        rows_of(*all, judged), *all, static_cast<std::size_t>(options.neighbours), same_group);
    for (std::size_t j = 0; j < judged.size(); ++j) {
      const std::int64_t image = image_of(judged[j]);
      // A repeat judges every image again: the first one's neighbours stay.
      if (image < 0 || !found[static_cast<std::size_t>(image)].empty()) continue;
      for (const training::Neighbour& neighbour : nearest[j]) {
        const std::int64_t other = image_of(neighbour.row);
        if (other < 0) continue;
        found[static_cast<std::size_t>(image)].push_back(
            {.image = other, .similarity = neighbour.similarity});
      }
    }
  }
  return found;
}

}  // namespace hanok::label_errors
