#include "hanok/apps/training/step_runner.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/ranks.h"
#include "hanok/apps/training/rank_share.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/runtime.h"
#include "hanok/nn/layers.h"

namespace hanok::training {
namespace {

TrainingStep make_step(const StepRunner::Context& context) {
  const TrainingSetup& setup = context.setup;
  return TrainingStep({.model = *setup.model,
                       .batches = context.batches,
                       .loss = *setup.loss,
                       .optimizer = *setup.optimizer,
                       .ema = setup.ema.get(),
                       .clip_norm = context.job.options.clip_norm,
                       .scaler = setup.scaler.get(),
                       .options = &context.job.options});
}

}  // namespace

BatchCut first_cut(const Options& options) {
  return {.parts = options.accumulate, .virtual_batch = options.virtual_batch};
}

StepRunner::StepRunner(const Context& context)
    : context_(context),
      upload_(context.setup.device),
      graph_(make_step(context), context.job.reporter,
             {.device = context.setup.device,
              .enabled =
                  context.job.options.cuda_graph == YesNo::Yes && !is_sliced(context.job.options),
              .with_gradient_norm = context.job.options.log_steps > 0}),
      fitting_({.cut = context.cut,
                .reporter = context.job.reporter,
                .give_up =
                    [this](const std::string& why) {
                      // The gradients of the step that was broken off.
                      context_.setup.optimizer->zero_grad();
                      return graph_.give_up(why);
                    },
                .blocks =
                    [this] {
                      const auto blocks =
                          static_cast<std::int64_t>(context_.batches.blocks().size());
                      return std::max<std::int64_t>(0, blocks - 1);
                    },
                .fixed = has_other_ranks()}),
      anomalies_(context.job.options, *context.setup.model) {
  if (context_.cut.virtual_batch) check_virtual_batch();
}

void StepRunner::check_virtual_batch() const {
  const auto refuse = [this](const std::string& why) {
    throw UsageError(fmt::format("--virtual-batch: --model {} {}; leave the option out",
                                 context_.job.options.model, why));
  };
  if (context_.batches.blocks().empty()) {
    refuse("has no blocks that could be computed one after the other");
  }
  for (nn::Module* module : context_.setup.model->modules()) {
    const auto* depth = dynamic_cast<const nn::StochasticDepth*>(module);
    if (depth != nullptr && depth->p > 0) {
      refuse("leaves out random blocks (stochastic depth), in each part of a batch others");
    }
  }
}

template <typename Work>
auto StepRunner::watched(const StepPosition& position, const std::vector<std::int64_t>& samples,
                         const Work& work) const {
  const AnomalyDetector::Scope scope(anomalies_.detector());
  try {
    return work();
  } catch (const AnomalyError& error) {
    throw failure(position, samples, anomalies_.explain(error.anomaly()));
  }
}

bool StepRunner::next(data::Batch& batch, const StepPosition& position) {
  return watched(position, {},
                 [&] { return fitting_.whole([&] { return context_.batches.next(batch); }); });
}

StepOutcome StepRunner::run(const data::Batch& batch, const StepPosition& position,
                            GradientNorm norm) {
  const Options& options = context_.job.options;
  const TrainingSetup& setup = context_.setup;
  // An image gives the same bits in a short last batch as in a full one.
  const NominalBatch nominal_batch(options.batch_size);
  std::string where;
  StepOutcome outcome = fitting_.whole([&] {
    where = describe(position);
    setup.schedule->apply(*setup.optimizer, position.step);
    return StepOutcome{.position = position,
                       .samples = batch.samples,
                       .labels = batch.labels.to_int_vector(),
                       .learning_rate = setup.optimizer->learning_rate()};
  });
  const std::int64_t images = batch.labels.numel();
  // Full batches come again; the short one at an epoch's end is alone of its kind.
  const bool full = images == std::min(options.batch_size, context_.samples.images_per_epoch);
  const auto compute = [&](const BatchCut& cut) {
    // A repeated step draws the same numbers.
    Generator::global().begin_step(position.epoch, position.step_in_epoch);
    const StepRequest request{
        .cut = cut,
        .with_gradient_norm = norm == GradientNorm::Compute,
        .on_loss = [&](double loss) { check_finite(loss, position, batch.samples); }};
    return graph_.run(
        inputs_of(batch, position), request,
        full && !cut.is_virtual() ? StepGraph::Shapes::Repeat : StepGraph::Shapes::Once);
  };
  outcome.results =
      watched(position, batch.samples, [&] { return fitting_.in_parts(images, where, compute); });
  if (norm == GradientNorm::Skip) outcome.results.gradient_norm = Tensor();
  return outcome;
}

/// What the step reads, on its way to the device: asynchronous. May be called again for a batch.
StepInputs StepRunner::inputs_of(const data::Batch& batch, const StepPosition& position) {
  const TrainingLoss& loss = *context_.setup.loss;
  data::Batch mixed = batch;
  const Tensor targets = loss.targets(mixed, position.epoch, position.step_in_epoch);
  StepInputs inputs{.images = mixed.images,
                    .targets = upload_(targets),
                    .denominator = loss.denominator(targets),
                    .phase = loss.phase(position.epoch)};
  const Device device = context_.setup.device;
  if (!device.is_cpu()) {
    inputs.denominator_tensor = Tensor::full({}, inputs.denominator, {DType::F32, device});
  }
  return inputs;
}

void StepRunner::check_finite(const StepOutcome& outcome) const {
  check_finite(outcome.loss(), outcome.position, outcome.samples);
}

void StepRunner::check_finite(double loss, const StepPosition& position,
                              const std::vector<std::int64_t>& samples) const {
  if (std::isfinite(loss)) return;
  throw failure(
      position, samples,
      fmt::format("the loss is {}. --detect-anomaly (beside --resume too) names the layer "
                  "that made the first such value",
                  loss));
}

NonFiniteLoss StepRunner::failure(const StepPosition& position,
                                  const std::vector<std::int64_t>& samples,
                                  const std::string& what) const {
  std::string images = samples.empty() ? "" : ". Images of this batch:";
  for (const std::int64_t i : samples) {
    images += "\n  " + context_.samples.dataset.samples[static_cast<std::size_t>(i)].path;
  }
  const char* kept = context_.setup.device.is_cpu() ? "nothing of this step was kept"
                                                    : "nothing since the last checkpoint was kept";
  return NonFiniteLoss(
      fmt::format("{}: {}\n{}. Try a lower --lr{}", describe(position), what, kept, images));
}

}  // namespace hanok::training
