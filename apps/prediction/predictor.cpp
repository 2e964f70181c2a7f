#include "hanok/apps/prediction/predictor.h"

#include <fmt/format.h>
#include <map>
#include <memory>
#include <numeric>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/prediction/ensemble.h"
#include "hanok/apps/prediction/image_list.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/cudnn_plans.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/run_lock.h"
#include "hanok/data/loader.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

std::vector<LoadedModel> load_models(const PredictOptions& options) {
  if (!options.weights.empty()) {
    std::vector<LoadedModel> models;
    models.push_back(load_bare_model(options.model, options.weights));
    return models;
  }
  return options.runs.empty() ? load_checkpoints({options.checkpoint}) : load_runs(options.runs);
}

/// Leaves out unreadable images, or throws an error that lists them.
void drop_unreadable(ImageList& images, const PredictOptions& options, Reporter& reporter) {
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
  reporter.print(fmt::format("left out: {} unreadable images:{}\n", bad.size(), list));
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

/// All networks' predictions, averaged. Those with the same preprocessing share a loader and its
/// cache.
Evaluation answers_of(std::vector<LoadedModel> models, const ImageList& images,
                      const PredictOptions& options, Reporter& reporter) {
  const auto total = static_cast<float>(models.size());
  std::vector<std::int64_t> order(images.names.size());
  std::iota(order.begin(), order.end(), 0);
  std::unique_ptr<StepProfile> profile;
  if (options.profile) {
    profile = std::make_unique<StepProfile>(
        reporter, options.out + ".profile",
        fmt::format("predict {}, batch {}", models.front().card.model, options.batch_size));
  }
  std::map<std::string, std::vector<LoadedModel>> alike;
  for (LoadedModel& model : models) {
    alike[to_metadata(model.card).at("hanok.preprocessing")].push_back(std::move(model));
  }
  std::vector<Evaluation> parts;
  std::vector<float> shares;
  for (auto& [record, group] : alike) {
    data::Loader loader(images.dataset, answering_loader(group, options));
    std::optional<Evaluation> answers = evaluate_together(
        group, loader, images.dataset, order, {.reporter = reporter, .profile = profile.get()});
    if (!answers) throw Error("interrupted; nothing was written");
    parts.push_back(*std::move(answers));
    shares.push_back(static_cast<float>(group.size()) / total);
  }
  if (profile) profile->finish();
  return parts.size() == 1 ? std::move(parts.front()) : weighted_mean(parts, shares);
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

PredictSummary predict(const PredictOptions& options, Reporter& reporter) {
  check_can_be_written(options.out);
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  const Device device = choose_device(options.device);
  check_precision(options.precision, device);
  const PrecisionScope precision(options.precision);
  use_cudnn_plans(device, {});
  if (options.profile) check_profile_device(device);
  std::vector<LoadedModel> models = load_models(options);
  for (LoadedModel& loaded : models) loaded.model->to(device);
  const std::vector<std::string> class_names = models.front().card.class_names;
  for (const std::string& run : options.runs) warn_of_training(run, reporter);
  PredictSummary summary;
  summary.networks = static_cast<std::int64_t>(models.size());
  ImageList images = list_images(options.images);
  drop_unreadable(images, options, reporter);
  if (images.names.empty()) throw ValueError("no image is left to predict");
  summary.rows = static_cast<std::int64_t>(images.names.size());
  const Clock::time_point start = Clock::now();
  const Evaluation answers = answers_of(std::move(models), images, options, reporter);
  summary.seconds = seconds_since(start);
  write_file(options.out, to_csv(images, class_names, answers, options));
  return summary;
}

}  // namespace hanok::training
