#include "hanok/apps/run_report/overlays.h"

#include <fmt/format.h>
#include <map>
#include <optional>
#include <utility>

#include "hanok/apps/prediction/ensemble.h"
#include "hanok/apps/prediction/grad_cam.h"
#include "hanok/apps/prediction/heat_map.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/data/shards.h"
#include "hanok/kernels/base/error.h"

namespace hanok::run_report {
namespace {

using training::HeatMap;

constexpr int kShownSide = 256;  // pixels of the longer side

/// Numbers of the samples in the run's data, by path.
std::map<std::string, std::int64_t> sample_numbers(const RunRecord& run) {
  std::map<std::string, std::int64_t> numbers;
  for (std::size_t i = 0; i < run.data.dataset.samples.size(); ++i) {
    numbers[run.data.dataset.samples[i].path] = static_cast<std::int64_t>(i);
  }
  return numbers;
}

/// True if the photograph can be decoded: one that cannot would end the whole fold.
bool readable(const RunRecord& run, const Prediction& prediction) {
  try {
    data::decode_image_file(run.data.dataset.root + "/" + prediction.path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// What one fold's network shows for its predictions `numbers`.
void add_fold(Overlays& overlays, const RunRecord& run, const std::vector<std::size_t>& numbers,
              training::Reporter& reporter) {
  const training::RunFolder folder = training::RunFolder::open(run.path);
  const int fold = run.predictions[numbers.front()].fold;
  training::LoadedModel model = training::load_model(folder.best(fold));
  if (!training::has_feature_map(model)) return;
  const std::map<std::string, std::int64_t> samples = sample_numbers(run);
  std::vector<training::MapRequest> requests;
  for (const std::size_t i : numbers) {
    const Prediction& prediction = run.predictions[i];
    requests.push_back({.sample = samples.at(prediction.path), .target = prediction.answer});
  }
  data::LoaderOptions options;
  options.preprocessing = model.card.preprocessing;
  options.cache.budget = 0;  // each image is read once
  data::Loader loader(run.data.dataset, options);
  const std::optional<std::vector<HeatMap>> maps = training::compute_heat_maps(
      model, loader, requests, training::EvaluationListeners{.reporter = reporter});
  if (!maps) return;
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    const auto sample = static_cast<std::size_t>(requests[k].sample);
    const data::Image whole = data::decode_whole_sample(run.data.dataset, sample);
    // As large as the page shows it: maps of whole photographs would fill the memory.
    const data::Image image = data::resize_longer_side(whole, kShownSide);
    const double scale = static_cast<double>(image.width) / whole.width;
    const HeatMap map = training::on_photograph(
        (*maps)[k], image.width, image.height,
        training::scaled(training::part_seen(run.data.dataset.samples[sample], whole.width,
                                             whole.height, model.card.preprocessing),
                         scale));
    Overlay overlay{.picture = training::overlay(image, map)};
    if (run.data.faces && run.data.faces->photos[sample].largest) {
      const faces::Face& face = *run.data.faces->photos[sample].largest;
      const training::Box box{
          .left = face.left, .top = face.top, .right = face.right, .bottom = face.bottom};
      overlay.outside_face = 1 - training::share_inside(map, training::scaled(box, scale));
    }
    overlays.emplace(numbers[k], std::move(overlay));
  }
}

}  // namespace

Overlays grad_cam_overlays(const RunRecord& run, const std::vector<std::size_t>& numbers,
                           training::Reporter& reporter) {
  Overlays overlays;
  std::map<int, std::vector<std::size_t>> by_fold;
  for (const std::size_t i : numbers) {
    if (readable(run, run.predictions[i])) by_fold[run.predictions[i].fold].push_back(i);
  }
  for (const auto& [fold, members] : by_fold) {
    try {
      add_fold(overlays, run, members, reporter);
    } catch (const Error& error) {  // the page is whole without maps
      reporter.warn(fmt::format("no Grad-CAM of fold {}: {}", fold, error.what()));
    }
  }
  return overlays;
}

}  // namespace hanok::run_report
