// A few steps of a training, to know what all of it will take.
#include <algorithm>

#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/training/feature_cache_plan.h"
#include "hanok/apps/training/image_loading.h"
#include "hanok/apps/training/trainer.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {
namespace {

/// As many as the loader has in preparation: then its buffers are those of a long epoch.
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

/// Decodes the images once, as an epoch's first meeting with them does; seconds an image.
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

}  // namespace

Rehearsal Trainer::rehearse(std::int64_t epoch) {
  const Options& options = job_.options;
  const NominalBatch nominal(options.batch_size);
  Allocator& allocator = allocator_of(device_);
  allocator.reset_peak();
  Rehearsal result;
  freezing_->apply(*model_, epoch);
  result.trainable = trainable_parameters(*model_);

  const std::vector<std::int64_t> training = first(training_, kBatches * options.batch_size);
  const std::vector<std::int64_t> validation = first(validation_, kBatches * options.batch_size);
  const double read_seconds = read_images(*training_loader_, training);
  read_images(*validation_loader_, validation);

  const auto train = [&](std::int64_t most) {
    model_->train();
    training_batches_->start_epoch(augmentation_draw(options, 0), training);
    step_graph_->check_model(training_batches_->cut());
    data::Batch batch;
    std::int64_t steps = 0;
    for (; steps < most && training_batches_->next(batch); ++steps) {
      step_ = 0;  // the schedule of a short run has no rate for more steps than its own
      step(batch);
    }
    finish_pending_step();
    return steps;
  };
  const auto validate = [&] {
    evaluate(*model_, *validation_batches_, validation, classes_, class_weights_);
    model_->train();
  };
  // What an epoch does, in its order and with its memory: steps, validation beside the best weights
  // so far (a run's last validation is always so), a checkpoint, which copies the optimiser's
  // state, and the next epoch's steps.
  const bool caching = training_batches_->would_cache();
  const double first_steps = timed([&] { train(caching ? kBatches : 1); });
  best_weights_ = copy_state_dict(*model_);
  double validation_seconds = timed(validate);
  if (caching) validation_seconds = timed(validate);
  {
    const MemoryTag tag("checkpoint");
    optimizer_->state();
  }
  std::int64_t steps_timed = 0;
  const double steps_seconds = timed([&] { steps_timed = train(kBatches); });
  const double step_seconds =
      steps_seconds / static_cast<double>(std::max<std::int64_t>(1, steps_timed));

  const auto training_images = static_cast<double>(training_.size());
  const auto validation_images = static_cast<double>(validation_.size());
  const auto steps = static_cast<double>(steps_per_epoch_);
  const double reading = read_seconds * (training_images + validation_images);
  const auto all = static_cast<std::int64_t>(training_.size() + validation_.size());
  const auto count = static_cast<std::int64_t>(validation_.size());
  const double again =
      caching ? 0
              : read_seconds * (training_images * not_cached(options, images_per_epoch_, all) +
                                validation_images * not_cached(options, count, all));
  result.epoch_seconds =
      steps * step_seconds +
      validation_seconds * validation_images / static_cast<double>(validation.size()) + again;
  result.first_epoch_extra = reading - again;
  if (caching) {
    result.first_epoch_extra += std::max(0.0, first_steps - steps_seconds) * steps / kBatches;
  }
  result.memory = allocator.statistics();
  return result;
}

}  // namespace hanok::training
