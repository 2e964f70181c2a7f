#include "hanok/apps/prediction/explainer.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <numeric>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/prediction/ensemble.h"
#include "hanok/apps/prediction/features.h"
#include "hanok/apps/prediction/grad_cam.h"
#include "hanok/apps/prediction/image_list.h"
#include "hanok/apps/prediction/output_file.h"
#include "hanok/apps/prediction/trained_crops.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/run/unreadable.h"
#include "hanok/apps/training/samples/recorded_data.h"
#include "hanok/data/shards.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

namespace fs = std::filesystem;

/// What a run trained on, if it is still there.
struct RunData {
  ExperimentData data{};
  std::string missing{};  // why it is not there
  std::map<fs::path, std::int64_t> sample_of{};
};

/// Which photograph it is, links resolved: its file, in a shard with the member's name behind it.
fs::path identity(const data::Dataset& dataset, std::size_t i, std::error_code& error) {
  const std::string file = dataset.file_of(i);
  const std::string member = dataset.full_path(i).substr(file.size());
  fs::path found = fs::canonical(file, error);
  return found += member;
}

RunData read_run_data(const ExplainOptions& options) {
  RunData found;
  if (options.run.empty()) {
    found.missing = "a checkpoint alone does not say what it was trained on; give --run RUN";
    return found;
  }
  const RunFolder folder = RunFolder::open(options.run);
  Options run_options;
  apply_toml_file(run_options, folder.config());
  const std::optional<RecordedData> recorded = recorded_in_toml(folder.config());
  if (!options.data.empty()) {
    if (!exists(options.data)) {
      throw IoError(fmt::format("--data: {}: no such folder or table", options.data));
    }
    run_options.data = absolute_path(options.data);
  } else {
    try {
      locate_data(run_options, folder, recorded);
    } catch (const IoError&) {  // what needs no photographs of the run is shown
      found.missing = fmt::format(
          "{}: the run's photographs are not there; if they were moved, add --data FOLDER",
          run_options.data);
      return found;
    }
  }
  found.data = data_of_run(run_options, folder, recorded);
  const data::Dataset& dataset = found.data.dataset;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    std::error_code error;
    const fs::path file = identity(dataset, i, error);
    if (error) {
      found.missing = fmt::format("{}: {}; if the run's photographs were moved, add --data FOLDER",
                                  dataset.full_path(i), error.message());
      continue;  // the others are still known
    }
    found.sample_of[file] = static_cast<std::int64_t>(i);
  }
  if (!options.data.empty() && found.sample_of.empty()) {
    throw IoError(fmt::format("--data: {}: none of the run's {} photographs is there, such as {}",
                              options.data, dataset.samples.size(), dataset.samples[0].path));
  }
  return found;
}

/// The networks, and what each of them computes.
class Explainer {
 public:
  Explainer(const ExplainOptions& options, Reporter& reporter, const ImageList& images)
      : options_(options),
        reporter_(reporter),
        images_(images),
        paths_(options.run.empty() ? std::vector{options.checkpoint}
                                   : checkpoints_of_run(options.run)),
        models_(load_checkpoints(paths_)),
        run_(read_run_data(options)) {
    const Device device = choose_device(options.device);
    check_precision(options.precision, device);
    for (LoadedModel& model : models_) model.model->to(device);
  }

  /// The files that are read: of the run or checkpoint, the images, and the run's photographs.
  std::vector<std::string> inputs() const {
    std::vector<std::string> files =
        options_.run.empty() ? std::vector{options_.checkpoint} : files_of_run(options_.run);
    files.insert(files.end(), images_.tables.begin(), images_.tables.end());
    for (const data::Dataset* dataset : {&images_.dataset, &run_.data.dataset}) {
      for (std::size_t i = 0; i < dataset->samples.size(); ++i) {
        files.push_back(dataset->file_of(i));
      }
    }
    return files;
  }

  Explanations explain() {
    check_images();
    cropped_ = TrainedCrops(models_, options_.make_finder, reporter_)
                   .of(images_.dataset, models_.front().card);
    const PrecisionScope precision(options_.precision);
    Explanations result{.class_names = models_.front().card.class_names,
                        .missing_neighbours = run_.missing};
    for (std::size_t i = 0; i < images_.names.size(); ++i) result.images.push_back(start(i));
    answer(result.images);
    for (Explanation& image : result.images) rank(image);
    result.without_feature_map = !has_feature_map(models_.front());
    const bool maps = options_.maps || !options_.out.empty();
    if (maps && !result.without_feature_map) look(result.images);
    if (run_.missing.empty() && options_.neighbours > 0) find_neighbours(result.images);
    return result;
  }

 private:
  const data::Preprocessing& preprocessing() const { return models_.front().card.preprocessing; }
  EvaluationListeners listeners() { return {.reporter = reporter_}; }

  void check_images() const {
    const std::vector<data::BadImage> bad =
        data::find_unreadable(images_.dataset, static_cast<int>(options_.workers), preprocessing());
    if (bad.empty()) return;
    throw ValueError(fmt::format("{} of {} images cannot be read:{}", bad.size(),
                                 images_.names.size(), list_unreadable(bad)));
  }

  Explanation start(std::size_t i) {
    Explanation image{.name = images_.names[i]};
    const data::Image whole = data::decode_whole_sample(images_.dataset, i);
    sizes_.push_back({.x = 0, .y = 0, .width = whole.width, .height = whole.height});
    image.photograph = data::resize_longer_side(whole, kExplainedSide);
    image.probabilities.assign(models_.front().card.class_names.size(), 0.0F);
    own_.push_back(own_sample(i));
    if (const std::optional<std::int64_t>& sample = own_.back()) {
      const auto index = static_cast<std::size_t>(*sample);
      image.label =
          run_.data.dataset
              .class_names[static_cast<std::size_t>(run_.data.dataset.samples[index].label)];
      for (std::size_t m = 0; m < models_.size(); ++m) {
        const std::vector<std::int64_t> held_out = run_.data.validation(fold_of(m));
        if (std::binary_search(held_out.begin(), held_out.end(), *sample)) {
          image.held_out_by.push_back(static_cast<std::int64_t>(m));
        }
      }
      if (!image.held_out_by.empty()) image.neighbours_of = image.held_out_by.front();
    }
    return image;
  }

  /// Its number in the run's data, if it is one of them.
  std::optional<std::int64_t> own_sample(std::size_t i) const {
    std::error_code error;
    const auto found = run_.sample_of.find(identity(images_.dataset, i, error));
    if (error || found == run_.sample_of.end()) return {};
    return found->second;
  }

  int fold_of(std::size_t model) const {
    return fold_number(fs::path(paths_[model]).parent_path().filename().string()).value_or(0);
  }

  /// Images that a network answers for.
  static std::vector<std::int64_t> answered_by(const std::vector<Explanation>& images,
                                               std::size_t m) {
    std::vector<std::int64_t> list;
    for (std::size_t i = 0; i < images.size(); ++i) {
      const std::vector<std::int64_t>& only = images[i].held_out_by;
      if (only.empty() ||
          std::find(only.begin(), only.end(), static_cast<std::int64_t>(m)) != only.end()) {
        list.push_back(static_cast<std::int64_t>(i));
      }
    }
    return list;
  }

  void answer(std::vector<Explanation>& images) {
    data::Loader loader(cropped_, answering_loader(models_, options_));
    std::vector<std::vector<std::vector<float>>> each(images.size());
    for (std::size_t m = 0; m < models_.size(); ++m) {
      const std::vector<std::int64_t> list = answered_by(images, m);
      if (list.empty()) continue;
      std::vector<LoadedModel> one;
      one.push_back(std::move(models_[m]));
      const auto answers = evaluate_together(one, loader, cropped_, list, listeners());
      models_[m] = std::move(one.front());
      if (!answers) throw Error("interrupted; nothing was written");
      for (std::size_t k = 0; k < list.size(); ++k) {
        Explanation& image = images[static_cast<std::size_t>(list[k])];
        const std::size_t classes = image.probabilities.size();
        const float* row = answers->probabilities.data() + k * classes;
        each[static_cast<std::size_t>(list[k])].emplace_back(row, row + classes);
        image.answers.push_back(answers->predicted[k]);
      }
    }
    for (std::size_t i = 0; i < images.size(); ++i) {
      for (const std::vector<float>& row : each[i]) {
        for (std::size_t c = 0; c < row.size(); ++c) {
          images[i].probabilities[c] += row[c] / static_cast<float>(each[i].size());
        }
      }
      const auto& mean = images[i].probabilities;
      const auto best = std::max_element(mean.begin(), mean.end()) - mean.begin();
      for (const std::vector<float>& row : each[i]) {
        images[i].certainties.push_back(row[static_cast<std::size_t>(best)]);
      }
    }
  }

  static void rank(Explanation& image) {
    image.ranked.resize(image.probabilities.size());
    std::iota(image.ranked.begin(), image.ranked.end(), 0);
    std::stable_sort(image.ranked.begin(), image.ranked.end(), [&](auto a, auto b) {
      return image.probabilities[static_cast<std::size_t>(a)] >
             image.probabilities[static_cast<std::size_t>(b)];
    });
  }

  /// Grad-CAM for the two most probable classes, the mean over the networks that answer.
  void look(std::vector<Explanation>& images) {
    constexpr std::size_t kClasses = 2;
    data::Loader loader(cropped_, answering_loader(models_, options_));
    std::vector<std::vector<HeatMap>> maps(images.size() * kClasses);
    for (std::size_t m = 0; m < models_.size(); ++m) {
      std::vector<MapRequest> requests;
      std::vector<std::size_t> slots;
      for (const std::int64_t i : answered_by(images, m)) {
        const auto& ranked = images[static_cast<std::size_t>(i)].ranked;
        for (std::size_t k = 0; k < std::min(kClasses, ranked.size()); ++k) {
          requests.push_back({.sample = i, .target = ranked[k]});
          slots.push_back(static_cast<std::size_t>(i) * kClasses + k);
        }
      }
      if (requests.empty()) continue;
      auto found = compute_heat_maps(models_[m], loader, requests, listeners());
      if (!found) throw Error("interrupted; nothing was written");
      for (std::size_t r = 0; r < slots.size(); ++r) {
        maps[slots[r]].push_back(std::move((*found)[r]));
      }
    }
    for (std::size_t slot = 0; slot < maps.size(); ++slot) {
      if (maps[slot].empty()) continue;
      Explanation& image = images[slot / kClasses];
      const int width = image.photograph.width, height = image.photograph.height;
      const data::Rectangle& whole = sizes_[slot / kClasses];
      const Box seen =
          part_seen(cropped_.samples[slot / kClasses], whole.width, whole.height, preprocessing());
      image.maps.push_back(on_photograph(mean_of(maps[slot]), width, height,
                                         scaled(seen, static_cast<double>(width) / whole.width)));
    }
  }

  /// Each image's nearest among the photographs that one network trained on.
  void find_neighbours(std::vector<Explanation>& images) {
    const data::Dataset& dataset = run_.data.dataset;
    data::Loader run_loader(dataset, answering_loader(models_, options_));
    data::Loader loader(cropped_, answering_loader(models_, options_));
    for (std::size_t m = 0; m < models_.size(); ++m) {
      std::vector<std::int64_t> list;
      for (std::size_t i = 0; i < images.size(); ++i) {
        if (images[i].neighbours_of == static_cast<std::int64_t>(m)) {
          list.push_back(static_cast<std::int64_t>(i));
        }
      }
      if (list.empty()) continue;
      const std::vector<std::int64_t> trained = run_.data.training(fold_of(m));
      const auto queries = compute_features(models_[m], loader, cropped_, list, listeners());
      const auto among = compute_features(models_[m], run_loader, dataset, trained, listeners());
      if (!queries || !among) throw Error("interrupted; nothing was written");
      const auto is_itself = [&](std::int64_t query, std::int64_t row) {
        const std::int64_t image = list[static_cast<std::size_t>(query)];
        return own_[static_cast<std::size_t>(image)] == trained[static_cast<std::size_t>(row)];
      };
      const auto nearest =
          nearest_rows(*queries, *among, static_cast<std::size_t>(options_.neighbours), is_itself);
      for (std::size_t k = 0; k < list.size(); ++k) {
        for (const Neighbour& near : nearest[k]) {
          const auto sample = static_cast<std::size_t>(trained[static_cast<std::size_t>(near.row)]);
          images[static_cast<std::size_t>(list[k])].neighbours.push_back(
              {.path = dataset.samples[sample].path,
               .file = dataset.full_path(sample),
               .label =
                   dataset.class_names[static_cast<std::size_t>(dataset.samples[sample].label)],
               .similarity = near.similarity});
        }
      }
    }
  }

  const ExplainOptions& options_;
  Reporter& reporter_;
  const ImageList& images_;
  std::vector<std::string> paths_;
  std::vector<LoadedModel> models_;
  RunData run_;
  data::Dataset cropped_;                         // the images as the networks see them
  std::vector<data::Rectangle> sizes_;            // of the images as they are
  std::vector<std::optional<std::int64_t>> own_;  // their numbers in the run's data
};

}  // namespace

Explanations explain(const ExplainOptions& options, Reporter& reporter) {
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  const ImageList images = list_images(options.images);
  Explainer explainer(options, reporter, images);
  if (!options.out.empty()) {
    refuse_to_overwrite(options.out, explainer.inputs());
    check_can_be_written(options.out);
  }
  return explainer.explain();
}

}  // namespace hanok::training
