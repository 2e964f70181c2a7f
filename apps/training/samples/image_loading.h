// How training reads its images: preprocessing, loader, cache, and the order of an epoch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/options/options.h"
#include "hanok/data/loader.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// How images become input: what the checkpoint carries.
data::Preprocessing preprocessing(const Options& options);
/// Of training images: augmented. `drop_last` leaves out a last batch that is not full.
data::LoaderOptions training_loader(const Options& options, bool drop_last);
/// Of images that are evaluated: as they are, all of them.
data::LoaderOptions evaluation_loader(const Options& options);
/// How many batches a loader prepares ahead: 1 to 4, as many as a small part of the memory for
/// tensors holds.
int prefetched_batches(std::int64_t batch_size, std::int64_t image_size);
/// What --cache-images means for a loader that reads `images` of the `all` images of a fold: its
/// share of the memory (at most a quarter of what tensors have left, all loaders together).
data::ImageCacheOptions image_cache(const Options& options, std::int64_t images, std::int64_t all,
                                    const std::string& spill_folder);

/// The order in which --sampler visits `samples` in `epoch`: indices into the data set. Data in
/// shards are visited one shard after the other (data::in_shard_order, --shuffle-buffer).
std::vector<std::int64_t> training_order(const Options& options, const data::Dataset& dataset,
                                         const std::vector<std::int64_t>& samples,
                                         std::int64_t epoch);

}  // namespace hanok::training
#pragma GCC visibility pop
