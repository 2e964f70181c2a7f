#include "hanok/apps/training/trainer.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <limits>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/network.h"
#include "hanok/apps/training/feature_cache_plan.h"
#include "hanok/apps/training/image_loading.h"
#include "hanok/apps/training/optimization.h"
#include "hanok/apps/training/predictions.h"
#include "hanok/data/sampler.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/nn/models/registry.h"

namespace hanok::training {
namespace {

/// The epoch number that keys the draw of shuffled labels: no epoch of training has it.
constexpr std::int64_t kLabelShuffle = std::numeric_limits<std::int32_t>::max();

void shuffle_labels(data::Dataset& dataset, const std::vector<std::int64_t>& samples,
                    std::uint64_t seed) {
  const std::vector<std::int64_t> order =
      data::shuffled(static_cast<std::int64_t>(samples.size()), seed, kLabelShuffle);
  std::vector<std::int64_t> labels;
  for (const std::int64_t i : samples) {
    labels.push_back(dataset.samples[static_cast<std::size_t>(i)].label);
  }
  for (std::size_t i = 0; i < samples.size(); ++i) {
    dataset.samples[static_cast<std::size_t>(samples[i])].label =
        labels[static_cast<std::size_t>(order[i])];
  }
}

}  // namespace

Trainer::Trainer(const FoldJob& job)
    : job_(job),
      dataset_(job.data.dataset),
      training_(job.data.training(job.fold)),
      validation_(job.data.validation(job.fold)),
      classes_(static_cast<std::int64_t>(dataset_.class_names.size())),
      device_(choose_device(job.options.device)),
      head_(nn::head_name(job.options.model)),
      upload_(device_),
      early_stopping_(EarlyStopping::for_monitor(job.options.monitor, job.options.patience,
                                                 job.options.min_delta)),
      started_(Clock::now()),
      last_saved_(started_) {
  const Options& options = job.options;
  parts_ = options.accumulate;
  if (job.shuffle_labels) shuffle_labels(dataset_, training_, options.seed);

  // A last batch of one image has no batch statistics worth the name: it is left out.
  const auto images =
      static_cast<std::int64_t>(training_order(options, dataset_, training_, 0).size());
  const bool drop_last = images > options.batch_size && images % options.batch_size == 1;
  steps_per_epoch_ = (images + options.batch_size - 1) / options.batch_size - (drop_last ? 1 : 0);
  images_per_epoch_ = images - (drop_last ? 1 : 0);
  std::int64_t total_steps = options.epochs * steps_per_epoch_;
  if (options.max_steps > 0) total_steps = std::min(total_steps, options.max_steps);

  // Initial weights depend on the seed alone, not on what was trained before in this process.
  Generator::global().set_seed(options.seed);
  Generator::global().begin_step(0, 0);
  model_ = make_network(options.model, classes_, options.image_size, options.hidden);
  if (!job.start_weights.empty()) {
    const StartReport report = start_from(*model_, head_, job.start_weights);
    start_note_ = fmt::format(
        "starting from {}{}", job.start_weights,
        report.head_kept ? fmt::format("; new head \"{}\" for {} classes", head_, classes_) : "");
  }
  model_->to(device_);
  freezing_ = std::make_unique<FreezingPlan>(*model_, head_, freezing_rules(options));
  optimizer_ = make_optimizer(options, parameter_groups(options, *model_, *freezing_));
  schedule_ = make_schedule(options, total_steps);
  if (options.class_weights != ClassWeights::None) {
    class_weights_ = Tensor::from_vector(class_weights(options.class_weights, dataset_, training_),
                                         Shape{classes_});
  }
  if (class_weights_.defined()) class_weights_ = class_weights_.to(device_);
  loss_ = std::make_unique<TrainingLoss>(options, classes_, class_weights_);
  if (options.ema > 0) ema_ = std::make_unique<nn::Ema>(*model_, options.ema);
  if (options.precision == Precision::F16) {
    scaler_ = std::make_unique<nn::GradScaler>(device_);
    optimizer_->set_skip(scaler_->found());
  }
  make_loaders(drop_last);
  const TrainingStep::Means means{*model_,    *training_batches_, *loss_,       *optimizer_,
                                  ema_.get(), options.clip_norm,  scaler_.get()};
  step_graph_ = std::make_unique<StepGraph>(TrainingStep(means), device_,
                                            options.cuda_graph == YesNo::Yes, job.reporter);
  if (job.folder != nullptr) load_last();
  const bool logged = job.folder != nullptr && options.log_steps > 0;
  step_log_ =
      std::make_unique<StepLog>(job.reporter, logged ? job.folder->steps(job.fold) : "", step_);
}

/// Where files without a name may lie while the fold is trained.
std::string Trainer::spill_folder() const {
  if (job_.folder == nullptr) return std::filesystem::temp_directory_path().string();
  std::string folder = job_.folder->fold(job_.fold);
  make_folder(folder);
  return folder;
}

void Trainer::make_loaders(bool drop_last) {
  const auto training_images = static_cast<std::int64_t>(training_.size());
  const auto validation_images = static_cast<std::int64_t>(validation_.size());
  const std::int64_t all = training_images + validation_images;
  data::LoaderOptions training = training_loader(job_.options, drop_last);
  data::LoaderOptions validation = evaluation_loader(job_.options);
  training.cache = image_cache(job_.options, training_images, all, spill_folder());
  validation.cache = image_cache(job_.options, validation_images, all, spill_folder());
  // A GPU normalises by itself: a quarter of the bytes to copy.
  training.as_bytes = !device_.is_cpu();
  validation.as_bytes = !device_.is_cpu();
  training_loader_ = std::make_unique<data::Loader>(dataset_, training);
  validation_loader_ = std::make_unique<data::Loader>(dataset_, validation);
  const FeatureCachePlan plan = plan_feature_cache(job_.options, *model_,
                                                   {.training = training_images,
                                                    .validation = validation_images,
                                                    .drop_last = drop_last,
                                                    .spill_folder = spill_folder()});
  training_batches_ = std::make_unique<FeatureCache>(*model_, *training_loader_, dataset_,
                                                     plan.training, job_.reporter);
  validation_batches_ = std::make_unique<FeatureCache>(*model_, *validation_loader_, dataset_,
                                                       plan.validation, job_.reporter);
  if (!plan.note.empty()) start_note_ += (start_note_.empty() ? "" : "\n") + plan.note;
  if (job_.profile != nullptr) job_.profile->add_model(*model_);
}

bool Trainer::finished() const {
  const Options& options = job_.options;
  return epoch_ >= options.epochs || early_stopping_.should_stop() ||
         (options.max_steps > 0 && step_ >= options.max_steps);
}

std::optional<FoldResult> Trainer::run() {
  // An image gives the same bits in a short last batch as in a full one.
  const NominalBatch nominal(job_.options.batch_size);
  const double seconds_before = seconds_;
  started_ = Clock::now();
  const auto note_time = [&] { seconds_ = seconds_before + seconds_since(started_); };
  while (epoch_trained_ || !finished()) {
    freezing_->apply(*model_, epoch_);
    const bool whole = (epoch_trained_ || train_epoch()) && end_epoch();
    note_time();
    if (!whole) {
      save_last();
      return {};
    }
    save_last_if_due();
  }
  save_last();
  const std::string last_hash = weights_hash(*model_);
  if (early_stopping_.best_epoch() >= 0) {
    model_->load_state_dict(best_weights_);
  } else {
    if (ema_) ema_->swap();
    save_best();  // no epoch had a finite validation loss: the last weights are all there is
  }
  const std::optional<Evaluation> evaluation = validate();
  if (!evaluation) return {};
  note_time();
  FoldResult result = make_result(*evaluation);
  result.last_weights_hash = last_hash;
  if (job_.folder != nullptr) {
    const std::string rows = predictions_csv(*evaluation, dataset_, job_.fold);
    write_file(job_.folder->fold_predictions(job_.fold), rows);
  }
  return result;
}

/// The next batch. What the frozen beginning of the network computes for it belongs to the step.
bool Trainer::profiled_next(data::Batch& batch) {
  if (job_.profile != nullptr) job_.profile->begin_step(steps_left() - 1);
  if (next_fitting(batch)) return true;
  if (job_.profile != nullptr) job_.profile->abandon_step();
  return false;
}

bool Trainer::next_fitting(data::Batch& batch) {
  for (;;) {
    try {
      return training_batches_->next(batch);
    } catch (const OutOfMemory& error) {
      if (!step_graph_->give_up(error.what())) throw;
    }
  }
}

/// The steps of one epoch from step_in_epoch_ on; false if interrupted.
bool Trainer::train_epoch() {
  const Options& options = job_.options;
  const std::vector<std::int64_t> order = training_order(options, dataset_, training_, epoch_);
  model_->train();
  Progress progress(job_.reporter, {.label = fmt::format("{}fold {} epoch {}/{}",
                                                         job_.shuffle_labels ? "shuffled " : "",
                                                         job_.fold, epoch_ + 1, options.epochs),
                                    .total = images_per_epoch_ - seen_});
  if (step_in_epoch_ < steps_per_epoch_) {
    training_batches_->start_epoch(augmentation_draw(options, epoch_), order, step_in_epoch_);
    step_graph_->check_model(training_batches_->cut());
    const std::int64_t later = (options.epochs - epoch_ - 1) * images_per_epoch_;
    const double seconds_before = epoch_seconds_;
    const Clock::time_point start = Clock::now();
    data::Batch batch;
    while (profiled_next(batch)) {
      if (options.log_steps > 0 && step_ == 0) {
        job_.reporter.print(fmt::format("first step {:.2f} s after the start of the process\n",
                                        seconds_since_process_start()));
      }
      step(batch);
      if (job_.profile != nullptr) job_.profile->end_step();
      epoch_seconds_ = seconds_before + seconds_since(start);
      progress.advance(batch.labels.numel(), later);
      if (options.max_steps > 0 && step_ >= options.max_steps) break;
      if (interrupted()) {
        finish_pending_step();
        return false;
      }
    }
    finish_pending_step();
    epoch_seconds_ = seconds_before + seconds_since(start);
  }
  epoch_trained_ = true;
  return true;
}

/// Empty if interrupted.
std::optional<Evaluation> Trainer::validate() {
  for (;;) {
    try {
      return evaluate(*model_, *validation_batches_, validation_, classes_, class_weights_);
    } catch (const OutOfMemory& error) {
      if (!step_graph_->give_up(error.what())) throw;
    }
  }
}

/// Validation, the epoch's line, early stopping; false if interrupted.
bool Trainer::end_epoch() {
  const Options& options = job_.options;
  const Clock::time_point start = Clock::now();
  // With --ema the averages are what is validated and kept.
  const std::unique_ptr<nn::EmaScope> averages =
      ema_ ? std::make_unique<nn::EmaScope>(*ema_) : nullptr;
  const std::optional<Evaluation> evaluation = validate();
  if (!evaluation) return false;
  model_->train();  // drops what evaluation packed, before weights and state are copied
  const double macro_f1 = evaluation->confusion.macro_f1();
  const bool best = early_stopping_.update(
      epoch_, options.monitor == Monitor::ValLoss ? evaluation->loss : macro_f1);

  EpochMetrics m;
  m.fold = job_.fold;
  m.epoch = epoch_ + 1;
  m.step = step_;
  m.loss = loss_sum_ / static_cast<double>(std::max<std::int64_t>(1, seen_));
  m.accuracy =
      static_cast<double>(correct_) / static_cast<double>(std::max<std::int64_t>(1, seen_));
  m.val_loss = evaluation->loss;
  m.val_accuracy = evaluation->confusion.accuracy();
  m.val_macro_f1 = macro_f1;
  m.learning_rate = optimizer_->learning_rate();
  m.trainable_parameters = trainable_parameters(*model_);
  m.seconds = epoch_seconds_ + seconds_since(start);
  m.images_per_second = static_cast<double>(seen_) / std::max(1e-9, epoch_seconds_);
  m.best = best;
  job_.reporter.print(fmt::format(
      "{}fold {}  epoch {:>{}}/{}  loss {:.4f}  accuracy {:.4f}  val loss {:.4f}  val accuracy "
      "{:.4f}  macro F1 {:.4f}  lr {:.2e}  {:.0f} images/s  {:.1f} s{}\n",
      job_.shuffle_labels ? "shuffled labels, " : "", m.fold, m.epoch,
      std::to_string(options.epochs).size(), options.epochs, m.loss, m.accuracy, m.val_loss,
      m.val_accuracy, m.val_macro_f1, m.learning_rate, m.images_per_second, m.seconds,
      best ? "  *" : ""));

  if (best) {
    best_weights_ = nn::StateDict();  // never two copies at a time
    best_weights_ = copy_state_dict(*model_);
    save_best();
  }
  if (job_.log != nullptr) job_.log->append(m);
  training_seconds_ += epoch_seconds_;
  ++epoch_;
  step_in_epoch_ = 0;
  epoch_trained_ = false;
  loss_sum_ = epoch_seconds_ = 0;
  correct_ = seen_ = 0;
  return true;
}

FoldResult Trainer::make_result(const Evaluation& evaluation) const {
  FoldResult result(classes_);
  result.fold = job_.fold;
  result.best_epoch = early_stopping_.best_epoch() + 1;
  result.epochs = epoch_;
  result.steps = step_;
  result.val_loss = evaluation.loss;
  result.confusion = evaluation.confusion;
  result.subsets = subset_confusions(evaluation, dataset_, job_.options.report_subset);
  result.majority_macro_f1 = majority_macro_f1(dataset_, training_, validation_);
  result.weights_hash = weights_hash(*model_);
  result.seconds = seconds_;
  result.training_seconds = training_seconds_;
  result.images_trained = images_trained_;
  result.peak_memory_bytes = peak_memory_bytes();
  if (parts_ != job_.options.accumulate) result.split_into = parts_;
  result.cuda_graph = step_graph_->describe();
  return result;
}

}  // namespace hanok::training
