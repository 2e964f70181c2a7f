#include "hanok/apps/experiment/folds.h"

#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/label_errors/find_labels.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/preflight/autotune.h"
#include "hanok/apps/preflight/plan.h"
#include "hanok/apps/profiling/profile.h"
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

/// What only the first fold of a process does: it describes the network, and
/// --profile records its steps, which are enough.
struct FirstFold {
  std::unique_ptr<StepProfile> profile;  // null without --profile
};

/// Macro F1 after training on shuffled labels, which shows what is chance; empty if interrupted.
std::optional<double> shuffled_labels_macro_f1(FoldJob job) {
  job.profile = nullptr;
  job.folder = nullptr;
  job.log = nullptr;
  job.labels = TrainingLabels::Shuffled;
  const std::optional<FoldResult> shuffled = Trainer(job).run();
  if (!shuffled) return {};
  return shuffled->confusion.macro_f1();
}

/// What is written after each epoch, of all folds.
struct Written {
  MetricsLog& log;
  run_report::ProgressReport& report;
  run_report::TensorBoardLog* tensorboard;  // null without --tensorboard

  void epoch_done(int fold) const {
    report.epoch_done(log.lines());
    if (tensorboard != nullptr) tensorboard->write(fold, log.lines());
  }
};

/// Trains one fold and its baseline; empty if interrupted. `first` is null but
/// for the first fold that this process trains.
std::optional<FoldResult> train_fold(const Run& run, const Written& written, int fold,
                                     const FirstFold* first) {
  const Options& options = run.options;
  const FoldJob job{
      .options = options,
      .data = run.data,
      .reporter = run.reporter,
      .fold = fold,
      .folder = &run.folder,
      .log = &written.log,
      .after_epoch = [&written, fold](const MetricsLog&) { written.epoch_done(fold); },
      .start_weights = start_weights(options),
      .profile = first != nullptr ? first->profile.get() : nullptr};
  run.reporter.print(fold_classes(options, run.data, fold));
  Allocator& allocator = allocator_of(choose_device(options.device));
  allocator.reset_peak();
  Trainer trainer(job);
  if (written.tensorboard != nullptr) written.tensorboard->write(fold, written.log.lines());
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
  run.folder.remove_previous(fold);
  return result;
}

FirstFold first_fold(const Run& run) {
  const Options& options = run.options;
  if (!options.profile) return {};
  return {.profile = std::make_unique<StepProfile>(
              run.reporter, run.folder.profile(),
              fmt::format("finetune {}, batch {}, {} px", options.model, options.batch_size,
                          options.image_size))};
}

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

/// What the ranks but the first do: they train the same folds with it, and write nothing.
int train_beside_first(const Run& run) {
  for (const int fold : selected_folds(run.options, run.data.fold_count)) {
    if (is_done(run, fold)) continue;
    run.reporter.print(fmt::format("fold {}\n", fold));
    const FoldJob job{.options = run.options,
                      .data = run.data,
                      .reporter = run.reporter,
                      .fold = fold,
                      .folder = &run.folder,
                      .start_weights = start_weights(run.options)};
    if (!Trainer(job).run()) return kInterrupted;
    if (run.options.baselines && !shuffled_labels_macro_f1(job)) return kInterrupted;
  }
  run.reporter.print("done\n");
  return kSuccess;
}

/// Trains the folds that are not done yet, then reports on all of them.
int train_missing_folds(const Run& run) {
  MetricsLog log(run.folder);
  run_report::ProgressReport report(run.folder, run.options, run.data, run.reporter);
  std::optional<run_report::TensorBoardLog> tensorboard;
  if (run.options.tensorboard) {
    tensorboard.emplace(run.folder, run.options, run.data, run.reporter);
  }
  const Written written{
      .log = log, .report = report, .tensorboard = tensorboard ? &*tensorboard : nullptr};
  std::vector<FoldResult> results;
  bool trained = false;
  std::optional<FirstFold> first = first_fold(run);
  for (const int fold : selected_folds(run.options, run.data.fold_count)) {
    const std::string done = run.folder.fold_result(fold);
    if (is_done(run, fold)) {
      if (tensorboard && !exists(run.folder.events(fold))) tensorboard->write(fold, log.lines());
      results.push_back(fold_result_from_json(done, read_file(done)));
      report.fold_done(results.back());
      continue;
    }
    std::optional<FoldResult> result;
    try {
      result = train_fold(run, written, fold, first ? &*first : nullptr);
    } catch (...) {
      report.stop(log.lines());  // else its page would say that the run trains
      throw;
    }
    append_cudnn_plans(choose_device(run.options.device), run.folder.cudnn_plans_text());
    first.reset();
    if (!result) {
      report.stop(log.lines());
      run.reporter.print(fmt::format("\ninterrupted; saved. Resume with: finetune --resume {}\n",
                                     run.folder.path()));
      return kInterrupted;
    }
    trained = true;
    results.push_back(*std::move(result));
    report.fold_done(results.back());
  }
  // What training freed makes room for what reports need beside tensors.
  context_of(Device::cpu()).workspace.release_all();
  allocator_of(Device::cpu()).release_cached();
  report_results(run, results);
  // A run that was finished before has its page: `report RUN` renews it.
  std::error_code error;
  const bool has_page = std::filesystem::is_regular_file(run.folder.report(), error);
  if (trained || !has_page) report_findings(run, results);
  const bool find_labels =
      run.options.find_labels && (trained || !exists(run.folder.labels_page()));
  return find_labels ? find_label_errors(run) : kSuccess;
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
    return is_first_rank() ? train_missing_folds(run) : train_beside_first(run);
  } catch (const IoError& error) {
    throw IoError(fmt::format("{}\nwhat was saved before is intact: continue with --resume {}",
                              error.what(), run.folder.path()));
  }
}

}  // namespace hanok::training
