#include "hanok/apps/training/trainer.h"

#include <fmt/format.h>

#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/training/predictions.h"
#include "hanok/nn/models/registry.h"

namespace hanok::training {

Trainer::Trainer(const FoldJob& job)
    : job_(job),
      samples_(job_),
      setup_(job_, samples_),
      batches_(job_, samples_, setup_),
      checkpoints_(job_, samples_, setup_),
      state_(checkpoints_.load()),
      step_({.job = job_,
             .samples = samples_,
             .setup = setup_,
             .batches = *batches_.training,
             .cut = {.parts = state_.progress.parts,
                     .recomputed = state_.progress.recomputed,
                     .virtual_batch = job_.options.virtual_batch}}),
      loop_({.job = job_,
             .samples = samples_,
             .setup = setup_,
             .batches = batches_,
             .step = step_,
             .checkpoints = checkpoints_,
             .state = state_}) {
  if (!has_other_ranks()) return;
  // Also: the first rank saves nothing before all have read what is there.
  check_same_on_ranks(
      {{fmt::format("network at the start of fold {}", job_.fold), weights_hash(*setup_.model)},
       {"step to go on from", std::to_string(state_.progress.step)}});
}

std::string Trainer::start_note() const {
  const TrainingProgress& progress = state_.progress;
  if (checkpoints_.resumed()) {
    return fmt::format("fold {}: resuming at epoch {}, step {}", job_.fold, progress.epoch + 1,
                       progress.step_in_epoch + 1);
  }
  std::string note;
  if (!job_.start_weights.empty()) {
    const std::string head =
        setup_.head_is_new ? fmt::format("; new head \"{}\" for {} classes",
                                         nn::head_name(job_.options.model), samples_.classes())
                           : "";
    note = fmt::format("starting from {}{}", job_.start_weights, head);
    for (const std::string& line : setup_.start_notes) note += "\nnote: " + line;
  }
  if (!note.empty() && !batches_.note.empty()) note += "\n";
  return note + batches_.note;
}

std::optional<FoldResult> Trainer::run() {
  if (!loop_.run()) return {};
  const Clock::time_point start = Clock::now();
  const std::string last_hash = weights_hash(*setup_.model);
  take_best_weights();
  const std::optional<Evaluation> evaluation = loop_.validate();
  if (!evaluation) return {};
  state_.progress.seconds += seconds_since(start);
  FoldResult result = make_result(*evaluation);
  result.last_weights_hash = last_hash;
  if (job_.writes()) {
    const std::string rows = predictions_csv(*evaluation, samples_.dataset, job_.fold);
    write_file(job_.folder->fold_predictions(job_.fold), rows);
  }
  return result;
}

void Trainer::take_best_weights() {
  if (state_.early_stopping.best_epoch() >= 0) {
    setup_.model->load_state_dict(state_.best_weights);
    return;
  }
  job_.reporter.warn(
      fmt::format("fold {}: no epoch had a finite {}; the weights after the last one are kept",
                  job_.fold, name_of(job_.options.monitor)));
  if (setup_.ema) setup_.ema->swap();
  checkpoints_.save_best(state_);
}

FoldResult Trainer::make_result(const Evaluation& evaluation) const {
  const TrainingProgress& progress = state_.progress;
  FoldResult result(samples_.classes());
  result.fold = job_.fold;
  result.best_epoch = state_.early_stopping.best_epoch() + 1;
  result.epochs = progress.epoch;
  result.steps = progress.step;
  result.val_loss = evaluation.loss;
  result.confusion = evaluation.confusion;
  if (!job_.data.corrected.empty()) {
    result.corrected = corrected_confusion(evaluation, job_.data.corrected);
  }
  result.subsets = subset_confusions(evaluation, samples_.dataset, job_.options.report_subset);
  result.majority_macro_f1 =
      majority_macro_f1(samples_.dataset, samples_.training, samples_.validation);
  result.weights_hash = weights_hash(*setup_.model);
  result.seconds = progress.seconds;
  result.training_seconds = progress.training_seconds;
  result.images_trained = progress.images_trained;
  result.peak_memory_bytes = peak_memory_bytes();
  if (progress.parts != job_.options.accumulate) result.split_into = progress.parts;
  result.recomputed_blocks = progress.recomputed;
  result.cuda_graph = step_.describe_graph();
  return result;
}

}  // namespace hanok::training
