// The batches of a fold: from the disk to the device, past a cache of frozen features.
#pragma once

#include <memory>
#include <string>

#include "hanok/apps/training/features/feature_cache.h"
#include "hanok/apps/training/fold_job.h"
#include "hanok/apps/training/samples/fold_samples.h"
#include "hanok/apps/training/training_setup.h"
#include "hanok/data/loader.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct FoldBatches {
  /// `samples` and `setup` outlive the batches.
  FoldBatches(const FoldJob& job, const FoldSamples& samples, const TrainingSetup& setup);

  std::unique_ptr<data::Loader> training_loader, validation_loader;
  std::unique_ptr<FeatureCache> training, validation;  // on the loaders
  std::string note;  // a line for the user; empty if no features are cached
};

}  // namespace hanok::training
#pragma GCC visibility pop
