#include "hanok/apps/prediction/evaluator.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/prediction/ensemble.h"
#include "hanok/apps/prediction/output_file.h"
#include "hanok/apps/prediction/trained_crops.h"
#include "hanok/apps/run/cudnn_plans.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/memory_limit.h"
#include "hanok/apps/run/run_lock.h"
#include "hanok/apps/run/scores.h"
#include "hanok/apps/run/unreadable.h"
#include "hanok/apps/training/predictions.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

/// Those of `names` that `others` lacks.
Names without(const Names& names, const Names& others) {
  Names left;
  for (const std::string& name : names) {
    if (std::find(others.begin(), others.end(), name) == others.end()) left.push_back(name);
  }
  return left;
}

std::string listed(const Names& names) {
  constexpr std::size_t kMost = 20;
  if (names.empty()) return "none";
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMost));
  const std::string text = fmt::format("{}", fmt::join(names.begin(), end, ", "));
  return end == names.end() ? text : fmt::format("{}, ... ({} in all)", text, names.size());
}

/// Renumbers the samples' classes as the network numbers them.
void match_classes(data::Dataset& dataset, const Names& known, bool allow_missing) {
  const Names foreign = without(dataset.class_names, known);
  const Names missing = without(known, dataset.class_names);
  if (!foreign.empty() || (!missing.empty() && !allow_missing)) {
    throw ValueError(fmt::format(
        "{}: its classes are not the network's, and they are matched by name{}\n"
        "  the data's classes:    {}\n  the network's classes: {}\n"
        "  only in the data: {}\n  only in the network: {}",
        dataset.root, foreign.empty() ? "; --allow-missing-classes scores the others" : "",
        listed(dataset.class_names), listed(known), listed(foreign), listed(missing)));
  }
  std::map<std::string, std::int64_t> number;
  for (const std::string& name : known) {
    number.emplace(name, static_cast<std::int64_t>(number.size()));
  }
  for (data::Sample& sample : dataset.samples) {
    if (sample.label < 0) continue;
    sample.label = number.at(dataset.class_names[static_cast<std::size_t>(sample.label)]);
  }
  dataset.class_names = known;
}

/// Scores on a run's own training data are too good: all folds but one trained on each photograph.
bool is_training_data(const std::string& run, const std::string& data) {
  const std::string config = run + "/config.toml";
  if (run.empty() || !exists(config)) return false;
  Options options;
  apply_toml_file(options, config);
  std::error_code error;
  return fs::equivalent(options.data, data, error) && !error;
}

/// Where the figures of each class and the matrix go if they are too many for --out's JSON:
/// scores.json -> scores_per_class.csv, scores_confusion_matrix.csv beside it.
ScoreFiles files_beside(const std::string& out) {
  const std::string stem = fs::path(out).replace_extension().string();
  return {.per_class = stem + "_per_class.csv", .confusion_matrix = stem + "_confusion_matrix.csv"};
}

bool needs_files(const EvaluateOptions& options, const Names& class_names) {
  return fs::path(options.out).extension() == ".json" && class_names.size() > kMostClassesInJson;
}

std::string to_json(const Evaluation& answers, const data::Dataset& dataset,
                    const std::vector<std::string>& networks,
                    const std::vector<data::BadImage>& bad, double majority_f1,
                    const ScoreFiles& files) {
  nlohmann::ordered_json out = {{"version", 1}};
  out.update(scores_json(answers.confusion));
  out["loss"] = answers.loss;
  out["majority_macro_f1"] = majority_f1;
  out["data"] = dataset.root;
  out["networks"] = networks;
  out["class_names"] = dataset.class_names;
  add_class_scores(out, answers.confusion, dataset.class_names, files);
  out["unreadable_images"] = nlohmann::ordered_json::array();
  for (const data::BadImage& image : bad) {
    out["unreadable_images"].push_back({{"path", image.path}, {"reason", image.reason}});
  }
  // A file's name may be any bytes.
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

/// The files that this command reads.
Names inputs_of(const EvaluateOptions& options, const data::Dataset& dataset) {
  Names inputs = {options.data, options.data + "/labels.csv", options.data + "/train.csv",
                  options.data + "/train/train.csv"};
  if (!options.checkpoint.empty()) inputs.push_back(options.checkpoint);
  if (!options.run.empty()) {
    for (std::string& file : files_of_run(options.run)) inputs.push_back(std::move(file));
  }
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) inputs.push_back(dataset.file_of(i));
  return inputs;
}

/// A score is of one of the splits: most likely of the one for testing.
[[noreturn]] void refuse_splits(const std::string& root, const data::SplitFolders& folders) {
  std::string names = folders.train;
  for (const std::string& name : {folders.val, folders.test}) {
    if (!name.empty()) names += ", " + name;
  }
  const std::string& likely = !folders.test.empty()  ? folders.test
                              : !folders.val.empty() ? folders.val
                                                     : folders.train;
  throw ValueError(
      fmt::format("{}: holds the folders {} of a split; name the one to score: --data "
                  "{}",
                  root, names, (fs::path(root) / likely).string()));
}

data::Dataset read_data(const EvaluateOptions& options, const ModelCard& card,
                        std::vector<data::BadImage>& bad) {
  data::DatasetOptions reading = options.reading;
  reading.allow_damaged_shards = options.allow_bad;
  data::Dataset dataset = data::load_dataset(options.data, reading);
  if (dataset.split_folders.any()) refuse_splits(options.data, dataset.split_folders);
  match_classes(dataset, card.class_names, options.allow_missing_classes);
  if (!options.out.empty()) {
    const Names inputs = inputs_of(options, dataset);
    refuse_to_overwrite(options.out, inputs);
    if (needs_files(options, card.class_names)) {
      const ScoreFiles files = files_beside(options.out);
      refuse_to_overwrite(files.per_class, inputs);
      refuse_to_overwrite(files.confusion_matrix, inputs);
    }
  }
  const std::size_t images = dataset.samples.size();
  bad = take_out_unreadable(dataset, options.workers, card.preprocessing);
  if (!bad.empty() && !options.allow_bad) {
    throw ValueError(fmt::format("{} of {} images cannot be read (--allow-bad leaves them out):{}",
                                 bad.size(), images, list_unreadable(bad)));
  }
  if (dataset.samples.empty()) {
    throw ValueError(fmt::format("{}: no image is left to score", options.data));
  }
  return dataset;
}

Evaluation answer(std::vector<LoadedModel>& models, const data::Dataset& dataset,
                  const std::vector<std::int64_t>& samples, const EvaluateOptions& options,
                  Reporter& reporter) {
  data::Loader loader(dataset, answering_loader(models, options));
  const auto total = static_cast<std::int64_t>(samples.size() * models.size());
  Progress progress(reporter, {.label = "evaluating", .total = total});
  std::optional<Evaluation> answers = evaluate_together(
      models, loader, dataset, samples,
      {.reporter = reporter,
       .on_batch = [&progress](std::int64_t images) { progress.advance(images); }});
  if (!answers) throw Error("interrupted; nothing was written");
  return *std::move(answers);
}

/// What was read, and what of it is left out.
void report_data(const data::Dataset& dataset, const std::vector<data::BadImage>& bad,
                 const EvaluateOptions& options, Reporter& reporter) {
  reporter.print(fmt::format("{}: {} layout, {} images, {} classes\n", options.data, dataset.layout,
                             dataset.samples.size(), dataset.class_names.size()));
  for (const auto& [reason, count] : dataset.skipped) {
    reporter.print(fmt::format("skipped: {} x {}\n", count, reason));
  }
  for (const std::string& note : dataset.notes) reporter.print(note + "\n");
  for (const std::string& warning : dataset.warnings) reporter.warn(warning);
  if (!bad.empty()) {
    reporter.print(
        fmt::format("left out: {} unreadable images:{}\n", bad.size(), list_unreadable(bad)));
  }
}

/// A line per class, the confusion matrix, and the scores over all images; of many classes the
/// worst.
std::string score_text(const Evaluation& answers, const Names& class_names, double majority) {
  const nn::ConfusionMatrix& confusion = answers.confusion;
  return fmt::format(
      "\n{}\n{}\nmacro F1 {:.4f}, accuracy {:.4f}, loss {:.4f} over {} images\n"
      "always predicting the most frequent class: macro F1 {:.4f}\n",
      class_table(confusion, class_names), confusion_table(confusion, class_names),
      confusion.macro_f1(), confusion.accuracy(), answers.loss, confusion.total(), majority);
}

}  // namespace

void evaluate_data(const EvaluateOptions& options, Reporter& reporter) {
  if (!options.out.empty()) check_can_be_written(options.out);
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  limit_memory(options.memory.bytes, {.threads = options.threads, .workers = options.workers});
  const std::vector<std::string> networks = options.run.empty()
                                                ? std::vector<std::string>{options.checkpoint}
                                                : checkpoints_of_run(options.run);
  const Device device = choose_device(options.device);
  check_precision(options.precision, device);
  const PrecisionScope precision(options.precision);
  use_cudnn_plans(device, {});
  std::vector<LoadedModel> models = load_checkpoints(networks);
  for (LoadedModel& loaded : models) loaded.model->to(device);
  TrainedCrops crops(models, options.make_finder, reporter);
  std::vector<data::BadImage> bad;
  const PeakMeter meter;
  const data::Dataset found = read_data(options, models.front().card, bad);
  limit_memory(
      options.memory.bytes,
      {.threads = options.threads, .workers = options.workers, .decoding = meter.given_back()});
  report_data(found, bad, options, reporter);
  const ScoreFiles files = files_beside(options.out);
  if (needs_files(options, found.class_names)) {
    check_can_be_written(files.per_class);
    check_can_be_written(files.confusion_matrix);
  }
  reporter.print(fmt::format("{} network{}{}\n", models.size(), models.size() == 1 ? "" : "s",
                             models.size() == 1 ? "" : ", their probabilities averaged"));
  if (!options.run.empty()) warn_of_training(options.run, reporter);
  if (is_training_data(options.run, options.data)) {
    reporter.warn(
        fmt::format("{} was trained on these data; these scores are too optimistic. The folds' "
                    "scores on images that they were not trained on are in {}/summary.json",
                    options.run, options.run));
  }
  const data::Dataset dataset = crops.of(found, models.front().card);
  std::vector<std::int64_t> samples(dataset.samples.size());
  std::iota(samples.begin(), samples.end(), 0);
  const Evaluation answers = answer(models, dataset, samples, options, reporter);
  const double majority = majority_macro_f1(dataset, samples, samples);
  reporter.print(score_text(answers, dataset.class_names, majority));
  if (options.out.empty()) {
    if (!fit_the_screen(answers.confusion, dataset.class_names)) {
      reporter.print("--out FILE.json writes the figures of every class and the whole matrix\n");
    }
    return;
  }
  write_file(options.out, fs::path(options.out).extension() == ".csv"
                              ? predictions_csv(answers, dataset)
                              : to_json(answers, dataset, networks, bad, majority, files));
  reporter.print(fmt::format("wrote {}\n", options.out));
  if (!needs_files(options, dataset.class_names)) return;
  write_file(files.per_class, per_class_csv(answers.confusion, dataset.class_names));
  write_file(files.confusion_matrix, confusion_csv(answers.confusion, dataset.class_names));
  reporter.print(fmt::format("wrote {} and {}\n", files.per_class, files.confusion_matrix));
}

}  // namespace hanok::training
