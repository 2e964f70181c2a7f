// The model of scaling.h in words: what finetune --plan --ranks prints, and how near it comes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/preflight/scaling.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// 1, 2, 4, ... up to `most`, which is the last.
std::vector<std::int64_t> rank_counts(std::int64_t most);

/// What is known of one rank; tables of images/s and efficiency over ranks and links, for a batch a
/// rank and for one of `shared` images that is shared out; and for each link what would have to
/// change where efficiency falls below 80%. Throws ValueError for fewer than 1 rank.
std::string scaling_text(const StepWork& work, std::int64_t shared, std::int64_t ranks,
                         const std::vector<Link>& links);

/// A step that was measured on real ranks, each with `images` images.
struct MeasuredStep {
  std::int64_t ranks = 1;
  double images = 0, seconds = 0;
};
/// A line per measurement: what was measured, what the model says with the latency and bandwidth
/// that were measured, and by how many per cent it is off. All ranks share a machine of `cores`; 0:
/// each has a machine of its own.
std::string compare_with_measured(const StepWork& work, const Link& link,
                                  const std::vector<MeasuredStep>& measured, int cores);

}  // namespace hanok::training
#pragma GCC visibility pop
