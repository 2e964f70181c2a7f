// Whether and how a fold's training caches features.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/apps/options/options.h"
#include "hanok/apps/training/feature_cache.h"

namespace hanok::training {

struct FeatureCachePlan {
  FeatureCacheOptions training, validation;
  std::string note;  // a line for the user; empty if caching was not asked for
};

/// `model` is frozen as in its first epoch. Throws UsageError if --cache-features yes cannot be
/// done, saying why.
FeatureCachePlan plan_feature_cache(const Options& options, nn::Module& model,
                                    std::int64_t training_images, std::int64_t validation_images,
                                    bool drop_last, const std::string& spill_folder);

/// Which of an image's augmentations an epoch shows: the epoch's number, or with --augment-repeats
/// its place in the turn.
std::int64_t augmentation_draw(const Options& options, std::int64_t epoch);

}  // namespace hanok::training
