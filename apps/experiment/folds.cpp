#include "hanok/apps/experiment/folds.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/experiment/fold_training.h"
#include "hanok/apps/experiment/spread_folds.h"
#include "hanok/apps/label_errors/find_labels.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/preflight/autotune.h"
#include "hanok/apps/run/cudnn_plans.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/network.h"
#include "hanok/apps/run/ranks.h"
#include "hanok/apps/run_report/run_page.h"
#include "hanok/apps/run_report/tensorboard.h"
#include "hanok/apps/training/start_weights.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {
namespace {

/// --find-labels. Returns kSuccess or kInterrupted.
int find_label_errors(const Run& run) {
  ReadingOptions reading;
  reading.threads = run.options.threads;
  reading.workers = run.options.workers;
  reading.device = run.options.device;
  reading.precision = run.options.precision;
  if (label_errors::find_labels_of_run(run.folder.path(), reading, run.reporter)) return kSuccess;
  run.reporter.print(
      fmt::format("\ninterrupted; the run is finished. Find its label errors with: labels {}\n",
                  run.folder.path()));
  return kInterrupted;
}

/// Whether the fold has its result, as the first rank finds it.
bool is_done(const Run& run, int fold) {
  const bool done = exists(run.folder.fold_result(fold));
  return has_other_ranks() ? first_rank_says(done) : done;
}

FoldResult result_of(const Run& run, int fold) {
  const std::string file = run.folder.fold_result(fold);
  return fold_result_from_json(file, read_file(file));
}

/// What the ranks but the first do: they train the same folds with it, and write nothing. False if
/// interrupted.
bool train_beside_first(const Run& run) {
  for (const int fold : selected_folds(run.options, run.data.fold_count)) {
    if (is_done(run, fold)) continue;
    run.reporter.print(fmt::format("fold {}\n", fold));
    const FoldJob job{.options = run.options,
                      .data = run.data,
                      .reporter = run.reporter,
                      .fold = fold,
                      .folder = &run.folder,
                      .start_weights = start_weights(run.options)};
    if (!Trainer(job).run()) return false;
    if (run.options.baselines && !shuffled_labels_macro_f1(job)) return false;
  }
  return true;
}

/// Trains the folds that are not done yet. False if interrupted.
bool train_missing_folds(const Run& run) {
  MetricsLog log(run.folder);
  log.take_over();
  run_report::ProgressReport report(run.folder, run.options, run.data, run.reporter);
  std::optional<run_report::TensorBoardLog> tensorboard;
  if (run.options.tensorboard) {
    tensorboard.emplace(run.folder, run.options, run.data, run.reporter);
  }
  const FoldOutput output{.log = log,
                          .after_epoch = [&] { report.epoch_done(log.lines()); },
                          .tensorboard = tensorboard ? &*tensorboard : nullptr};
  std::optional<FirstFold> first = first_fold(run);
  for (const int fold : selected_folds(run.options, run.data.fold_count)) {
    if (is_done(run, fold)) {
      if (tensorboard && !exists(run.folder.events(fold))) tensorboard->write(fold, log.lines());
      report.fold_done(result_of(run, fold));
      continue;
    }
    std::optional<FoldResult> result;
    try {
      result = train_fold(run, output, fold, first ? &*first : nullptr);
    } catch (...) {
      report.stop(log.lines());  // else its page would say that the run trains
      throw;
    }
    append_cudnn_plans(choose_device(run.options.device), run.folder.cudnn_plans_text());
    first.reset();
    if (!result) {
      report.stop(log.lines());
      return false;
    }
    report.fold_done(*result);
  }
  return true;
}

/// Trains what is missing, with the other ranks; every rank calls it. False if interrupted.
bool train_all(const Run& run) {
  if (has_other_ranks() && run.options.spread == Spread::Folds) return train_spread_folds(run);
  return is_first_rank() ? train_missing_folds(run) : train_beside_first(run);
}

/// Of all folds, which are done; `trained`: by this job. Returns kSuccess or kInterrupted.
int report_all(const Run& run, bool trained) {
  const std::unique_ptr<Communicator> alone = single_rank();
  const RanksScope scope(*alone);  // the others wait
  // What training freed makes room for what reports need beside tensors.
  context_of(Device::cpu()).workspace.release_all();
  allocator_of(Device::cpu()).release_cached();
  std::vector<FoldResult> results;
  for (const int fold : selected_folds(run.options, run.data.fold_count)) {
    results.push_back(result_of(run, fold));
  }
  report_results(run, results);
  // A run that was finished before has its page: `report RUN` renews it.
  std::error_code error;
  const bool has_page = std::filesystem::is_regular_file(run.folder.report(), error);
  if (trained || !has_page) report_findings(run, results);
  const bool find_labels =
      run.options.find_labels && (trained || !exists(run.folder.labels_page()));
  return find_labels ? find_label_errors(run) : kSuccess;
}

/// Whether a fold has no result yet, as this rank finds it.
bool has_missing_folds(const Run& run) {
  const std::vector<int> folds = selected_folds(run.options, run.data.fold_count);
  return std::any_of(folds.begin(), folds.end(),
                     [&](int fold) { return !exists(run.folder.fold_result(fold)); });
}

int train_and_report(const Run& run) {
  const bool to_train = has_missing_folds(run);
  if (!train_all(run)) {
    if (is_first_rank()) {
      run.reporter.print(fmt::format("\ninterrupted; saved. Resume with: finetune --resume {}\n",
                                     run.folder.path()));
    }
    return kInterrupted;
  }
  if (is_first_rank()) return report_all(run, to_train);
  run.reporter.print("done\n");
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

}  // namespace

int train_folds(const Run& run) {
  const Options& options = run.options;
  const Device device = choose_device(options.device);
  use_cudnn_plans(device, {.run_plans = run.folder.cudnn_plans(), .autotune = options.autotune});
  Conv2dChoices choices;
  if (options.autotune && device.is_cpu()) {
    if (is_first_rank() && !exists(run.folder.conv2d_choices())) autotune(run);
    ranks().barrier();
    choices = read_conv2d_choices(run.folder.conv2d_choices());
  }
  const UseConv2dChoices use(choices);
  try {
    return train_and_report(run);
  } catch (const IoError& error) {
    throw IoError(fmt::format("{}\nwhat was saved before is intact: continue with --resume {}",
                              error.what(), run.folder.path()));
  }
}

}  // namespace hanok::training
