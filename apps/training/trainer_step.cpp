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
  const Tensor targets = loss_->targets(batch, epoch_, step_in_epoch_);
  const double denominator = loss_->denominator(targets);
  // A part of one image has no batch statistics worth the name.
  const std::int64_t parts =
      std::clamp<std::int64_t>(job_.options.accumulate, 1, std::max<std::int64_t>(1, images / 2));
  StepOutcome outcome;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t begin = images * part / parts;
    const std::int64_t end = images * (part + 1) / parts;
    const Tensor logits = training_batches_->forward(ops::slice(batch.images, 0, begin, end));
    const Tensor loss = (*loss_)(logits, ops::slice(targets, 0, begin, end), denominator);
    outcome.loss += loss.item();
    if (!std::isfinite(outcome.loss)) {
      throw NonFiniteLoss(fmt::format(
          "fold {}, epoch {}, step {}: the loss is {}; nothing of this step was kept. Try a lower "
          "--lr. Images of this batch:{}",
          job_.fold, epoch_ + 1, step_in_epoch_ + 1, outcome.loss, batch_names(batch)));
    }
    loss.backward();
    for (const std::int64_t answer : ops::argmax(logits.detach(), 1).to_int_vector()) {
      outcome.predicted.push_back(answer);
    }
  }
  return outcome;
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
  const StepOutcome outcome = accumulate_gradients(batch);
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

  const std::vector<std::int64_t> truth = batch.labels.to_int_vector();
  for (std::size_t i = 0; i < truth.size(); ++i) {
    correct_ += outcome.predicted[i] == truth[i] ? 1 : 0;
  }
  const auto images = static_cast<std::int64_t>(truth.size());
  loss_sum_ += outcome.loss * static_cast<double>(images);
  seen_ += images;
  images_trained_ += images;
  ++step_in_epoch_;
  ++step_;
  if (logged) {
    step_log_->append(
        {epoch_ + 1, step_, outcome.loss, optimizer_->learning_rate(), norm.to_vector()[0]});
  }
}

std::string Trainer::batch_names(const data::Batch& batch) const {
  std::string names;
  for (const std::int64_t i : batch.samples) {
    names += "\n  " + dataset_.samples[static_cast<std::size_t>(i)].path;
  }
  return names;
}

}  // namespace hanok::training
