#include "hanok/apps/prediction/predictor.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <memory>
#include <numeric>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/prediction/ensemble.h"
#include "hanok/apps/prediction/image_list.h"
#include "hanok/apps/prediction/output_file.h"
#include "hanok/apps/prediction/trained_crops.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/cudnn_plans.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/memory_limit.h"
#include "hanok/apps/run/run_lock.h"
#include "hanok/apps/run/unreadable.h"
#include "hanok/data/loader.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/weights/weights.h"

namespace hanok::training {
namespace {

std::vector<LoadedModel> load_models(const PredictOptions& options) {
  if (!options.weights.empty()) {
    std::vector<LoadedModel> models;
    models.push_back(load_bare_model(options.model, options.weights == "imagenet"
                                                        ? weights::find_pretrained(options.model)
                                                        : options.weights));
    return models;
  }
  return options.runs.empty() ? load_checkpoints({options.checkpoint}) : load_runs(options.runs);
}

/// What the images' folders held besides, and files that were given twice.
void report_listing(const ImageList& images, Reporter& reporter) {
  for (const auto& [reason, count] : images.skipped) {
    reporter.print(fmt::format("skipped: {} x {}\n", count, reason));
  }
  for (const std::string& folder : images.without_images) {
    reporter.warn(fmt::format("{}: no image in this folder", folder));
  }
  if (images.repeated.empty()) return;
  constexpr std::size_t kListed = 5;
  const std::size_t listed = std::min(kListed, images.repeated.size());
  reporter.warn(
      fmt::format("{} image{} given more than once; each has a row for every time: {}{}",
                  images.repeated.size(), images.repeated.size() == 1 ? " is" : "s are",
                  fmt::join(images.repeated.begin(),
                            images.repeated.begin() + static_cast<std::ptrdiff_t>(listed), ", "),
                  images.repeated.size() > listed ? ", ..." : ""));
}

/// The networks' preprocessing that magnifies most: a shape that it can resize, all can.
data::Preprocessing largest_preprocessing(const std::vector<LoadedModel>& models) {
  const auto largest = std::max_element(models.begin(), models.end(), [](auto& a, auto& b) {
    return a.card.preprocessing.resize < b.card.preprocessing.resize;
  });
  return largest->card.preprocessing;
}

/// What is wrong with each image, in their order; empty for a good one.
using Problems = std::vector<std::string>;

Problems find_problems(const ImageList& images, const std::vector<data::BadImage>& bad) {
  std::map<std::string, std::string> reasons;
  for (const data::BadImage& image : bad) reasons[image.path] = image.reason;
  Problems problems(images.names.size());
  for (std::size_t i = 0; i < problems.size(); ++i) {
    const auto found = reasons.find(images.dataset.samples[i].path);
    if (found == reasons.end()) continue;
    problems[i] = found->second;
    const std::string before = images.dataset.full_path(i) + ": ";
    if (problems[i].starts_with(before)) problems[i].erase(0, before.size());
  }
  return problems;
}

/// The images without a problem.
ImageList readable(const ImageList& images, const Problems& problems) {
  ImageList kept;
  kept.dataset = images.dataset;
  kept.dataset.samples.clear();
  for (std::size_t i = 0; i < images.names.size(); ++i) {
    if (!problems[i].empty()) continue;
    kept.dataset.samples.push_back(images.dataset.samples[i]);
    kept.names.push_back(images.names[i]);
  }
  return kept;
}

std::vector<data::BadImage> listed_problems(const ImageList& images, const Problems& problems) {
  std::vector<data::BadImage> listed;
  for (std::size_t i = 0; i < problems.size(); ++i) {
    if (!problems[i].empty()) listed.push_back({images.names[i], problems[i]});
  }
  return listed;
}

/// A submission holds a class for every image; another table may have rows without one.
void check_enough(const ImageList& images, const std::vector<data::BadImage>& bad) {
  if (bad.empty() || (!images.submission && bad.size() < images.names.size())) return;
  throw ValueError(fmt::format(
      "{} of {} images cannot be read{}:{}", bad.size(), images.names.size(),
      images.submission ? ", and a submission needs them all" : "", list_unreadable(bad)));
}

/// All networks' predictions, averaged. Those with the same preprocessing share a loader and its
/// cache.
Evaluation answers_of(std::vector<LoadedModel> models, const ImageList& images, TrainedCrops& crops,
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
    const data::Dataset dataset = crops.of(images.dataset, group.front().card);
    data::Loader loader(dataset, answering_loader(group, options));
    std::optional<Evaluation> answers = evaluate_together(
        group, loader, dataset, order, {.reporter = reporter, .profile = profile.get()});
    if (!answers) throw Error("interrupted; nothing was written");
    parts.push_back(*std::move(answers));
    shares.push_back(static_cast<float>(group.size()) / total);
  }
  if (profile) profile->finish();
  return parts.size() == 1 ? std::move(parts.front()) : weighted_mean(parts, shares);
}

std::string header_of(const std::vector<std::string>& class_names, const PredictOptions& options,
                      bool submission, bool with_errors) {
  std::string out = submission ? "ImageID,ans" : "path,label,probability";
  for (const std::string& name : class_names) {
    if (options.probabilities) out += "," + data::csv_field(name);
  }
  for (const std::string& name : class_names) {
    if (options.logits) out += "," + data::csv_field("logit:" + name);
  }
  return out + (with_errors ? ",error\n" : "\n");
}

/// A row for each image in the order in which they were given. Where some are unreadable there is a
/// last column, error; their other fields stay empty.
std::string to_csv(const ImageList& images, const Problems& problems,
                   const std::vector<std::string>& class_names, const Evaluation& answers,
                   const PredictOptions& options) {
  const std::size_t classes = class_names.size();
  const bool with_errors = answers.predicted.size() < images.names.size();
  const std::size_t empty_fields =
      2 + (options.probabilities ? classes : 0) + (options.logits ? classes : 0);
  std::string out = header_of(class_names, options, images.submission, with_errors);
  std::size_t row = 0;  // in `answers`
  for (std::size_t i = 0; i < images.names.size(); ++i) {
    out += data::csv_field(images.names[i]);
    if (!problems[i].empty()) {
      out += std::string(empty_fields, ',') + "," + data::csv_field(problems[i]) + "\n";
      continue;
    }
    const float* p = answers.probabilities.data() + row * classes;
    const float* logit = answers.logits.data() + row * classes;
    const auto best = static_cast<std::size_t>(answers.predicted[row++]);
    out += images.submission
               ? fmt::format(",{}", best)
               : fmt::format(",{},{:.6f}", data::csv_field(class_names[best]), p[best]);
    for (std::size_t c = 0; options.probabilities && c < classes; ++c) {
      out += fmt::format(",{:.6f}", p[c]);
    }
    for (std::size_t c = 0; options.logits && c < classes; ++c) {
      out += fmt::format(",{:.9g}", logit[c]);
    }
    out += with_errors ? ",\n" : "\n";
  }
  return out;
}

/// The files that this command reads.
std::vector<std::string> inputs_of(const PredictOptions& options, const ImageList& images) {
  std::vector<std::string> inputs = images.tables;
  for (const std::string& run : options.runs) {
    for (std::string& file : files_of_run(run)) inputs.push_back(std::move(file));
  }
  for (const std::string& file : {options.checkpoint, options.weights}) {
    if (!file.empty()) inputs.push_back(file);
  }
  for (std::size_t i = 0; i < images.names.size(); ++i) {
    inputs.push_back(images.dataset.file_of(i));
  }
  return inputs;
}

}  // namespace

PredictSummary predict(const PredictOptions& options, Reporter& reporter) {
  check_can_be_written(options.out);
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  limit_memory(options.memory.bytes, {.threads = options.threads, .workers = options.workers});
  const Device device = choose_device(options.device);
  check_precision(options.precision, device);
  const PrecisionScope precision(options.precision);
  use_cudnn_plans(device, {});
  if (options.profile) check_profile_device(device);
  std::vector<LoadedModel> models = load_models(options);
  for (LoadedModel& loaded : models) {
    loaded.model->to(device);
    for (const std::string& note : loaded.notes) reporter.print("note: " + note + "\n");
  }
  TrainedCrops crops(models, options.make_finder, reporter);
  const std::vector<std::string> class_names = models.front().card.class_names;
  for (const std::string& run : options.runs) warn_of_training(run, reporter);
  const ImageList images = list_images(options.images);
  const std::vector<std::string> inputs = inputs_of(options, images);
  refuse_to_overwrite(options.out, inputs);
  if (options.profile) {
    refuse_to_overwrite(options.out + ".profile.json", inputs);
    refuse_to_overwrite(options.out + ".profile.txt", inputs);
  }
  report_listing(images, reporter);
  const PeakMeter meter;
  const std::vector<data::BadImage> bad = data::find_unreadable(
      images.dataset, static_cast<int>(options.workers), largest_preprocessing(models));
  limit_memory(
      options.memory.bytes,
      {.threads = options.threads, .workers = options.workers, .decoding = meter.given_back()});
  const Problems problems = find_problems(images, bad);
  PredictSummary summary;
  summary.networks = static_cast<std::int64_t>(models.size());
  summary.rows = static_cast<std::int64_t>(images.names.size());
  summary.unreadable = listed_problems(images, problems);
  check_enough(images, summary.unreadable);
  const Clock::time_point start = Clock::now();
  const Evaluation answers =
      answers_of(std::move(models), readable(images, problems), crops, options, reporter);
  summary.seconds = seconds_since(start);
  write_file(options.out, to_csv(images, problems, class_names, answers, options));
  return summary;
}

}  // namespace hanok::training
