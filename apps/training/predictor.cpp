#include "apps/training/predictor.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <numeric>

#include "apps/training/checkpoint.h"
#include "apps/training/errors.h"
#include "apps/training/evaluation.h"
#include "apps/training/files.h"
#include "apps/training/image_list.h"
#include "apps/training/signals.h"
#include "data/loader.h"
#include "engine/runtime.h"

namespace hanok::training {
namespace {

/// The best checkpoints of a run's folds, in the order of their numbers.
std::vector<std::string> checkpoints_of_run(const std::string& run) {
  if (!std::filesystem::is_directory(run)) {
    throw UsageError(fmt::format("--run: {}: no such folder", run));
  }
  std::map<int, std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(run)) {
    const std::string name = entry.path().filename().string();
    const std::string best = entry.path().string() + "/best.safetensors";
    if (name.rfind("fold_", 0) != 0 || !std::filesystem::exists(best)) continue;
    if (name.find_first_not_of("0123456789", 5) != std::string::npos) continue;
    found[std::stoi(name.substr(5))] = best;
  }
  if (found.empty()) {
    throw UsageError(fmt::format("--run: {}: holds no fold_K/best.safetensors", run));
  }
  std::vector<std::string> paths;
  for (const auto& [fold, path] : found) paths.push_back(path);
  return paths;
}

std::vector<LoadedModel> load_models(const PredictOptions& options) {
  std::vector<LoadedModel> models;
  if (!options.weights.empty()) {
    models.push_back(load_bare_model(options.model, options.weights));
    return models;
  }
  const std::vector<std::string> paths = options.run.empty()
                                             ? std::vector<std::string>{options.checkpoint}
                                             : checkpoints_of_run(options.run);
  for (const std::string& path : paths) {
    models.push_back(load_model(path));
    if (to_metadata(models.back().card) != to_metadata(models.front().card)) {
      throw FormatError(
          fmt::format("{}: other classes, preprocessing or network than {}", path, paths.front()));
    }
  }
  return models;
}

/// Leaves out what cannot be read, or throws listing it.
void drop_unreadable(ImageList& images, const PredictOptions& options) {
  const std::vector<data::BadImage> bad =
      data::find_unreadable(images.dataset, static_cast<int>(options.workers));
  if (bad.empty()) return;
  std::string list;
  std::map<std::string, bool> is_bad;
  for (const data::BadImage& image : bad) {
    list += "\n  " + image.reason;
    is_bad[image.path] = true;
  }
  if (images.submission || !options.allow_bad) {
    throw ValueError(fmt::format(
        "{} of {} images cannot be read{}:{}", bad.size(), images.names.size(),
        images.submission ? ", and a submission needs them all" : " (--allow-bad leaves them out)",
        list));
  }
  fmt::print("left out: {} unreadable images:{}\n", bad.size(), list);
  ImageList kept;
  kept.dataset = images.dataset;
  kept.dataset.samples.clear();
  for (std::size_t i = 0; i < images.names.size(); ++i) {
    const data::Sample& sample = images.dataset.samples[i];
    if (is_bad.count(sample.path) != 0 || is_bad.count(images.dataset.full_path(i)) != 0) continue;
    kept.dataset.samples.push_back(sample);
    kept.names.push_back(images.names[i]);
  }
  images = std::move(kept);
}

/// Probabilities and logits of all images, averaged over the models in order.
struct Answers {
  std::vector<float> probabilities, logits;  // [images, classes]
};

void add_to(std::vector<float>& sum, const std::vector<float>& values) {
  if (sum.empty()) sum.assign(values.size(), 0.0F);
  for (std::size_t i = 0; i < values.size(); ++i) sum[i] += values[i];
}

Answers ask(std::vector<LoadedModel>& models, const ImageList& images,
            const PredictOptions& options) {
  const ModelCard& card = models.front().card;
  data::LoaderOptions loader_options;
  loader_options.preprocessing = card.preprocessing;
  loader_options.batch_size = options.batch_size;
  loader_options.workers = static_cast<int>(options.workers);
  data::Loader loader(images.dataset, loader_options);
  std::vector<std::int64_t> order(images.names.size());
  std::iota(order.begin(), order.end(), 0);
  Answers answers;
  for (LoadedModel& loaded : models) {
    const std::optional<Evaluation> evaluation = evaluate(
        *loaded.model, loader, order, static_cast<std::int64_t>(card.class_names.size()), Tensor());
    if (!evaluation) throw Error("interrupted; nothing was written");
    add_to(answers.probabilities, evaluation->probabilities);
    add_to(answers.logits, evaluation->logits);
  }
  const auto count = static_cast<float>(models.size());
  for (float& value : answers.probabilities) value /= count;
  for (float& value : answers.logits) value /= count;
  return answers;
}

std::string to_csv(const ImageList& images, const std::vector<std::string>& class_names,
                   const Answers& answers, const PredictOptions& options) {
  std::string out = images.submission ? "ImageID,ans" : "path,label,probability";
  for (const std::string& name : class_names) {
    if (options.probabilities) out += "," + data::csv_field(name);
  }
  for (const std::string& name : class_names) {
    if (options.logits) out += "," + data::csv_field("logit:" + name);
  }
  out += "\n";
  const std::size_t classes = class_names.size();
  for (std::size_t i = 0; i < images.names.size(); ++i) {
    const float* p = answers.probabilities.data() + i * classes;
    const float* logit = answers.logits.data() + i * classes;
    const auto best = static_cast<std::size_t>(std::max_element(p, p + classes) - p);
    out += data::csv_field(images.names[i]);
    out += images.submission
               ? fmt::format(",{}", best)
               : fmt::format(",{},{:.6f}", data::csv_field(class_names[best]), p[best]);
    for (std::size_t c = 0; options.probabilities && c < classes; ++c) {
      out += fmt::format(",{:.6f}", p[c]);
    }
    for (std::size_t c = 0; options.logits && c < classes; ++c) {
      out += fmt::format(",{:.9g}", logit[c]);
    }
    out += "\n";
  }
  return out;
}

}  // namespace

std::int64_t predict(const PredictOptions& options) {
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  std::vector<LoadedModel> models = load_models(options);
  ImageList images = list_images(options.images);
  drop_unreadable(images, options);
  if (images.names.empty()) throw ValueError("no image is left to predict");
  const Answers answers = ask(models, images, options);
  write_file(options.out, to_csv(images, models.front().card.class_names, answers, options));
  return static_cast<std::int64_t>(images.names.size());
}

}  // namespace hanok::training
