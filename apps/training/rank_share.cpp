#include "hanok/apps/training/rank_share.h"

#include <algorithm>

#include "hanok/apps/run/ranks.h"
#include "hanok/engine/sliced_batch.h"

namespace hanok::training {
namespace {

void append(std::vector<std::int64_t>& positions, const ImageRange& range) {
  for (std::int64_t i = range.begin; i < range.end; ++i) positions.push_back(i);
}

}  // namespace

std::int64_t slices_of(const Options& options) {
  return options.slices > 0 ? options.slices : ranks().size();
}

bool is_sliced(const Options& options) { return has_other_ranks() || options.slices > 1; }

std::int64_t parts_of(std::int64_t images, std::int64_t accumulate) {
  return std::clamp<std::int64_t>(accumulate, 1, std::max<std::int64_t>(1, images / 2));
}

std::vector<ImageRange> training_share(const Options& options, std::int64_t images,
                                       std::int64_t parts) {
  const std::int64_t slices = slices_of(options);
  const std::int64_t share = slices / ranks().size();
  std::vector<ImageRange> ranges;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t begin = images * part / parts;
    const std::int64_t of_part = images * (part + 1) / parts - begin;
    const std::int64_t first = share * ranks().rank();
    ranges.push_back({begin + SlicedBatch::slice(first, slices, of_part).begin,
                      begin + SlicedBatch::slice(first + share - 1, slices, of_part).end});
  }
  return ranges;
}

std::function<std::vector<std::int64_t>(std::int64_t)> training_positions(const Options& options) {
  if (!has_other_ranks()) return {};
  return [&options](std::int64_t images) {
    std::vector<std::int64_t> positions;
    const std::int64_t parts = parts_of(images, options.accumulate);
    for (const ImageRange& range : training_share(options, images, parts)) {
      const bool mixed = options.mixup > 0 || options.cutmix > 0;
      if (mixed && range.images() > 0) positions.push_back((range.begin + images - 1) % images);
      append(positions, range);
    }
    return positions;
  };
}

std::function<std::vector<std::int64_t>(std::int64_t)> evaluation_positions() {
  if (!has_other_ranks()) return {};
  return [](std::int64_t images) {
    const SlicedBatch::Slice slice = SlicedBatch::slice(ranks().rank(), ranks().size(), images);
    std::vector<std::int64_t> positions;
    append(positions, {slice.begin, slice.end});
    return positions;
  };
}

}  // namespace hanok::training
