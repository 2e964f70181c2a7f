#include "hanok/apps/training/samples/image_loading.h"

#include <algorithm>
#include <utility>

#include "hanok/apps/run/network.h"
#include "hanok/apps/training/rank_share.h"
#include "hanok/data/sampler.h"
#include "hanok/data/shards.h"
#include "hanok/engine/allocator.h"

namespace hanok::training {

data::Preprocessing preprocessing(const Options& options) {
  data::Preprocessing result = pretrained_preprocessing(options.model);
  result.resize = 0;
  result.image_size = static_cast<int>(options.image_size);
  // ImageNet's models see the middle 224 of 256 pixels.
  if (options.crop == Crop::Center) result.resize = (result.image_size * 8 + 3) / 7;
  result.grayscale = options.grayscale;
  return result;
}

int prefetched_batches(std::int64_t batch_size, std::int64_t image_size) {
  constexpr std::size_t kShare = 16, kMost = 4, kInUse = 2;
  const std::int64_t floats = batch_size * 3 * image_size * image_size;
  const auto bytes = static_cast<std::size_t>(floats) * sizeof(float);
  const std::size_t budget = allocator_of(Device::cpu()).statistics().budget;
  const std::size_t held = std::clamp(budget / kShare / bytes, kInUse + 1, kInUse + kMost);
  return static_cast<int>(held - kInUse);
}

data::LoaderOptions evaluation_loader(const Options& options) {
  data::LoaderOptions loader;
  loader.prefetch = prefetched_batches(options.batch_size, options.image_size);
  loader.preprocessing = preprocessing(options);
  loader.batch_size = options.batch_size;
  loader.workers = static_cast<int>(options.workers);
  loader.seed = options.seed;
  loader.share = evaluation_positions();
  return loader;
}

data::LoaderOptions training_loader(const Options& options, bool drop_last) {
  data::LoaderOptions loader = evaluation_loader(options);
  loader.augmentation = options.augment.transforms;
  loader.drop_last = drop_last;
  loader.share = training_positions(options);
  return loader;
}

data::ImageCacheOptions image_cache(const Options& options, std::int64_t images, std::int64_t all,
                                    const std::string& spill_folder) {
  data::ImageCacheOptions cache;
  cache.images = images;
  cache.budget = 0;
  if (options.cache_images == Caching::No) return cache;
  const MemoryStatistics memory = allocator_of(Device::cpu()).statistics();
  const std::size_t left = memory.budget > memory.in_use ? memory.budget - memory.in_use : 0;
  const std::int64_t budget =
      std::min(options.image_budget << 20, static_cast<std::int64_t>(left / 4));
  const double share = static_cast<double>(images) / static_cast<double>(std::max(images, all));
  cache.budget = static_cast<std::int64_t>(static_cast<double>(budget) * share);
  if (options.cache_images == Caching::Yes) cache.spill_folder = spill_folder;
  return cache;
}

std::vector<std::int64_t> training_order(const Options& options, const data::Dataset& dataset,
                                         const std::vector<std::int64_t>& samples,
                                         std::int64_t epoch) {
  std::vector<std::int64_t> labels;
  for (const std::int64_t i : samples) {
    labels.push_back(dataset.samples[static_cast<std::size_t>(i)].label);
  }
  std::vector<std::int64_t> order = data::epoch_order(options.sampler, labels, options.seed, epoch);
  for (std::int64_t& i : order) i = samples[static_cast<std::size_t>(i)];
  if (dataset.shards.empty()) return order;
  return data::in_shard_order(
      dataset, std::move(order),
      {.seed = options.seed, .epoch = epoch, .buffer = options.shuffle_buffer});
}

}  // namespace hanok::training
