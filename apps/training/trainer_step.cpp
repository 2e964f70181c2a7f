// One step of Trainer: batch, forward and backward in parts, update.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "apps/training/errors.h"
#include "apps/training/trainer.h"
#include "engine/generator.h"
#include "engine/ops.h"
#include "engine/runtime.h"
#include "engine/transaction.h"
#include "nn/gradients.h"

namespace hanok::training {

/// Forward and backward over the batch in --accumulate parts, whose losses and gradients add up to
/// the whole batch's.
Trainer::StepOutcome Trainer::accumulate_gradients(data::Batch& batch) {
  const std::int64_t images = batch.labels.numel();
  StepOutcome outcome;
  outcome.epoch = epoch_;
  outcome.step_in_epoch = step_in_epoch_;
  outcome.step = step_;
  outcome.samples = batch.samples;
  outcome.truth = batch.labels.to_int_vector();
  // Images are mixed on the CPU.
  const bool mixed = job_.options.mixup > 0 || job_.options.cutmix > 0;
  if (mixed) batch.images = batch.images.to(Device::cpu());
  const Tensor host_targets = loss_->targets(batch, epoch_, step_in_epoch_);
  const double denominator = loss_->denominator(host_targets);
  const Tensor targets = host_targets.to(device_);
  if (mixed) batch.images = batch.images.to(device_);
  // A part of one image has no batch statistics worth the name.
  const std::int64_t parts =
      std::clamp<std::int64_t>(job_.options.accumulate, 1, std::max<std::int64_t>(1, images / 2));
  double sum = 0;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t begin = images * part / parts;
    const std::int64_t end = images * (part + 1) / parts;
    const Tensor logits = training_batches_->forward(ops::slice(batch.images, 0, begin, end));
    const Tensor loss = (*loss_)(logits, ops::slice(targets, 0, begin, end), denominator);
    if (device_.is_cpu()) check_finite(sum += loss.item(), outcome);
    loss.backward();
    outcome.losses.push_back(loss.detach());
    outcome.predicted.push_back(ops::argmax(logits.detach(), 1));
  }
  return outcome;
}

void Trainer::check_finite(double loss, const StepOutcome& outcome) const {
  if (std::isfinite(loss)) return;
  throw NonFiniteLoss(fmt::format(
      "fold {}, epoch {}, step {}: the loss is {}; {}. Try a lower --lr. Images of this batch:{}",
      job_.fold, outcome.epoch + 1, outcome.step_in_epoch + 1, loss,
      device_.is_cpu() ? "nothing of this step was kept"
                       : "nothing since the last checkpoint was kept",
      batch_names(outcome.samples)));
}

/// The next batch. What the frozen beginning of the network computes for it belongs to the step.
bool Trainer::profiled_next(data::Batch& batch) {
  if (job_.profile != nullptr) job_.profile->begin_step(steps_left() - 1);
  if (training_batches_->next(batch)) return true;
  if (job_.profile != nullptr) job_.profile->abandon_step();
  return false;
}

/// Steps of the fold that are still to come, if it is not stopped early.
std::int64_t Trainer::steps_left() const {
  const Options& options = job_.options;
  std::int64_t total = options.epochs * steps_per_epoch_;
  if (options.max_steps > 0) total = std::min(total, options.max_steps);
  return total - step_;
}

/// One step as a transaction: parameters, running statistics and counters change at its end or not
/// at all.
void Trainer::step(data::Batch& batch) {
  const Options& options = job_.options;
  StepTransaction transaction;
  const NominalBatch nominal_batch(job_.options.batch_size);
  Generator::global().begin_step(epoch_, step_in_epoch_);
  optimizer_->zero_grad();
  StepOutcome outcome = accumulate_gradients(batch);
  schedule_->apply(*optimizer_, step_);
  const bool logged = options.log_steps > 0 && (step_ + 1) % options.log_steps == 0;
  Tensor norm;
  if (options.clip_norm > 0) {
    norm = nn::clip_gradient_norm(model_->parameters(), options.clip_norm);
  } else if (logged) {
    norm = nn::gradient_norm(model_->parameters());
  }
  optimizer_->step();
  transaction.commit();
  if (ema_) ema_->update();

  if (logged) outcome.gradient_norm = norm;
  outcome.learning_rate = optimizer_->learning_rate();
  ++step_in_epoch_;
  ++step_;
  if (device_.is_cpu()) {
    count_step(outcome);
    return;
  }
  std::vector<Tensor> results = outcome.losses;
  results.insert(results.end(), outcome.predicted.begin(), outcome.predicted.end());
  if (logged) results.push_back(outcome.gradient_norm);
  outcome.readback = readback_.start(results);
  // The step before: its results have come while this one was put on its way.
  finish_pending_step();
  pending_step_ = std::move(outcome);
}

/// Reads the results of the step that is still out, if there is one.
void Trainer::finish_pending_step() {
  if (!pending_step_) return;
  StepOutcome outcome = *std::move(pending_step_);
  pending_step_.reset();
  const std::vector<Tensor> results = readback_.finish(outcome.readback);
  const auto parts = static_cast<std::ptrdiff_t>(outcome.losses.size());
  outcome.losses.assign(results.begin(), results.begin() + parts);
  outcome.predicted.assign(results.begin() + parts, results.begin() + 2 * parts);
  if (outcome.gradient_norm.defined()) outcome.gradient_norm = results.back();
  count_step(outcome);
}

/// Adds a step's results, which are on the CPU, to the epoch's.
void Trainer::count_step(const StepOutcome& outcome) {
  double loss = 0;
  for (const Tensor& part : outcome.losses) loss += part.item();
  check_finite(loss, outcome);
  std::size_t i = 0;
  for (const Tensor& part : outcome.predicted) {
    for (const std::int64_t answer : part.to_int_vector()) {
      correct_ += answer == outcome.truth[i++] ? 1 : 0;
    }
  }
  const auto images = static_cast<std::int64_t>(outcome.truth.size());
  loss_sum_ += loss * static_cast<double>(images);
  seen_ += images;
  images_trained_ += images;
  if (outcome.gradient_norm.defined()) {
    step_log_->append({outcome.epoch + 1, outcome.step + 1, loss, outcome.learning_rate,
                       outcome.gradient_norm.to_vector()[0]});
  }
}

std::string Trainer::batch_names(const std::vector<std::int64_t>& samples) const {
  std::string names;
  for (const std::int64_t i : samples) {
    names += "\n  " + dataset_.samples[static_cast<std::size_t>(i)].path;
  }
  return names;
}

}  // namespace hanok::training
