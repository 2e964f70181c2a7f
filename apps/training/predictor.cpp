#include "apps/training/predictor.h"

#include <fmt/format.h>
#include <map>
#include <numeric>

#include "apps/training/checkpoint.h"
#include "apps/training/ensemble.h"
#include "apps/training/files.h"
#include "apps/training/image_list.h"
#include "data/loader.h"
#include "engine/runtime.h"
#include "kernels/base/error.h"

namespace hanok::training {
namespace {

std::vector<LoadedModel> load_models(const PredictOptions& options) {
  if (!options.weights.empty()) {
    std::vector<LoadedModel> models;
    models.push_back(load_bare_model(options.model, options.weights));
    return models;
  }
  return load_checkpoints(options.run.empty() ? std::vector<std::string>{options.checkpoint}
                                              : checkpoints_of_run(options.run));
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

Evaluation ask(std::vector<LoadedModel>& models, const ImageList& images,
               const PredictOptions& options) {
  data::LoaderOptions loader_options;
  loader_options.preprocessing = models.front().card.preprocessing;
  loader_options.batch_size = options.batch_size;
  loader_options.workers = static_cast<int>(options.workers);
  data::Loader loader(images.dataset, loader_options);
  std::vector<std::int64_t> order(images.names.size());
  std::iota(order.begin(), order.end(), 0);
  std::optional<Evaluation> answers = evaluate_together(models, loader, images.dataset, order);
  if (!answers) throw Error("interrupted; nothing was written");
  return *std::move(answers);
}

std::string to_csv(const ImageList& images, const std::vector<std::string>& class_names,
                   const Evaluation& answers, const PredictOptions& options) {
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
    const auto best = static_cast<std::size_t>(answers.predicted[i]);
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
  const Evaluation answers = ask(models, images, options);
  write_file(options.out, to_csv(images, models.front().card.class_names, answers, options));
  return static_cast<std::int64_t>(images.names.size());
}

}  // namespace hanok::training
