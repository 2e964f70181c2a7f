#include "hanok/apps/training/features/feature_cache_plan.h"

#include <algorithm>
#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/training/rank_share.h"
#include "hanok/engine/allocator.h"

namespace hanok::training {
namespace {

/// Why features cannot be cached; empty if they can.
std::string obstacle(const Options& options, nn::Module& model) {
  if (shares_batches(options)) return "every epoch gives a process other images";
  if (!options.augment.transforms.empty() && options.augment_repeats == 0) {
    return "every epoch augments images differently; it needs --augment none or --augment-repeats "
           "N";
  }
  if (options.mixup > 0 || options.cutmix > 0) {
    return "--mixup and --cutmix mix images differently in every step";
  }
  auto* staged = dynamic_cast<nn::StagedModule*>(&model);
  if (staged == nullptr) {
    return fmt::format("{} is not cut into stages, so no epoch can start behind the first ones",
                       options.model);
  }
  if (staged->frozen_stages() == 0) {
    return "the first layers learn; it needs --mode feature-extraction, --mode gradual or --freeze";
  }
  return "";
}

}  // namespace

FeatureCachePlan plan_feature_cache(const Options& options, nn::Module& model,
                                    const FoldImages& images) {
  FeatureCachePlan plan;
  const std::string reason = obstacle(options, model);
  const bool insisted = options.cache_features == Caching::Yes;
  if (insisted && !reason.empty()) {
    throw UsageError(fmt::format("--cache-features yes: {}", reason));
  }
  FeatureCacheOptions common;
  common.augmented = !options.augment.transforms.empty();
  // Augmented images are cached on request only: N augmentations take N times the memory.
  common.enabled = reason.empty() &&
                   (insisted || (options.cache_features == Caching::Auto && !common.augmented));
  common.required = insisted;
  common.batch_size = options.batch_size;
  common.spill_folder = images.spill_folder;
  // Half of what is left for tensors at most: the step needs memory too.
  const MemoryStatistics memory = allocator_of(Device::cpu()).statistics();
  const std::size_t left = memory.budget > memory.in_use ? memory.budget - memory.in_use : 0;
  const std::int64_t budget =
      std::min(options.cache_budget << 20, static_cast<std::int64_t>(left / 2));

  plan.training = plan.validation = common;
  plan.training.samples = images.training;
  plan.training.draws = common.augmented ? std::max<std::int64_t>(1, options.augment_repeats) : 1;
  plan.training.drop_last = images.drop_last;
  plan.validation.samples = images.validation;
  plan.validation.augmented = false;
  const std::int64_t training_share = images.training * plan.training.draws;
  const std::int64_t all = std::max<std::int64_t>(1, training_share + images.validation);
  plan.training.budget = static_cast<std::int64_t>(
      static_cast<double>(budget) * static_cast<double>(training_share) / static_cast<double>(all));
  plan.validation.budget = budget - plan.training.budget;
  if (common.enabled) {
    plan.note = fmt::format(
        "features of frozen layers are cached: up to {} MiB in memory, the rest in a file",
        budget >> 20);
  }
  return plan;
}

std::int64_t augmentation_draw(const Options& options, std::int64_t epoch) {
  return options.augment_repeats > 0 ? epoch % options.augment_repeats : epoch;
}

}  // namespace hanok::training
