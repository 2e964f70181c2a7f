#include "hanok/apps/experiment/fold_training.h"

#include <fmt/format.h>

#include "hanok/apps/options/device_option.h"
#include "hanok/apps/preflight/plan.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/training/start_weights.h"
#include "hanok/apps/training/trainer.h"
#include "hanok/engine/allocator.h"

namespace hanok::training {

FirstFold first_fold(const Run& run) {
  const Options& options = run.options;
  if (!options.profile) return {};
  return {.profile = std::make_unique<StepProfile>(
              run.reporter, run.folder.profile(),
              fmt::format("finetune {}, batch {}, {} px", options.model, options.batch_size,
                          options.image_size))};
}

std::optional<double> shuffled_labels_macro_f1(FoldJob job) {
  job.profile = nullptr;
  job.folder = nullptr;
  job.log = nullptr;
  job.labels = TrainingLabels::Shuffled;
  const std::optional<FoldResult> shuffled = Trainer(job).run();
  if (!shuffled) return {};
  return shuffled->confusion.macro_f1();
}

std::optional<FoldResult> train_fold(const Run& run, const FoldOutput& output, int fold,
                                     const FirstFold* first) {
  const Options& options = run.options;
  const auto epoch_done = [&output, fold](const MetricsLog& log) {
    if (output.after_epoch) output.after_epoch();
    if (output.tensorboard != nullptr) output.tensorboard->write(fold, log.lines());
  };
  const FoldJob job{.options = options,
                    .data = run.data,
                    .reporter = run.reporter,
                    .fold = fold,
                    .folder = &run.folder,
                    .log = &output.log,
                    .after_epoch = epoch_done,
                    .start_weights = start_weights(options),
                    .profile = first != nullptr ? first->profile.get() : nullptr};
  run.reporter.print(fold_classes(options, run.data, fold));
  Allocator& allocator = allocator_of(choose_device(options.device));
  allocator.reset_peak();
  Trainer trainer(job);
  if (output.tensorboard != nullptr) output.tensorboard->write(fold, output.log.lines());
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

}  // namespace hanok::training
