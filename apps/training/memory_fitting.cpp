#include "hanok/apps/training/memory_fitting.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "hanok/apps/training/rank_share.h"
#include "hanok/engine/reclaim.h"

namespace hanok::training {

bool make_room(const LackOfMemory& lack, bool& tried_again, Reporter& reporter) {
  if (reclaim_memory()) {
    reporter.print(fmt::format(
        "{}: cached images and packed weights are given back, and not kept from here on\n",
        lack.message));
    return true;
  }
  return lack.of_system && !std::exchange(tried_again, true);
}

BatchCut MemoryFitting::cut_of(std::int64_t images) const {
  BatchCut cut = cut_;
  cut.parts = cut.virtual_batch
                  ? std::clamp<std::int64_t>(cut.parts, 1, std::max<std::int64_t>(1, images))
                  : parts_of(images, cut.parts);
  return cut;
}

bool MemoryFitting::recompute_more(const std::string& where, const std::string& why) {
  // The blocks of a virtual batch in parts are computed again in any case.
  if (!context_.blocks || cut_.is_virtual()) return false;
  const std::int64_t most = context_.blocks();
  if (cut_.recomputed >= most) return false;
  cut_.recomputed = std::min(most, std::max<std::int64_t>(1, 2 * cut_.recomputed));
  context_.reporter.print(
      fmt::format("{}: {}. From here on the activations of the first {} of the network's {} blocks "
                  "are not kept "
                  "but computed again in the backward pass: slower, the same result\n",
                  where, why, cut_.recomputed, most + 1));
  return true;
}

bool MemoryFitting::divide(std::int64_t images, const std::string& where, const std::string& why) {
  const std::int64_t before = cut_of(images).parts;
  cut_.parts = 2 * before;
  cut_.parts = cut_of(images).parts;
  if (cut_.parts == before) return false;
  const std::int64_t most = (images + cut_.parts - 1) / cut_.parts;
  context_.reporter.print(
      cut_.virtual_batch
          ? fmt::format("{}: {}. From here on a batch of {} images is computed in {} parts of a "
                        "virtual batch: slower, the same result to rounding\n",
                        where, why, images, cut_.parts)
          : fmt::format(
                "{}: {}. From here on a batch of {} images is computed in {} parts, as with "
                "--accumulate {}: losses and gradients add up to the batch's, batch norm "
                "sees {} images at a time (all with --virtual-batch)\n",
                where, why, images, cut_.parts, cut_.parts, most));
  return true;
}

}  // namespace hanok::training
