#include "hanok/apps/preflight/rehearsal.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/progress.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/preflight/step_work.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/fold_result.h"
#include "hanok/apps/training/device/late_results.h"
#include "hanok/apps/training/evaluation.h"
#include "hanok/apps/training/features/feature_cache_plan.h"
#include "hanok/apps/training/samples/fold_batches.h"
#include "hanok/apps/training/samples/fold_samples.h"
#include "hanok/apps/training/samples/image_loading.h"
#include "hanok/apps/training/step_runner.h"
#include "hanok/apps/training/training_setup.h"
#include "hanok/engine/profiler.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {
namespace {

/// As many as the loader prefetches: then its buffers are those of a long epoch.
constexpr std::int64_t kBatches = 4;

template <typename Action>
double timed(const Action& action) {
  const Clock::time_point start = Clock::now();
  action();
  return seconds_since(start);
}

std::vector<std::int64_t> first(const std::vector<std::int64_t>& samples, std::int64_t count) {
  const auto size = std::min(count, static_cast<std::int64_t>(samples.size()));
  return {samples.begin(), samples.begin() + size};
}

/// Decodes the images once, as the first epoch does; returns seconds per image.
double read_images(data::Loader& loader, const std::vector<std::int64_t>& samples) {
  data::Batch batch;
  const double seconds = timed([&] {
    loader.start_epoch(0, samples);
    while (loader.next(batch)) {
    }
  });
  return seconds / static_cast<double>(samples.size());
}

/// Share of `images` decoded images of a fold's `all` that the loader does not keep.
double not_cached(const Options& options, std::int64_t images, std::int64_t all) {
  const data::ImageCacheOptions cache = image_cache(options, images, all, ".");
  if (!cache.spill_folder.empty()) return 0;
  const auto bytes = static_cast<double>(images * options.image_size * options.image_size * 3);
  const auto room = static_cast<double>(cache.budget);
  return bytes > room ? 1 - room / bytes : 0;
}

/// A fold's training that never gets beyond its first few batches.
class ShortTraining {
 public:
  explicit ShortTraining(const FoldJob& job)
      : job_(job),
        samples_(job),
        setup_(job, samples_),
        batches_(job, samples_, setup_),
        step_({.job = job,
               .samples = samples_,
               .setup = setup_,
               .batches = *batches_.training,
               .cut = first_cut(job.options)}),
        training_(first(samples_.training, kBatches * job.options.batch_size)),
        validation_(first(samples_.validation, kBatches * job.options.batch_size)) {}

  const FoldSamples& samples() const { return samples_; }
  TrainingSetup& setup() { return setup_; }
  /// Whether all steps so far computed batches as the options say.
  bool fitted() {
    const MemoryFitting& fitting = step_.fitting();
    return fitting.recomputed() == 0 && fitting.parts() == job_.options.accumulate;
  }
  bool caches_features() { return batches_.training->would_cache(); }

  /// Seconds per image that reading takes.
  double read() {
    const double seconds = read_images(*batches_.training_loader, training_);
    read_images(*batches_.validation_loader, validation_);
    return seconds;
  }

  /// Trains at most `most` steps of an epoch; returns how many there were.
  std::int64_t train(std::int64_t most) {
    LateResults results(readback_for(setup_.device),
                        [this](const StepOutcome& outcome) { step_.check_finite(outcome); });
    setup_.model->train();
    batches_.training->start_epoch(augmentation_draw(job_.options, 0), training_);
    step_.check_model(batches_.training->cut());
    data::Batch batch;
    std::int64_t steps = 0;
    for (; steps < most && batches_.training->next(batch); ++steps) {
      // The schedule of a short run has no rate for more steps than its own: always the first
      // one's.
      const StepPosition position{.fold = job_.fold, .step_in_epoch = steps_done_++};
      results.add(step_.run(batch, position, StepRunner::GradientNorm::Skip));
    }
    results.finish();
    return steps;
  }

  /// Seconds per image of validation.
  double validate() {
    setup_.optimizer->zero_grad();
    const double seconds = timed([this] {
      evaluate(*setup_.model, *batches_.validation, validation_, samples_.classes(),
               setup_.class_weights);
      setup_.model->train();
    });
    return seconds / static_cast<double>(validation_.size());
  }

 private:
  const FoldJob& job_;
  FoldSamples samples_;
  TrainingSetup setup_;
  FoldBatches batches_;
  StepRunner step_;
  std::vector<std::int64_t> training_, validation_;  // the images of the first batches
  std::int64_t steps_done_ = 0;
};

/// The work of the job's steps, in proportion to their images.
StepWork step_work(const FoldJob& job, std::int64_t epoch) {
  const NominalBatch nominal_batch(job.options.batch_size);
  ShortTraining training(job);
  nn::Module& model = *training.setup().model;
  training.setup().freezing->apply(model, epoch);
  training.read();
  training.setup().optimizer->allocate_moments();
  training.train(training.caches_features() ? kBatches : 1);
  Profiler profiler;
  RecordedSteps recorded{.parts = job.options.accumulate, .threads = num_threads()};
  recorded.seconds = timed([&] { recorded.steps = training.train(kBatches); });
  const std::int64_t images =
      std::min(static_cast<std::int64_t>(training.samples().training.size()),
               recorded.steps * job.options.batch_size);
  recorded.images = images / std::max<std::int64_t>(1, recorded.steps);
  return measured_work(model, profiler.calls(), recorded);
}

}  // namespace

Rehearsal rehearse(const FoldJob& job, std::int64_t epoch) {
  const Options& options = job.options;
  const NominalBatch nominal_batch(options.batch_size);
  forget_peak_memory();
  ShortTraining training(job);
  const FoldSamples& samples = training.samples();
  TrainingSetup& setup = training.setup();
  Allocator& allocator = allocator_of(setup.device);
  allocator.reset_peak();
  setup.freezing->apply(*setup.model, epoch);
  Rehearsal result;
  result.trainable = trainable_parameters(*setup.model);

  const double read_seconds = training.read();
  // What an epoch does, in its order and with its memory: steps, validation, the next epoch's
  // steps.
  setup.optimizer->allocate_moments();
  const nn::StateDict best_weights = copy_state_dict(*setup.model);
  const bool caching = training.caches_features();
  const double first_steps = timed([&] { training.train(caching ? kBatches : 1); });
  double validation_seconds = training.validate();
  if (caching) validation_seconds = training.validate();
  std::int64_t steps_timed = 0;
  const double steps_seconds = timed([&] { steps_timed = training.train(kBatches); });
  const double step_seconds =
      steps_seconds / static_cast<double>(std::max<std::int64_t>(1, steps_timed));

  const auto training_images = static_cast<double>(samples.training.size());
  const auto validation_images = static_cast<double>(samples.validation.size());
  const auto steps = static_cast<double>(samples.steps_per_epoch);
  const auto all = static_cast<std::int64_t>(samples.training.size() + samples.validation.size());
  const auto count = static_cast<std::int64_t>(samples.validation.size());
  const double reading = read_seconds * (training_images + validation_images);
  const double reading_again =
      caching
          ? 0
          : read_seconds * (training_images * not_cached(options, samples.images_per_epoch, all) +
                            validation_images * not_cached(options, count, all));
  result.epoch_seconds =
      steps * step_seconds + validation_seconds * validation_images + reading_again;
  result.first_epoch_extra = reading - reading_again;
  if (caching) {
    result.first_epoch_extra += std::max(0.0, first_steps - steps_seconds) * steps / kBatches;
  }
  const auto timed_images =
      std::min(training_images, static_cast<double>(steps_timed * options.batch_size));
  result.images_per_second = timed_images / std::max(steps_seconds, 1e-9);
  result.whole = training.fitted();
  result.memory = allocator.statistics();
  result.resident = peak_memory_bytes();
  return result;
}

StepWork rehearse_step_work(const FoldJob& job, std::int64_t epoch) {
  const Device device = choose_device(job.options.device);
  if (!device.is_cpu()) {
    throw UsageError(
        fmt::format("--ranks: measures the layers of a step on the CPU only, and --device selects "
                    "{}; give --device cpu",
                    device.to_string()));
  }
  StepWork whole = step_work(job, epoch);
  Options fewer = job.options;
  constexpr std::int64_t kLeast = 2;  // batch norm wants two
  fewer.batch_size = std::max(kLeast * fewer.accumulate, fewer.batch_size / 4);
  if (fewer.batch_size < job.options.batch_size) {
    const FoldJob small{.options = fewer,
                        .data = job.data,
                        .reporter = job.reporter,
                        .fold = job.fold,
                        .start_weights = job.start_weights};
    whole = between(step_work(small, epoch), whole);
  }
  whole.batch_size = job.options.batch_size;
  return whole;
}

}  // namespace hanok::training
