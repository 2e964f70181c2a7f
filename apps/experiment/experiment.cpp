#include "hanok/apps/experiment/experiment.h"

#include <filesystem>
#include <fmt/format.h>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/preflight/autotune.h"
#include "hanok/apps/preflight/plan.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/cudnn_plans.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/fold_result.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/run/scores.h"
#include "hanok/apps/training/experiment_data.h"
#include "hanok/apps/training/feature_cache_plan.h"
#include "hanok/apps/training/recipe.h"
#include "hanok/apps/training/trainer.h"
#include "hanok/data/sampler.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"
#include "hanok/nn/models/registry.h"
#include "hanok/weights/weights.h"

namespace hanok::training {
namespace {

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

/// Throws UsageError for a text that config.toml cannot hold.
void check_texts(const Options& options) {
  for (const OptionEntry& entry : option_table()) {
    for (const std::string& text : entry.get(options)) {
      if (is_utf8(text)) continue;
      throw UsageError(fmt::format(
          "--{}: \"{}\" is not UTF-8 text, which config.toml is written in; rename what it names",
          entry.name, text));
    }
  }
}

/// Builds the network once without training it, so that bad options and weights
/// are found before the run folder exists.
void check_network(const Options& options, std::int64_t classes) {
  const nn::WithoutInit without_init;
  std::unique_ptr<nn::Module> model;
  try {
    model = make_network(options.model, classes, options.image_size, options.hidden);
  } catch (const ValueError& error) {
    throw UsageError(fmt::format("--model, --image-size: {}", error.what()));
  }
  const std::string head = nn::head_name(options.model);
  const std::string start = start_weights(options);
  if (!start.empty()) start_from(*model, head, start);
  const auto named = [](const char* option, const auto& action) {
    try {
      action();
    } catch (const ValueError& error) {
      throw UsageError(fmt::format("{}: {}", option, error.what()));
    }
  };
  named("--freeze", [&] {
    const FreezingPlan plan(*model, head, options.mode, options.freeze, options.epochs);
  });
  named("--unfreeze-at", [&] {
    const FreezingPlan plan(*model, head, options.mode, options.freeze, options.epochs,
                            options.unfreeze_at);
    named("--lr-group", [&] { parameter_groups(options, *model, plan); });
  });
  plan_feature_cache(options, *model, 0, 0, false,
                     "");  // throws if --cache-features cannot be done
  if (trainable_parameters(*model) == 0) {
    throw UsageError("--freeze: freezes everything; nothing is left to learn");
  }
}

/// The precision to compute in.
Precision use_machine(const Options& options) {
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  const Device device = choose_device(options.device);  // throws before the data are read
  if (options.profile) check_profile_device(device);
  use_cudnn_plans(device, "", options.autotune);
  check_precision(options.precision, device);
  return options.precision;
}

/// What is trained: network, freezing, rates of their own.
void report_network(const Options& options, Trainer& trainer, Reporter& reporter) {
  if (!trainer.start_note().empty()) reporter.print(trainer.start_note() + "\n");
  if (options.mode == FreezingMode::FeatureExtraction &&
      options.weights.source == StartWeights::Source::Random) {
    reporter.warn("--mode feature-extraction on random weights trains a head on noise");
  }
  reporter.print(fmt::format("{}, {} mode\n{}", options.model, name_of(options.mode),
                             trainer.freezing().table(trainer.model())));
  reporter.print(rates_table(parameter_groups(options, trainer.model(), trainer.freezing())));
}

std::vector<std::int64_t> labels_of(const data::Dataset& dataset,
                                    const std::vector<std::int64_t>& samples) {
  std::vector<std::int64_t> labels;
  for (const std::int64_t i : samples) {
    labels.push_back(dataset.samples[static_cast<std::size_t>(i)].label);
  }
  return labels;
}

/// Members of each class in training and validation; with a --sampler that
/// repeats or leaves out images also what it does with each class.
std::string fold_classes(const Options& options, const ExperimentData& data, int fold) {
  const std::vector<std::string>& names = data.dataset.class_names;
  const std::vector<std::int64_t> training = labels_of(data.dataset, data.training(fold));
  const std::vector<std::int64_t> validation = labels_of(data.dataset, data.validation(fold));
  std::size_t width = 5;
  for (const std::string& name : names) width = std::max(width, name.size());
  std::string out = fmt::format("\nfold {}\n{:<{}}{:>10}{:>12}\n", fold, "class", width, "training",
                                "validation");
  for (std::size_t c = 0; c < names.size(); ++c) {
    const auto label = static_cast<std::int64_t>(c);
    const auto in_training = std::count(training.begin(), training.end(), label);
    const auto in_validation = std::count(validation.begin(), validation.end(), label);
    const bool unlearnable = in_training == 0 && in_validation > 0;
    out += fmt::format("{:<{}}{:>10}{:>12}{}\n", names[c], width, in_training, in_validation,
                       unlearnable ? "  warning: nothing to learn from" : "");
  }
  out += fmt::format("{:<{}}{:>10}{:>12}\n", "all", width, training.size(), validation.size());
  if (options.sampler == data::Sampling::Shuffled) return out;
  return out + fmt::format("\n--sampler {}\n{}", name_of(options.sampler),
                           data::sampling_table(options.sampler, training, names, options.seed,
                                                options.epochs));
}

/// A run under way: what all of its folds share.
struct Run {
  const Options& options;
  const ExperimentData& data;
  const RunFolder& folder;
  Reporter& reporter;
};

/// What only the first fold of a process does: it describes the network, and
/// --profile records its steps, which are enough.
struct FirstFold {
  std::unique_ptr<StepProfile> profile;  // null without --profile
};

/// Macro F1 after training on shuffled labels, which shows what is chance;
/// empty if interrupted.
std::optional<double> shuffled_labels_macro_f1(FoldJob job) {
  job.profile = nullptr;
  job.folder = nullptr;
  job.log = nullptr;
  job.shuffle_labels = true;
  const std::optional<FoldResult> shuffled = Trainer(job).run();
  if (!shuffled) return {};
  return shuffled->confusion.macro_f1();
}

/// Trains one fold and its baseline; empty if interrupted. `first` is null but
/// for the first fold that this process trains.
std::optional<FoldResult> train_fold(const Run& run, MetricsLog& log, int fold,
                                     const FirstFold* first) {
  const Options& options = run.options;
  const FoldJob job{.options = options,
                    .data = run.data,
                    .reporter = run.reporter,
                    .fold = fold,
                    .folder = &run.folder,
                    .log = &log,
                    .start_weights = start_weights(options),
                    .profile = first != nullptr ? first->profile.get() : nullptr};
  run.reporter.print(fold_classes(options, run.data, fold));
  Allocator& allocator = allocator_of(choose_device(options.device));
  allocator.reset_peak();
  Trainer trainer(job);
  if (first != nullptr) report_network(options, trainer, run.reporter);
  std::optional<FoldResult> result = trainer.run();
  if (job.profile != nullptr) job.profile->finish();
  run.reporter.print(describe_peak(allocator.statistics()) + "\n");
  if (!result) return {};
  if (!result->cuda_graph.empty()) {
    run.reporter.print(fmt::format("CUDA graph of the step: {}\n", result->cuda_graph));
  }
  if (options.baselines) {
    result->shuffled_labels_macro_f1 = shuffled_labels_macro_f1(job);
    if (!result->shuffled_labels_macro_f1) return {};
  }
  write_file(run.folder.fold_result(fold), to_json_text(*result));
  return result;
}

/// All folds' rows under one header.
std::string joined_predictions(const RunFolder& folder, const std::vector<FoldResult>& results) {
  std::string all;
  for (const FoldResult& result : results) {
    const std::string rows = read_file(folder.fold_predictions(result.fold));
    all += all.empty() ? rows : rows.substr(rows.find('\n') + 1);
  }
  return all;
}

/// Which class was taken for which, or where that stands if it is too wide to be read here.
std::string confusions(const nn::ConfusionMatrix& answers, const std::vector<std::string>& names,
                       const RunFolder& folder) {
  constexpr std::size_t kMostColumns = 100;
  const std::string table = confusion_table(answers, names);
  if (table.find('\n') <= kMostColumns) return table;
  return fmt::format("which class was taken for which: confusion_matrix in {}\n", folder.summary());
}

/// The means over folds beside what chance gives; only with --baselines.
std::string baselines_text(const std::vector<FoldResult>& results) {
  double own = 0;
  double majority = 0;
  double shuffled = 0;
  for (const FoldResult& result : results) {
    own += result.confusion.macro_f1();
    majority += result.majority_macro_f1;
    shuffled += result.shuffled_labels_macro_f1.value_or(0);
  }
  const auto count = static_cast<double>(results.size());
  return fmt::format(
      "\nmacro F1 {:.4f}; always answering the majority class gives {:.4f}, training on shuffled "
      "labels {:.4f}\n",
      own / count, majority / count, shuffled / count);
}

/// Writes and prints the scores of all folds.
void report(const Run& run, const std::vector<FoldResult>& results) {
  const RunFolder& folder = run.folder;
  write_file(folder.predictions(), joined_predictions(folder, results));
  write_file(folder.summary(), summary_json(results, run.data));
  const nn::ConfusionMatrix answers = pooled(results);
  const std::vector<std::string>& names = run.data.dataset.class_names;
  run.reporter.print(fmt::format("\n{}\n{}\n{}", class_table(answers, names),
                                 confusions(answers, names, folder), final_table(results)));
  for (const FoldResult& result : results) {
    run.reporter.print(fmt::format("fold {}: weights {} (best), {} (last)\n", result.fold,
                                   result.weights_hash, result.last_weights_hash));
  }
  if (results.front().shuffled_labels_macro_f1) run.reporter.print(baselines_text(results));
  run.reporter.print(fmt::format("run folder: {}\n", folder.path()));
}

FirstFold first_fold(const Run& run) {
  const Options& options = run.options;
  if (!options.profile) return {};
  return {.profile = std::make_unique<StepProfile>(
              run.reporter, run.folder.profile(),
              fmt::format("finetune {}, batch {}, {} px", options.model, options.batch_size,
                          options.image_size))};
}

/// Trains the folds that are not done yet, then reports on all of them.
int train_folds(const Run& run) {
  MetricsLog log(run.folder);
  std::vector<FoldResult> results;
  std::optional<FirstFold> first = first_fold(run);
  for (const int fold : selected_folds(run.options, run.data.fold_count)) {
    const std::string done = run.folder.fold_result(fold);
    if (std::filesystem::exists(done)) {
      results.push_back(fold_result_from_json(done, read_file(done)));
      continue;
    }
    std::optional<FoldResult> result = train_fold(run, log, fold, first ? &*first : nullptr);
    append_cudnn_plans(choose_device(run.options.device), run.folder.cudnn_plans_text());
    first.reset();
    if (!result) {
      run.reporter.print(fmt::format("\ninterrupted; saved. Go on with: finetune --resume {}\n",
                                     run.folder.path()));
      return kInterrupted;
    }
    results.push_back(*std::move(result));
  }
  report(run, results);
  return kSuccess;
}

/// --autotune on the CPU: measures now, and leaves the choices in the run folder.
void autotune(const Run& run) {
  const Options& options = run.options;
  run.reporter.print("measuring the algorithms of every convolution ...\n");
  const auto classes = static_cast<std::int64_t>(run.data.dataset.class_names.size());
  const std::unique_ptr<nn::Module> model =
      make_network(options.model, classes, options.image_size, options.hidden);
  const std::vector<TunedConv2d> tuned = measure_conv2d(*model, options);
  write_file(run.folder.conv2d_choices(), to_csv(tuned));
  run.reporter.print(describe(tuned));
}

/// Trains with the algorithms that the run has chosen. After a failed write the
/// error says how the run can go on.
int train(const Run& run) {
  const Options& options = run.options;
  const Device device = choose_device(options.device);
  use_cudnn_plans(device, run.folder.cudnn_plans(), options.autotune);
  Conv2dChoices choices;
  if (options.autotune && device.is_cpu()) {
    if (!std::filesystem::exists(run.folder.conv2d_choices())) autotune(run);
    choices = read_conv2d_choices(run.folder.conv2d_choices());
  }
  const UseConv2dChoices use(choices);
  try {
    return train_folds(run);
  } catch (const IoError& error) {
    throw IoError(fmt::format("{}\nwhat was saved before is whole: go on with --resume {}",
                              error.what(), run.folder.path()));
  }
}

}  // namespace

int start_run(Options options, const std::string& out, Reporter& reporter) {
  check_options(options);
  RunFolder::check_free(out);
  options.data = absolute(options.data);
  if (options.weights.source == StartWeights::Source::File) {
    options.weights.file = absolute(options.weights.file);
  }
  if (!options.folds_file.empty()) options.folds_file = absolute(options.folds_file);
  if (options.augment.from_file) options.augment.name = absolute(options.augment.name);
  check_texts(options);
  const PrecisionScope precision(use_machine(options));
  start_weights(options);  // throws for a missing file before the data are read
  const ExperimentData data = prepare_data(options);
  reporter.print(describe(data));
  if (interrupted()) {
    reporter.print("interrupted; nothing was trained yet\n");
    return kInterrupted;
  }
  check_network(options, static_cast<std::int64_t>(data.dataset.class_names.size()));
  const RunFolder folder = RunFolder::create(out);
  write_file(folder.folds(), folds_to_csv(data));
  if (!data.bad.empty()) write_file(folder.unreadable(), unreadable_to_csv(data.bad));
  write_file(folder.config(), to_toml(options));
  return train({.options = options, .data = data, .folder = folder, .reporter = reporter});
}

int resume_run(const std::string& path, Reporter& reporter,
               const std::function<void(Options&)>& adjust) {
  const RunFolder folder = RunFolder::open(path);
  folder.remove_leftovers();
  Options options;
  apply_toml_file(options, folder.config());
  if (adjust) adjust(options);
  check_options(options);
  const PrecisionScope precision(use_machine(options));
  ExperimentData data = data_from_folds_csv(options, folder.folds());
  if (std::filesystem::exists(folder.unreadable())) {
    data.bad = unreadable_from_csv(folder.unreadable());
  }
  reporter.print(describe(data));
  return train({.options = options, .data = data, .folder = folder, .reporter = reporter});
}

void dry_run(const Options& options, Reporter& reporter) {
  check_options(options);
  const PrecisionScope precision(use_machine(options));
  const ExperimentData data = prepare_data(options);
  check_network(options, static_cast<std::int64_t>(data.dataset.class_names.size()));
  reporter.print(describe(data));
  bool first = true;
  for (const int fold : selected_folds(options, data.fold_count)) {
    reporter.print(fold_classes(options, data, fold));
    if (!first) continue;
    Trainer trainer(FoldJob{.options = options,
                            .data = data,
                            .reporter = reporter,
                            .fold = fold,
                            .start_weights = start_weights(options)});
    report_network(options, trainer, reporter);
    first = false;
  }
  reporter.print("\ndry run: nothing was trained, nothing written\n");
}

void plan_run(const Options& options, Reporter& reporter) {
  check_options(options);
  const PrecisionScope precision(use_machine(options));
  const ExperimentData data = prepare_data(options);
  check_network(options, static_cast<std::int64_t>(data.dataset.class_names.size()));
  reporter.print(fmt::format("{}\n{}, batch {}, {} px, {} threads\n", describe(data), options.model,
                             options.batch_size, options.image_size, num_threads()));
  reporter.print(fmt::format("{}\nplan: nothing was trained, nothing written\n",
                             plan_text(options, data, start_weights(options), reporter)));
}

}  // namespace hanok::training
