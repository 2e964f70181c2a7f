// Which images of a batch this rank computes.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "hanok/apps/options/options.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Images [begin,end) of a batch.
struct ImageRange {
  std::int64_t begin = 0, end = 0;
  std::int64_t images() const { return end - begin; }
};

/// The slices of a batch (engine/sliced_batch.h): --slices, or one a rank.
std::int64_t slices_of(const Options& options);
/// Whether batches are computed so.
bool is_sliced(const Options& options);

/// The parts of a batch of `images` with --accumulate: none has a single image, which has no batch
/// statistics worth the name.
std::int64_t parts_of(std::int64_t images, std::int64_t accumulate);

/// This rank's images of each part of a training batch of `images` in `parts` parts.
std::vector<ImageRange> training_share(const Options& options, std::int64_t images,
                                       std::int64_t parts);

/// What a loader of training batches reads (data::LoaderOptions::share): this rank's images, with
/// --mixup or --cutmix the one before them, too. Empty on one rank, which reads all.
std::function<std::vector<std::int64_t>(std::int64_t)> training_positions(const Options& options);
/// The same for evaluation: batches are shared equally.
std::function<std::vector<std::int64_t>(std::int64_t)> evaluation_positions();

}  // namespace hanok::training
#pragma GCC visibility pop
