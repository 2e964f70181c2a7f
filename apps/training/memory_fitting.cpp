#include "hanok/apps/training/memory_fitting.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

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

std::int64_t MemoryFitting::parts_of(std::int64_t images) const {
  return std::clamp<std::int64_t>(parts_, 1, std::max<std::int64_t>(1, images / 2));
}

bool MemoryFitting::divide(std::int64_t images, const std::string& where, const std::string& why) {
  const std::int64_t before = parts_of(images);
  parts_ = 2 * before;
  parts_ = parts_of(images);
  if (parts_ == before) return false;
  reporter_.print(fmt::format(
      "{}: {}. From here on a batch of {} images is computed in {} parts, as with --accumulate {}: "
      "losses and gradients add up to the batch's, batch norm sees {} images at a time\n",
      where, why, images, parts_, parts_, (images + parts_ - 1) / parts_));
  return true;
}

}  // namespace hanok::training
