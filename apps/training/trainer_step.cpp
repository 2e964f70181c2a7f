// One step of Trainer: what goes in, what is counted of what comes out.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/training/trainer.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {

/// What the step reads, on its way to the device: nobody waits. May be asked again for a batch.
StepInputs Trainer::inputs_of(const data::Batch& batch) {
  StepInputs inputs;
  data::Batch mixed = batch;
  const Tensor targets = loss_->targets(mixed, epoch_, step_in_epoch_);
  inputs.images = mixed.images;
  inputs.targets = upload_(targets);
  inputs.denominator = loss_->denominator(targets);
  if (!device_.is_cpu()) {
    inputs.denominator_tensor = Tensor::full({}, inputs.denominator, {DType::F32, device_});
  }
  return inputs;
}

/// A part of one image has no batch statistics worth the name.
std::int64_t Trainer::parts_of(std::int64_t images) const {
  return std::clamp<std::int64_t>(parts_, 1, std::max<std::int64_t>(1, images / 2));
}

StepResults Trainer::compute_step(const StepInputs& inputs, const StepOutcome& outcome) {
  const std::int64_t images = inputs.targets.size(0);
  if (device_.is_cpu()) {
    return step_graph_->step()(inputs, parts_of(images), outcome.logged,
                               [&](double loss) { check_finite(loss, outcome); });
  }
  // Full batches come again; a profile wants to see each op.
  const bool repeats = images == std::min(job_.options.batch_size, images_per_epoch_);
  const bool profiled = job_.profile != nullptr && !job_.profile->is_done();
  return step_graph_->run(inputs, parts_of(images), outcome.logged, job_.options.log_steps > 0,
                          repeats && !profiled);
}

/// The step's results; where memory does not suffice, after what makes it fit.
StepResults Trainer::compute_fitting(const data::Batch& batch, const StepOutcome& outcome) {
  for (;;) {
    try {
      return compute_step(inputs_of(batch), outcome);
    } catch (const OutOfMemory& error) {
      make_room(error, batch.labels.numel());
    }
  }
}

/// Nothing of the step that ran out of memory is left. First the recorded step's memory is given
/// back, then batches are computed in twice as many parts. Rethrows where neither is possible.
void Trainer::make_room(const OutOfMemory& error, std::int64_t images) {
  optimizer_->zero_grad();
  if (step_graph_->give_up(error.what())) return;
  const std::int64_t parts = parts_of(images);
  parts_ = 2 * parts;
  if (parts_of(images) == parts) throw error;
  parts_ = parts_of(images);
  job_.reporter.print(fmt::format(
      "fold {}, epoch {}, step {}: {}. From here on a batch of {} images is computed in {} parts, "
      "as with --accumulate {}: losses and gradients add up to the batch's, batch norm sees {} "
      "images at a time\n",
      job_.fold, epoch_ + 1, step_in_epoch_ + 1, error.what(), images, parts_, parts_,
      (images + parts_ - 1) / parts_));
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
  const NominalBatch nominal_batch(options.batch_size);
  Generator::global().begin_step(epoch_, step_in_epoch_);
  schedule_->apply(*optimizer_, step_);
  StepOutcome outcome;
  outcome.epoch = epoch_;
  outcome.step_in_epoch = step_in_epoch_;
  outcome.step = step_;
  outcome.learning_rate = optimizer_->learning_rate();
  outcome.logged = options.log_steps > 0 && (step_ + 1) % options.log_steps == 0;
  outcome.samples = batch.samples;
  outcome.truth = batch.labels.to_int_vector();
  outcome.results = compute_fitting(batch, outcome);
  ++step_in_epoch_;
  ++step_;
  if (device_.is_cpu()) {
    count_step(outcome);
    return;
  }
  std::vector<Tensor> results = outcome.results.losses;
  const std::vector<Tensor>& predicted = outcome.results.predicted;
  results.insert(results.end(), predicted.begin(), predicted.end());
  if (outcome.logged) results.push_back(outcome.results.gradient_norm);
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
  const auto parts = static_cast<std::ptrdiff_t>(outcome.results.losses.size());
  outcome.results.losses.assign(results.begin(), results.begin() + parts);
  outcome.results.predicted.assign(results.begin() + parts, results.begin() + 2 * parts);
  if (outcome.logged) outcome.results.gradient_norm = results.back();
  count_step(outcome);
}

/// Adds a step's results, which are on the CPU, to the epoch's.
void Trainer::count_step(const StepOutcome& outcome) {
  double loss = 0;
  for (const Tensor& part : outcome.results.losses) loss += part.item();
  check_finite(loss, outcome);
  std::size_t i = 0;
  for (const Tensor& part : outcome.results.predicted) {
    for (const std::int64_t answer : part.to_int_vector()) {
      correct_ += answer == outcome.truth[i++] ? 1 : 0;
    }
  }
  const auto images = static_cast<std::int64_t>(outcome.truth.size());
  loss_sum_ += loss * static_cast<double>(images);
  seen_ += images;
  images_trained_ += images;
  if (outcome.logged) {
    step_log_->append({outcome.epoch + 1, outcome.step + 1, loss, outcome.learning_rate,
                       outcome.results.gradient_norm.to_vector()[0]});
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
