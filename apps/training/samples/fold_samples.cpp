#include "hanok/apps/training/samples/fold_samples.h"

#include <algorithm>
#include <limits>

#include "hanok/apps/training/samples/corrections.h"
#include "hanok/apps/training/samples/image_loading.h"
#include "hanok/data/sampler.h"
#include "hanok/kernels/base/error.h"

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

/// For training alone: validation stays as it was.
void use_corrected_labels(data::Dataset& dataset, std::vector<std::int64_t>& training,
                          const std::vector<std::int64_t>& corrected) {
  const auto label_of = [&](std::int64_t i) { return corrected[static_cast<std::size_t>(i)]; };
  training.erase(std::remove_if(training.begin(), training.end(),
                                [&](std::int64_t i) { return label_of(i) == kDropped; }),
                 training.end());
  for (const std::int64_t i : training) {
    dataset.samples[static_cast<std::size_t>(i)].label = label_of(i);
  }
}

}  // namespace

FoldSamples::FoldSamples(const FoldJob& job)
    : dataset(job.data.dataset),
      training(job.data.training(job.fold)),
      validation(job.data.validation(job.fold)) {
  const Options& options = job.options;
  if (!job.data.corrected.empty()) use_corrected_labels(dataset, training, job.data.corrected);
  if (options.crop == Crop::Face && !job.data.faces) {
    throw ValueError("--crop face: the images were not searched for faces (prepare_cropped_data)");
  }
  if (job.labels == TrainingLabels::Shuffled) shuffle_labels(dataset, training, options.seed);
  // A sampler may repeat images or leave some out.
  const auto images =
      static_cast<std::int64_t>(training_order(options, dataset, training, 0).size());
  drop_last = images > options.batch_size && images % options.batch_size == 1;
  images_per_epoch = images - (drop_last ? 1 : 0);
  steps_per_epoch = (images_per_epoch + options.batch_size - 1) / options.batch_size;
  total_steps = options.epochs * steps_per_epoch;
  if (options.max_steps > 0) total_steps = std::min(total_steps, options.max_steps);
}

}  // namespace hanok::training
