#include "hanok/apps/training/training_loop.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <memory>
#include <utility>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/profiling/profile.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/ranks.h"
#include "hanok/apps/training/features/feature_cache_plan.h"
#include "hanok/apps/training/samples/image_loading.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {
namespace {

std::string step_log_path(const FoldJob& job) {
  const bool logged = job.writes() && job.options.log_steps > 0;
  return logged ? job.folder->steps(job.fold) : "";
}

}  // namespace

TrainingLoop::TrainingLoop(const Context& context)
    : context_(context),
      progress_(context.state.progress),
      results_(readback_for(context.setup.device),
               [this](const StepOutcome& outcome) { count(outcome); }),
      step_log_(context.job.reporter, step_log_path(context.job), progress_.step) {
  const FoldJob& job = context_.job;
  if (job.log != nullptr && job.writes()) job.log->drop_from(job.fold, progress_.epoch + 1);
  if (job.profile != nullptr) job.profile->add_model(*context_.setup.model);
}

bool TrainingLoop::finished() const {
  const Options& options = context_.job.options;
  const std::int64_t last_epoch = context_.job.last_epoch;
  return progress_.epoch >= options.epochs || (last_epoch > 0 && progress_.epoch >= last_epoch) ||
         context_.state.early_stopping.should_stop() ||
         (options.max_steps > 0 && progress_.step >= options.max_steps);
}

bool TrainingLoop::run() {
  // An image gives the same bits in a short last batch as in a full one.
  const NominalBatch nominal_batch(context_.job.options.batch_size);
  const double seconds_before = progress_.seconds;
  const Clock::time_point start = Clock::now();
  while (progress_.epoch_trained || !finished()) {
    context_.setup.freezing->apply(*context_.setup.model, progress_.epoch);
    take_lasting_memory();
    const bool whole = (progress_.epoch_trained || train_epoch()) && finish_epoch();
    progress_.seconds = seconds_before + seconds_since(start);
    if (!whole) {
      save_last();
      return false;
    }
    if (context_.checkpoints.last_is_due()) save_last();
  }
  save_last();
  return true;
}

/// Before the first step: later it would lie among activations, and a resumed run, which loads this
/// first, would have another amount of memory left.
void TrainingLoop::take_lasting_memory() {
  context_.step.fitting().whole([this] {
    context_.setup.optimizer->allocate_moments();
    nn::StateDict& best_weights = context_.state.best_weights;
    if (best_weights.empty()) best_weights = copy_state_dict(*context_.setup.model);
  });
}

bool TrainingLoop::train_epoch() {
  const Options& options = context_.job.options;
  const FoldSamples& samples = context_.samples;
  FeatureCache& batches = *context_.batches.training;
  const bool shuffled = context_.job.labels == TrainingLabels::Shuffled;
  Progress bar(context_.job.reporter,
               {.label = fmt::format("{}fold {} epoch {}/{}", shuffled ? "shuffled " : "",
                                     context_.job.fold, progress_.epoch + 1, options.epochs),
                .total = samples.images_per_epoch - progress_.counts.seen});
  const std::int64_t images_after =
      (options.epochs - progress_.epoch - 1) * samples.images_per_epoch;

  context_.setup.model->train();
  if (progress_.step_in_epoch < samples.steps_per_epoch) {
    context_.step.fitting().whole([&] {
      batches.start_epoch(
          augmentation_draw(options, progress_.epoch),
          training_order(options, samples.dataset, samples.training, progress_.epoch),
          progress_.step_in_epoch);
    });
    context_.step.check_model(batches.cut());
    const double seconds_before = progress_.epoch_seconds;
    const Clock::time_point start = Clock::now();
    data::Batch batch;
    while (next_batch(batch)) {
      train_on(batch);
      progress_.epoch_seconds = seconds_before + seconds_since(start);
      bar.advance(batch.labels.numel(), images_after);
      if (options.max_steps > 0 && progress_.step >= options.max_steps) break;
      if (interrupted_on_any_rank()) {
        results_.finish();
        return false;
      }
    }
    results_.finish();
    progress_.epoch_seconds = seconds_before + seconds_since(start);
  }
  progress_.epoch_trained = true;
  return true;
}

/// The next batch; false at the epoch's end. What the frozen beginning of the network computes for
/// it belongs to the step in a profile.
bool TrainingLoop::next_batch(data::Batch& batch) {
  StepProfile* profile = context_.job.profile;
  const std::int64_t steps_left = context_.samples.total_steps - progress_.step;
  if (profile != nullptr) profile->begin_step(steps_left - 1);
  const bool found = context_.step.next(batch, position());
  if (!found && profile != nullptr) profile->abandon_step();
  return found;
}

StepPosition TrainingLoop::position() const {
  return {.fold = context_.job.fold,
          .epoch = progress_.epoch,
          .step_in_epoch = progress_.step_in_epoch,
          .step = progress_.step};
}

void TrainingLoop::train_on(const data::Batch& batch) {
  const std::int64_t log_steps = context_.job.options.log_steps;
  if (log_steps > 0 && progress_.step == 0) {
    context_.job.reporter.print(fmt::format("first step {:.2f} s after the start of the process\n",
                                            seconds_since_process_start()));
  }
  const bool logged = log_steps > 0 && (progress_.step + 1) % log_steps == 0;
  StepOutcome outcome = context_.step.run(
      batch, position(),
      logged ? StepRunner::GradientNorm::Compute : StepRunner::GradientNorm::Skip);
  ++progress_.step_in_epoch;
  ++progress_.step;
  progress_.parts = context_.step.fitting().parts();
  progress_.recomputed = context_.step.fitting().recomputed();
  results_.add(std::move(outcome));
  if (context_.job.profile != nullptr) context_.job.profile->end_step();
}

void TrainingLoop::count(const StepOutcome& outcome) {
  context_.step.check_finite(outcome);
  const double loss = outcome.loss();
  const auto images = static_cast<std::int64_t>(outcome.labels.size());
  progress_.counts.add(loss, outcome.correct(), images);
  progress_.images_trained += images;
  if (!outcome.results.gradient_norm.defined()) return;
  step_log_.append({.epoch = outcome.position.epoch + 1,
                    .step = outcome.position.step + 1,
                    .loss = loss,
                    .learning_rate = outcome.learning_rate,
                    .gradient_norm = outcome.results.gradient_norm.to_vector()[0]});
}

std::optional<Evaluation> TrainingLoop::validate() {
  context_.setup.optimizer->zero_grad();  // makes room: the next step would drop them
  return context_.step.fitting().whole([&] {
    return evaluate(*context_.setup.model, *context_.batches.validation,
                    context_.samples.validation, context_.samples.classes(),
                    context_.setup.class_weights);
  });
}

bool TrainingLoop::finish_epoch() {
  const Clock::time_point start = Clock::now();
  nn::Module& model = *context_.setup.model;
  check_weights_of_ranks();
  const std::string hash_chain = next_link();  // of the weights, not of their averages
  // With --ema the averages are what is validated and kept.
  const std::unique_ptr<nn::EmaScope> averages =
      context_.setup.ema ? std::make_unique<nn::EmaScope>(*context_.setup.ema) : nullptr;
  const std::optional<Evaluation> evaluation = validate();
  if (!evaluation) return false;
  model.train();  // drops what evaluation packed, before weights and state are copied

  EpochMetrics metrics = metrics_of(*evaluation);
  warn_of_useless_validation(metrics, *evaluation);
  metrics.best = context_.state.early_stopping.update(
      progress_.epoch,
      context_.job.options.monitor == Monitor::ValLoss ? metrics.val_loss : metrics.val_macro_f1);
  metrics.hash_chain = hash_chain;
  metrics.seconds = progress_.epoch_seconds + seconds_since(start);
  const std::int64_t epochs = context_.job.options.epochs;
  context_.job.reporter.print(fmt::format(
      "{}fold {}  epoch {:>{}}/{}  loss {:.4f}  accuracy {:.4f}  val loss {:.4f}  val accuracy "
      "{:.4f}  macro F1 {:.4f}  lr {:.2e}  {:.0f} images/s  {:.1f} s{}\n",
      context_.job.labels == TrainingLabels::Shuffled ? "shuffled labels, " : "", metrics.fold,
      metrics.epoch, std::to_string(epochs).size(), epochs, metrics.loss, metrics.accuracy,
      metrics.val_loss, metrics.val_accuracy, metrics.val_macro_f1, metrics.learning_rate,
      metrics.images_per_second, metrics.seconds, metrics.best ? "  *" : ""));

  if (metrics.best) {
    nn::StateDict& best_weights = context_.state.best_weights;
    context_.step.fitting().whole([&] {
      copy_state_dict(model, best_weights);
      context_.checkpoints.save_best(context_.state);
    });
  }
  if (context_.job.log != nullptr) {
    context_.job.log->append(metrics);
    if (context_.job.after_epoch) context_.job.after_epoch(*context_.job.log);
  }
  progress_.finish_epoch();
  return true;
}

/// Ranks whose weights came apart must not go on.
void TrainingLoop::check_weights_of_ranks() {
  if (!has_other_ranks()) return;
  check_same_on_ranks({{fmt::format("network after epoch {}", progress_.epoch + 1),
                        weights_hash(*context_.setup.model)}});
}

/// Of the hash chain; empty where no log is kept.
std::string TrainingLoop::next_link() {
  if (context_.job.log == nullptr) return "";
  std::string before;
  for (const EpochMetrics& line : context_.job.log->lines()) {
    if (line.fold == context_.job.fold && line.epoch == progress_.epoch) before = line.hash_chain;
  }
  return chain_.link(*context_.setup.model, before);
}

/// Once: that the loss or the monitored value of validation is no number, and why.
void TrainingLoop::warn_of_useless_validation(const EpochMetrics& metrics,
                                              const Evaluation& evaluation) {
  const bool by_loss = context_.job.options.monitor == Monitor::ValLoss;
  if (std::isfinite(metrics.val_loss) && std::isfinite(metrics.val_macro_f1)) return;
  if (std::exchange(warned_, true)) return;
  std::string cause = "the network's outputs are not finite";
  if (evaluation.confusion.total() == 0) {
    cause = "there is no labelled validation image";
  } else if (evaluation.weight == 0) {
    cause = fmt::format(
        "--class-weights {} gives the validation images weight 0, as their classes have no "
        "training image",
        name_of(context_.job.options.class_weights));
  }
  const bool monitored = !std::isfinite(by_loss ? metrics.val_loss : metrics.val_macro_f1);
  context_.job.reporter.warn(fmt::format("fold {}: the validation loss is {}: {}{}", metrics.fold,
                                         metrics.val_loss, cause,
                                         monitored ? "; such an epoch is never the best" : ""));
}

/// All but whether it is the best epoch, and its seconds.
EpochMetrics TrainingLoop::metrics_of(const Evaluation& evaluation) const {
  EpochMetrics metrics;
  metrics.fold = context_.job.fold;
  metrics.epoch = progress_.epoch + 1;
  metrics.step = progress_.step;
  metrics.loss = progress_.counts.loss();
  metrics.accuracy = progress_.counts.accuracy();
  metrics.val_loss = evaluation.loss;
  const bool scored = evaluation.confusion.total() > 0;
  metrics.val_accuracy = scored ? evaluation.confusion.accuracy() : std::nan("");
  metrics.val_macro_f1 = scored ? evaluation.confusion.macro_f1() : std::nan("");
  metrics.learning_rate = context_.setup.optimizer->learning_rate();
  metrics.trainable_parameters = trainable_parameters(*context_.setup.model);
  metrics.images_per_second =
      static_cast<double>(progress_.counts.seen) / std::max(1e-9, progress_.epoch_seconds);
  return metrics;
}

void TrainingLoop::save_last() {
  step_log_.save();
  context_.step.fitting().whole([this] { context_.checkpoints.save_last(context_.state); });
}

}  // namespace hanok::training
