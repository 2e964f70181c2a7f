#include "hanok/apps/preflight/overfit_trial.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/training/evaluation.h"
#include "hanok/apps/training/samples/image_loading.h"
#include "hanok/engine/autograd.h"

namespace hanok::training {
namespace {

constexpr std::int64_t kImages = 16;
constexpr int kSettlingPasses = 40;  // running statistics then hold 1.5% of older ones

/// Up to `count` training images, from each class in turn.
std::vector<std::int64_t> pick_images(const FoldSamples& samples, std::int64_t count) {
  std::vector<std::vector<std::int64_t>> of_class(samples.dataset.class_names.size());
  for (const std::int64_t i : samples.training) {
    const std::int64_t label = samples.dataset.samples[static_cast<std::size_t>(i)].label;
    of_class[static_cast<std::size_t>(label)].push_back(i);
  }
  std::vector<std::int64_t> picked;
  for (std::size_t turn = 0; picked.size() < static_cast<std::size_t>(count); ++turn) {
    const std::size_t before = picked.size();
    for (const std::vector<std::int64_t>& members : of_class) {
      if (turn < members.size() && picked.size() < static_cast<std::size_t>(count)) {
        picked.push_back(members[turn]);
      }
    }
    if (picked.size() == before) break;
  }
  return picked;
}

}  // namespace

Options plain_recipe(Options options, std::int64_t images) {
  options.augment = parse_augment("none");
  options.loss = LossKind::CrossEntropy;
  options.label_smoothing = options.mixup = options.cutmix = options.ema = 0;
  options.class_weights = ClassWeights::None;
  options.scheduler = ScheduleKind::Constant;
  options.warmup = 0;
  options.accumulate = std::clamp<std::int64_t>(images * options.accumulate / options.batch_size, 1,
                                                options.accumulate);
  options.batch_size = images;
  return options;
}

OverfitTrial::OverfitTrial(const FoldJob& job)
    : options_(plain_recipe(
          job.options,
          std::min(kImages, static_cast<std::int64_t>(job.data.training(job.fold).size())))),
      job_{.options = options_,
           .data = job.data,
           .reporter = job.reporter,
           .fold = job.fold,
           .start_weights = job.start_weights},
      samples_(job_),
      setup_(job_, samples_),
      loader_(samples_.dataset, evaluation_loader(options_)),
      batches_(*setup_.model, loader_, job.reporter),
      step_({.job = job_,
             .samples = samples_,
             .setup = setup_,
             .batches = batches_,
             .cut = first_cut(options_)}),
      images_(pick_images(samples_, options_.batch_size)) {
  setup_.freezing->apply(*setup_.model, options_.epochs - 1);
  batches_.start_epoch(0, images_);
  batches_.next(batch_);
}

OverfitTrial::Step OverfitTrial::step() {
  setup_.model->train();
  const StepPosition position{.fold = job_.fold, .step_in_epoch = steps_, .step = steps_};
  ++steps_;
  last_loss_ = std::numeric_limits<double>::quiet_NaN();
  try {
    const StepOutcome outcome = step_.run(batch_, position, StepRunner::GradientNorm::Skip);
    step_.check_finite(outcome);
    last_loss_ = outcome.loss();
    return {last_loss_, outcome.correct() == static_cast<std::int64_t>(outcome.labels.size())};
  } catch (const NonFiniteLoss&) {
    return {last_loss_, false};
  }
}

bool OverfitTrial::overfit(double goal) {
  setup_.model->train();
  step_.check_model(0);  // evaluation may have come before
  while (steps_ < kMostSteps) {
    if (interrupted()) throw Error("interrupted");
    const Step done = step();
    if (!std::isfinite(done.loss)) return false;
    if (done.all_correct && done.loss <= goal) return true;
  }
  return false;
}

double OverfitTrial::evaluation_accuracy() {
  {
    const NoGrad no_grad;  // update the running statistics to the last weights
    for (int pass = 0; pass < kSettlingPasses; ++pass) model()(batch_.images);
  }
  const std::optional<Evaluation> evaluation =
      evaluate(model(), batches_, images_, samples_.classes(), Tensor());
  if (!evaluation) throw Error("interrupted");
  return evaluation->confusion.accuracy();
}

}  // namespace hanok::training
