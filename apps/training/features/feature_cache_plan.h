// Whether and how a fold's training caches features.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/apps/options/options.h"
#include "hanok/apps/training/features/feature_cache.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct FeatureCachePlan {
  FeatureCacheOptions training, validation;
  std::string note;  // a line for the user; empty if nothing is cached
};

/// The images of a fold, as far as the cache of their features needs to know.
struct FoldImages {
  std::int64_t training = 0, validation = 0;
  bool drop_last = false;      // training leaves out a last batch that is not full
  std::string spill_folder{};  // for features that memory does not hold
};

/// `model` is frozen as in its first epoch. Throws UsageError if --cache-features yes cannot be
/// done, saying why.
FeatureCachePlan plan_feature_cache(const Options& options, nn::Module& model,
                                    const FoldImages& images);

/// Which of an image's augmentations an epoch shows: the epoch's number, or with --augment-repeats
/// its place in the turn.
std::int64_t augmentation_draw(const Options& options, std::int64_t epoch);

}  // namespace hanok::training
#pragma GCC visibility pop
