// What the matrix product and convolutions share on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hanok/kernels/cpu/isa/gemm_kernels.h"
#include "hanok/kernels/exec_context.h"
#include "hanok/kernels/primitives/gemm.h"

namespace hanok::cpu {

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

/// Rows of A in one cache block (24 tiles of 6 rows) and the most k in one.
inline constexpr std::int64_t kBlockRows = 144;
inline constexpr std::int64_t kBlockK = 256;
/// A call is cut into at least this many pieces where its size allows it, enough for 8 threads.
inline constexpr std::int64_t kWantedTasks = 16;

/// The size of k's equal blocks, at most kBlockK.
constexpr std::int64_t k_block_size(std::int64_t k) {
  return k < 1 ? 1 : k <= kBlockK ? k : round_up(divide_up(k, divide_up(k, kBlockK)), 8);
}

/// Columns (whole panels) that one task computes, so that `row_blocks` times the column blocks
/// reach kWantedTasks where possible.
constexpr std::int64_t column_block_size(std::int64_t columns, std::int64_t row_blocks) {
  const std::int64_t panels = divide_up(columns, kPanelColumns);
  const std::int64_t pieces = divide_up(kWantedTasks, row_blocks < 1 ? 1 : row_blocks);
  return kPanelColumns * divide_up(panels, pieces < panels ? pieces : panels < 1 ? 1 : panels);
}

/// Row stride of packed operands with n floats a row: an odd number of cache lines, so that rows
/// fall into all sets of the caches.
constexpr std::int64_t packed_row_stride(std::int64_t n) {
  return kPanelColumns * (divide_up(n, kPanelColumns) | 1);
}

/// The device-independent epilogue in the tiles' form.
TileEpilogue tile_epilogue(const Epilogue& epilogue);

/// The same from a later column (channel) on.
TileEpilogue at_column(TileEpilogue epilogue, std::int64_t column);

/// Aligned scratch of the calling thread, at least `floats` long; the content is undefined. It
/// holds packed operands of one block and never lives longer.
float* thread_scratch(std::int64_t floats);

/// Per-channel mean and sum of squared deviations of blocks of rows, for bn_mean_var.
/// `mean` and `deviations` are [blocks, channels].
struct BlockMoments {
  float* mean = nullptr;
  float* deviations = nullptr;
  std::int64_t channels = 0;
};

/// Bytes of the moments of `blocks` blocks.
std::size_t block_moments_bytes(std::int64_t blocks, std::int64_t channels);
/// Memory for them, if the epilogue requests moments.
BlockMoments take_moments(Workspace::Scope& scope, const Epilogue& epilogue, std::int64_t blocks,
                          std::int64_t channels);

/// Combines blocks of rows in index order, in double, by Chan's formula:
///   d = mean_b - mean;  mean += d * n_b / (n + n_b);  M2 += M2_b + d^2 * n * n_b / (n + n_b)
/// Block b holds rows[b] rows. mean_var: f32 [2, channels], biased variance.
void combine_moments(const BlockMoments& moments, const std::vector<std::int64_t>& rows,
                     float* mean_var);

}  // namespace hanok::cpu
