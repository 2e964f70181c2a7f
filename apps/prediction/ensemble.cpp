#include "hanok/apps/prediction/ensemble.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <map>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/prediction/profiled_batches.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/run/run_lock.h"
#include "hanok/apps/training/samples/image_loading.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

void add_to(std::vector<float>& sum, const std::vector<float>& values) {
  if (sum.empty()) sum.assign(values.size(), 0.0F);
  for (std::size_t i = 0; i < values.size(); ++i) sum[i] += values[i];
}

void check_numbers(const Evaluation& answers) {
  const auto bad = std::count_if(answers.probabilities.begin(), answers.probabilities.end(),
                                 [](float p) { return !std::isfinite(p); });
  if (bad == 0) return;
  throw ValueError(
      "the network's predictions are not numbers (NaN): its weights are not, or too large; the "
      "training "
      "that made them has diverged (a lower --lr helps)");
}

/// A network that learned from faces would answer for whole images without a complaint.
void check_crops(const std::vector<LoadedModel>& models, const data::Dataset& dataset,
                 const std::vector<std::int64_t>& samples) {
  const bool on_faces = std::any_of(models.begin(), models.end(), [](const LoadedModel& loaded) {
    return loaded.card.face_crop.has_value();
  });
  if (!on_faces) return;
  for (const std::int64_t i : samples) {
    const data::Sample& sample = dataset.samples[static_cast<std::size_t>(i)];
    if (sample.crop) continue;
    throw ValueError(
        fmt::format("{}: the network was trained with --crop face, and this image is not cropped",
                    sample.path));
  }
}

}  // namespace

std::vector<std::string> checkpoints_of_run(const std::string& run) {
  std::error_code error;
  if (!std::filesystem::is_directory(run, error)) {
    throw UsageError(fmt::format("--run: {}: no such folder", run));
  }
  std::map<int, std::string> found;
  std::filesystem::directory_iterator entry(run, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const std::string best = entry->path().string() + "/best.safetensors";
    const std::optional<int> fold = fold_number(name);
    if (fold && exists(best)) found[*fold] = best;
  }
  if (error) throw IoError(fmt::format("{}: {}", run, error.message()));
  if (found.empty()) {
    const std::string process = process_at_work(run);
    throw UsageError(fmt::format("--run: {}: holds no fold_K/best.safetensors{}", run,
                                 process.empty() ? "" : " yet: " + process + " is training it"));
  }
  std::vector<std::string> paths;
  for (const auto& [fold, path] : found) paths.push_back(path);
  return paths;
}

std::vector<LoadedModel> load_checkpoints(const std::vector<std::string>& paths) {
  std::vector<LoadedModel> models;
  for (const std::string& path : paths) {
    models.push_back(load_model(path));
    if (to_metadata(models.back().card) != to_metadata(models.front().card)) {
      throw FormatError(
          fmt::format("{}: other classes, preprocessing or network than {}", path, paths.front()));
    }
  }
  return models;
}

std::vector<LoadedModel> load_runs(const std::vector<std::string>& runs) {
  std::vector<LoadedModel> all;
  for (const std::string& run : runs) {
    for (LoadedModel& model : load_checkpoints(checkpoints_of_run(run))) {
      if (!all.empty() && model.card.class_names != all.front().card.class_names) {
        throw FormatError(fmt::format("{}: other classes than {}", run, runs.front()));
      }
      all.push_back(std::move(model));
    }
  }
  return all;
}

Evaluation weighted_mean(const std::vector<Evaluation>& parts, const std::vector<float>& shares) {
  Evaluation mean(parts.front().classes);
  mean.samples = parts.front().samples;
  mean.probabilities.assign(parts.front().probabilities.size(), 0.0F);
  mean.logits = mean.probabilities;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    for (std::size_t i = 0; i < mean.logits.size(); ++i) {
      mean.probabilities[i] += shares[p] * parts[p].probabilities[i];
      mean.logits[i] += shares[p] * parts[p].logits[i];
    }
  }
  for (std::size_t i = 0; i < mean.samples.size(); ++i) {
    const float* row = mean.probabilities.data() + i * static_cast<std::size_t>(mean.classes);
    mean.predicted.push_back(std::max_element(row, row + mean.classes) - row);
  }
  return mean;
}

data::LoaderOptions answering_loader(const std::vector<LoadedModel>& models,
                                     const ReadingOptions& options) {
  data::LoaderOptions loader;
  loader.preprocessing = models.front().card.preprocessing;
  loader.batch_size = options.batch_size;
  loader.prefetch = prefetched_batches(options.batch_size, loader.preprocessing.image_size);
  loader.as_bytes = !device_of(*models.front().model).is_cpu();  // a GPU normalises by itself
  loader.workers = static_cast<int>(options.workers);
  if (models.size() == 1) loader.cache.budget = 0;  // each image is read once
  return loader;
}

std::optional<Evaluation> evaluate_together(std::vector<LoadedModel>& models, data::Loader& loader,
                                            const data::Dataset& dataset,
                                            const std::vector<std::int64_t>& samples,
                                            const EvaluationListeners& listeners) {
  check_crops(models, dataset, samples);
  const auto classes = static_cast<std::int64_t>(models.front().card.class_names.size());
  Evaluation together(classes);
  for (LoadedModel& loaded : models) {
    ImageBatches images(*loaded.model, loader, listeners.reporter);
    std::optional<ProfiledBatches> profiled;
    if (StepProfile* profile = listeners.profile; profile != nullptr) {
      profile->add_model(*loaded.model);
      profiled.emplace(images, *profile, [&loader] { return loader.batch_count(); });
    }
    BatchSource& batches = profiled ? static_cast<BatchSource&>(*profiled) : images;
    const std::optional<Evaluation> one =
        evaluate(*loaded.model, batches, samples, classes, Tensor(), listeners.on_batch);
    if (!one) return {};
    check_numbers(*one);
    add_to(together.probabilities, one->probabilities);
    add_to(together.logits, one->logits);
    together.loss += one->loss;
  }
  const auto count = static_cast<float>(models.size());
  for (float& value : together.probabilities) value /= count;
  for (float& value : together.logits) value /= count;
  together.loss /= static_cast<double>(models.size());
  together.samples = samples;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const float* row = together.probabilities.data() + i * static_cast<std::size_t>(classes);
    together.predicted.push_back(std::max_element(row, row + classes) - row);
    const std::int64_t truth = dataset.samples[static_cast<std::size_t>(samples[i])].label;
    if (truth >= 0) together.confusion.add(truth, together.predicted.back());
  }
  return together;
}

}  // namespace hanok::training
