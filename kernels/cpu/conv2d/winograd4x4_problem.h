// What a convolution by Winograd F(4x4, 3x3) computes and how its tiles are cut into blocks: shared
// by its floating-point and its integer products.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "hanok/kernels/base/thread_pool.h"
#include "hanok/kernels/cpu/conv2d/winograd4x4.h"
#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"

namespace hanok::cpu::winograd_tiles {

constexpr std::int64_t kStagedGroup = 6;  // tiles per task of a transform, and of moments

/// Forward, or backward data seen as the forward convolution of dy that it is.
struct Problem {
  std::int64_t batch;
  std::int64_t in_h, in_w, in_channels;
  std::int64_t out_h, out_w, out_channels;
  std::int64_t pad_h, pad_w;
  Conv2dSchedule schedule;
  std::int64_t fused_tiles;  // of a block, at most, where the schedule is Fused

  TileGrid grid() const { return {out_h, out_w, kWinogradTile, !fused()}; }
  TiledImages inputs() const { return {in_h, in_w, in_channels}; }
  std::int64_t tiles() const { return batch * grid().per_image(); }
  bool fused() const { return schedule == Conv2dSchedule::Fused; }
  /// Tiles of one block, equal for all blocks but the last.
  std::int64_t block_tiles() const {
    const std::int64_t most = fused() ? fused_tiles : winograd4x4::kStagedTiles;
    return std::max<std::int64_t>(
        divide_up(tiles(), std::max<std::int64_t>(divide_up(tiles(), most), 1)), 1);
  }
  /// Tiles whose moments are computed together.
  std::int64_t moment_tiles() const { return fused() ? block_tiles() : kStagedGroup; }
  /// Groups of moment_tiles() never cross a block.
  std::int64_t moment_groups_per_block() const { return divide_up(block_tiles(), moment_tiles()); }
  std::int64_t blocks() const { return divide_up(tiles(), block_tiles()); }
  std::vector<WinogradTile> block(std::int64_t b) const {
    return grid().tiles(b * block_tiles(), std::min((b + 1) * block_tiles(), tiles()));
  }
  std::int64_t moment_groups() const { return blocks() * moment_groups_per_block(); }
};

inline Problem problem_of(Conv2dPass pass, const Conv2dShape& s, Conv2dSchedule schedule,
                          std::int64_t fused_tiles) {
  if (pass == Conv2dPass::Forward) {
    return {.batch = s.n,
            .in_h = s.h,
            .in_w = s.w,
            .in_channels = s.c,
            .out_h = s.p(),
            .out_w = s.q(),
            .out_channels = s.k,
            .pad_h = s.window.pad_h,
            .pad_w = s.window.pad_w,
            .schedule = schedule,
            .fused_tiles = fused_tiles};
  }
  return {.batch = s.n,
          .in_h = s.p(),
          .in_w = s.q(),
          .in_channels = s.k,
          .out_h = s.h,
          .out_w = s.w,
          .out_channels = s.c,
          .pad_h = 2 - s.window.pad_h,
          .pad_w = 2 - s.window.pad_w,
          .schedule = schedule,
          .fused_tiles = fused_tiles};
}

/// Calls run_block(b, next) for all blocks of the schedule Fused, in parallel. Blocks side by side
/// go to one thread; `next` is the block that it will most likely be given after b, so that b's
/// products can prefetch for it. It may be past the last.
template <typename F>
void run_fused_blocks(ThreadPool& pool, const Problem& p, const F& run_block) {
  constexpr std::int64_t kMostBlocks = 4;    // of a task,
  constexpr std::int64_t kFewestTasks = 32;  // as long as there are that many tasks
  const std::int64_t length = std::clamp<std::int64_t>(p.blocks() / kFewestTasks, 1, kMostBlocks);
  pool.run_blocks(p.blocks(), length, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      run_block(b, b + 1);
    }
  });
}

/// Tiles of each group of moments, in order; groups past the last tile (of the last block) are
/// left out.
std::vector<std::int64_t> moment_rows(const Problem& p, const TiledImages& images);

}  // namespace hanok::cpu::winograd_tiles
