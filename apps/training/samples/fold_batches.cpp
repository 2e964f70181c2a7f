#include "hanok/apps/training/samples/fold_batches.h"

#include "hanok/apps/run/files.h"
#include "hanok/apps/training/features/feature_cache_plan.h"
#include "hanok/apps/training/samples/image_loading.h"

namespace hanok::training {
namespace {

/// The folder for files without a name while the fold is trained; empty if none are `needed`.
std::string spill_folder(const FoldJob& job, bool needed) {
  if (!job.writes()) return needed ? temporary_folder() : "";
  std::string folder = job.folder->fold(job.fold);
  make_folder(folder);
  return needed ? folder : "";
}

}  // namespace

FoldBatches::FoldBatches(const FoldJob& job, const FoldSamples& samples,
                         const TrainingSetup& setup) {
  const auto training_images = static_cast<std::int64_t>(samples.training.size());
  const auto validation_images = static_cast<std::int64_t>(samples.validation.size());
  const std::int64_t all = training_images + validation_images;
  const std::string spill = spill_folder(job, job.options.cache_images == Caching::Yes);
  data::LoaderOptions for_training = training::training_loader(job.options, samples.drop_last);
  data::LoaderOptions for_validation = evaluation_loader(job.options);
  for_training.cache = image_cache(job.options, training_images, all, spill);
  for_validation.cache = image_cache(job.options, validation_images, all, spill);
  // A GPU normalises by itself: a quarter of the bytes to copy.
  for_training.as_bytes = for_validation.as_bytes = !setup.device.is_cpu();
  training_loader = std::make_unique<data::Loader>(samples.dataset, for_training);
  validation_loader = std::make_unique<data::Loader>(samples.dataset, for_validation);
  FeatureCachePlan plan = plan_feature_cache(job.options, *setup.model,
                                             {.training = training_images,
                                              .validation = validation_images,
                                              .drop_last = samples.drop_last});
  plan.training.spill_folder = plan.validation.spill_folder =
      spill_folder(job, plan.training.enabled);
  training = std::make_unique<FeatureCache>(*setup.model, *training_loader, samples.dataset,
                                            plan.training, job.reporter);
  validation = std::make_unique<FeatureCache>(*setup.model, *validation_loader, samples.dataset,
                                              plan.validation, job.reporter);
  note = plan.note;
}

}  // namespace hanok::training
