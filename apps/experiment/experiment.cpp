#include "hanok/apps/experiment/experiment.h"

#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/experiment/folds.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/preflight/plan.h"
#include "hanok/apps/profiling/profile.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/cudnn_plans.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/network.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/training/experiment_data.h"
#include "hanok/apps/training/feature_cache_plan.h"
#include "hanok/apps/training/optimization.h"
#include "hanok/apps/training/start_weights.h"
#include "hanok/engine/runtime.h"
#include "hanok/nn/models/registry.h"

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
          "--{}: \"{}\" is not UTF-8 text, which config.toml requires; rename the file or folder",
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
    FreezingRules rules = freezing_rules(options);
    rules.unfreeze_at.clear();
    const FreezingPlan plan(*model, head, rules);
  });
  named("--unfreeze-at", [&] {
    const FreezingPlan plan(*model, head, freezing_rules(options));
    named("--lr-group", [&] { parameter_groups(options, *model, plan); });
  });
  plan_feature_cache(options, *model, {});  // throws if --cache-features cannot be done
  if (trainable_parameters(*model) == 0) {
    throw UsageError("--freeze: freezes everything; no parameter is left to train");
  }
}

/// The precision to compute in.
Precision use_machine(const Options& options) {
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  const Device device = choose_device(options.device);  // throws before the data are read
  if (options.profile) check_profile_device(device);
  use_cudnn_plans(device, {.autotune = options.autotune});
  check_precision(options.precision, device);
  return options.precision;
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
  return train_folds({.options = options, .data = data, .folder = folder, .reporter = reporter});
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
  return train_folds({.options = options, .data = data, .folder = folder, .reporter = reporter});
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
