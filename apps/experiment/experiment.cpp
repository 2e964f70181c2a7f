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
#include "hanok/data/synthetic.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"
#include "hanok/nn/models/registry.h"
#include "hanok/weights/weights.h"

namespace hanok::training {
namespace {

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

/// config.toml holds all options, and could not be read again.
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

/// Builds the network once without training it, so that bad options and weights are told before the
/// run folder exists.
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
  plan_feature_cache(options, *model, 0, 0, false, "");  // says what --cache-features lacks
  if (trainable_parameters(*model) == 0) {
    throw UsageError("--freeze: freezes everything; nothing is left to learn");
  }
}

/// The precision to compute in.
Precision use_machine(const Options& options) {
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  const Device device = choose_device(options.device);  // missing: told before the data are read
  if (options.profile) check_profile_device(device);
  use_cudnn_plans(device, "", options.autotune);
  check_precision(options.precision, device);
  return options.precision;
}

void print_plan(const Options& options, Trainer& trainer) {
  if (!trainer.start_note().empty()) fmt::print("{}\n", trainer.start_note());
  if (options.mode == FreezingMode::FeatureExtraction &&
      options.weights.source == StartWeights::Source::Random) {
    fmt::print("warning: --mode feature-extraction on random weights trains a head on noise\n");
  }
  fmt::print("{}, {} mode\n{}", options.model, name_of(options.mode),
             trainer.freezing().table(trainer.model()));
  std::vector<nn::ParameterGroup> groups =
      parameter_groups(options, trainer.model(), trainer.freezing());
  fmt::print("{}", rates_table(groups));
}

/// "fold 0: with_mask 897 + 224, ..." : members of each class in training + validation.
/// With a --sampler that repeats or leaves out: what it does with each class.
void print_fold_classes(const Options& options, const ExperimentData& data, int fold) {
  const std::vector<std::int64_t> training = data.training(fold);
  const std::vector<std::int64_t> validation = data.validation(fold);
  const auto count = [&data](const std::vector<std::int64_t>& samples) {
    std::vector<std::int64_t> counts(data.dataset.class_names.size(), 0);
    for (const std::int64_t i : samples) {
      ++counts[static_cast<std::size_t>(data.dataset.samples[static_cast<std::size_t>(i)].label)];
    }
    return counts;
  };
  const std::vector<std::int64_t> in_training = count(training);
  const std::vector<std::int64_t> in_validation = count(validation);
  std::size_t width = 5;
  for (const std::string& name : data.dataset.class_names) width = std::max(width, name.size());
  fmt::print("\nfold {}\n{:<{}}{:>10}{:>12}\n", fold, "class", width, "training", "validation");
  for (std::size_t c = 0; c < in_training.size(); ++c) {
    fmt::print(
        "{:<{}}{:>10}{:>12}{}\n", data.dataset.class_names[c], width, in_training[c],
        in_validation[c],
        in_training[c] == 0 && in_validation[c] > 0 ? "  warning: nothing to learn from" : "");
  }
  fmt::print("{:<{}}{:>10}{:>12}\n", "all", width, training.size(), validation.size());
  if (options.sampler == data::Sampling::Shuffled) return;
  std::vector<std::int64_t> labels;
  for (const std::int64_t i : training) {
    labels.push_back(data.dataset.samples[static_cast<std::size_t>(i)].label);
  }
  fmt::print("\n--sampler {}\n{}", name_of(options.sampler),
             data::sampling_table(options.sampler, labels, data.dataset.class_names, options.seed,
                                  options.epochs));
}

/// Trains one fold and its baseline; empty if interrupted.
std::optional<FoldResult> train_fold(const Options& options, const ExperimentData& data,
                                     const RunFolder& folder, MetricsLog& log, int fold,
                                     bool with_plan, StepProfile* profile) {
  FoldJob job{options, data, fold, &folder, &log, start_weights(options), false, profile};
  print_fold_classes(options, data, fold);
  Allocator& allocator = allocator_of(choose_device(options.device));
  allocator.reset_peak();
  Trainer trainer(job);
  if (with_plan) print_plan(options, trainer);
  std::optional<FoldResult> result = trainer.run();
  if (profile != nullptr) profile->finish();
  fmt::print("{}\n", describe_peak(allocator.statistics()));
  if (result && !result->cuda_graph.empty()) {
    fmt::print("CUDA graph of the step: {}\n", result->cuda_graph);
  }
  if (result && options.baselines) {
    job.profile = nullptr;
    job.folder = nullptr;
    job.log = nullptr;
    job.shuffle_labels = true;
    const std::optional<FoldResult> shuffled = Trainer(job).run();
    if (!shuffled) return {};
    result->shuffled_labels_macro_f1 = shuffled->confusion.macro_f1();
  }
  if (result) write_file(folder.fold_result(fold), to_json_text(*result));
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

void report(const ExperimentData& data, const RunFolder& folder,
            const std::vector<FoldResult>& results) {
  write_file(folder.predictions(), joined_predictions(folder, results));
  write_file(folder.summary(), summary_json(results, data));
  const nn::ConfusionMatrix answers = pooled(results);
  const std::vector<std::string>& names = data.dataset.class_names;
  fmt::print("\n{}\n{}\n{}", class_table(answers, names), confusions(answers, names, folder),
             final_table(results));
  for (const FoldResult& result : results) {
    fmt::print("fold {}: weights {} (best), {} (last)\n", result.fold, result.weights_hash,
               result.last_weights_hash);
  }
  if (results.front().shuffled_labels_macro_f1) {
    double own = 0;
    double majority = 0;
    double shuffled = 0;
    for (const FoldResult& result : results) {
      own += result.confusion.macro_f1();
      majority += result.majority_macro_f1;
      shuffled += result.shuffled_labels_macro_f1.value_or(0);
    }
    const auto count = static_cast<double>(results.size());
    fmt::print(
        "\nmacro F1 {:.4f}; always answering the majority class gives {:.4f}, training on shuffled "
        "labels {:.4f}\n",
        own / count, majority / count, shuffled / count);
  }
  fmt::print("run folder: {}\n", folder.path());
}

int train_folds(const Options& options, const ExperimentData& data, const RunFolder& folder) {
  const Device device = choose_device(options.device);
  MetricsLog log(folder);
  std::vector<FoldResult> results;
  bool with_plan = true;
  std::unique_ptr<StepProfile> profile;
  if (options.profile) {
    profile = std::make_unique<StepProfile>(
        folder.profile(), fmt::format("finetune {}, batch {}, {} px", options.model,
                                      options.batch_size, options.image_size));
  }
  for (const int fold : selected_folds(options, data.fold_count)) {
    const std::string done = folder.fold_result(fold);
    if (std::filesystem::exists(done)) {
      results.push_back(fold_result_from_json(done, read_file(done)));
      continue;
    }
    std::optional<FoldResult> result =
        train_fold(options, data, folder, log, fold, with_plan, profile.get());
    append_cudnn_plans(device, folder.cudnn_plans_text());
    profile.reset();  // the first fold's steps are enough
    if (!result) {
      fmt::print("\ninterrupted; saved. Go on with: finetune --resume {}\n", folder.path());
      return kInterrupted;
    }
    results.push_back(*std::move(result));
    with_plan = false;
  }
  report(data, folder, results);
  return kSuccess;
}

/// --autotune on the CPU: measures now, and leaves the choices in the run folder.
void autotune(const Options& options, const ExperimentData& data, const RunFolder& folder) {
  fmt::print("measuring the algorithms of every convolution ...\n");
  const auto classes = static_cast<std::int64_t>(data.dataset.class_names.size());
  const std::unique_ptr<nn::Module> model =
      make_network(options.model, classes, options.image_size, options.hidden);
  const std::vector<TunedConv2d> tuned = measure_conv2d(*model, options);
  write_file(folder.conv2d_choices(), to_csv(tuned));
  fmt::print("{}", describe(tuned));
}

/// The same, telling after a failed write that the run can go on.
int train_folds_with_hint(const Options& options, const ExperimentData& data,
                          const RunFolder& folder) {
  const Device device = choose_device(options.device);
  use_cudnn_plans(device, folder.cudnn_plans(), options.autotune);
  Conv2dChoices choices;
  if (options.autotune && device.is_cpu()) {
    if (!std::filesystem::exists(folder.conv2d_choices())) autotune(options, data, folder);
    choices = read_conv2d_choices(folder.conv2d_choices());
  }
  const UseConv2dChoices use(choices);
  try {
    return train_folds(options, data, folder);
  } catch (const IoError& error) {
    throw IoError(fmt::format("{}\nwhat was saved before is whole: go on with --resume {}",
                              error.what(), folder.path()));
  }
}

}  // namespace

int start_run(Options options, const std::string& out) {
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
  start_weights(options);  // a missing file is told before the data are read
  const ExperimentData data = prepare_data(options);
  fmt::print("{}", describe(data));
  if (interrupted()) {
    fmt::print("interrupted; nothing was trained yet\n");
    return kInterrupted;
  }
  check_network(options, static_cast<std::int64_t>(data.dataset.class_names.size()));
  const RunFolder folder = RunFolder::create(out);
  write_file(folder.folds(), folds_to_csv(data));
  if (!data.bad.empty()) write_file(folder.unreadable(), unreadable_to_csv(data.bad));
  write_file(folder.config(), to_toml(options));
  return train_folds_with_hint(options, data, folder);
}

int resume_run(const std::string& path, const std::function<void(Options&)>& adjust) {
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
  fmt::print("{}", describe(data));
  return train_folds_with_hint(options, data, folder);
}

void dry_run(const Options& options) {
  check_options(options);
  const PrecisionScope precision(use_machine(options));
  const ExperimentData data = prepare_data(options);
  check_network(options, static_cast<std::int64_t>(data.dataset.class_names.size()));
  fmt::print("{}", describe(data));
  bool first = true;
  for (const int fold : selected_folds(options, data.fold_count)) {
    print_fold_classes(options, data, fold);
    if (!first) continue;
    Trainer trainer(
        FoldJob{options, data, fold, nullptr, nullptr, start_weights(options), false, nullptr});
    print_plan(options, trainer);
    first = false;
  }
  fmt::print("\ndry run: nothing was trained, nothing written\n");
}

void plan_run(const Options& options) {
  check_options(options);
  const PrecisionScope precision(use_machine(options));
  const ExperimentData data = prepare_data(options);
  check_network(options, static_cast<std::int64_t>(data.dataset.class_names.size()));
  fmt::print("{}\n{}, batch {}, {} px, {} threads\n", describe(data), options.model,
             options.batch_size, options.image_size, num_threads());
  fmt::print("{}\nplan: nothing was trained, nothing written\n",
             plan_text(options, data, start_weights(options)));
}

void apply_demo_preset(Options& options) {
  options.weights.source = StartWeights::Source::Random;
  options.image_size = 64;
  options.fold = 0;
  options.baselines = true;
}

std::string draw_demo_data(const std::string& root, std::int64_t people, std::uint64_t seed) {
  data::SyntheticOptions synthetic;
  synthetic.people = static_cast<int>(people);
  synthetic.seed = seed;
  data::write_synthetic_competition(root, synthetic);
  return root;
}

}  // namespace hanok::training
