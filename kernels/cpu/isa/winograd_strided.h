// The instruction-set-dependent pieces of 3x3 convolutions with stride 2 by Winograd, as one table
// per path. The mathematics is in winograd_strided.cpp, the schedule in
// kernels/cpu/conv2d/winograd_strided.cpp.
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu {

constexpr int64_t kStridedSide = 5;  // points along each axis
constexpr int64_t kStridedPoints = kStridedSide * kStridedSide;

// Which rows and columns of the image, and of the filter, a product is about: 0: the outer taps 0
// and 2, 1: the middle tap 1. The middle tap has no part in the last point of its axis.
struct StridedPhase {
  int64_t row, column;
};
constexpr int64_t kStridedPhases = 4;
constexpr StridedPhase strided_phase(int64_t phase) { return {phase / 2, phase % 2}; }

// Points (i, j) of a phase: i < rows, j < columns of them.
constexpr int64_t strided_rows(StridedPhase phase) { return kStridedSide - phase.row; }
constexpr int64_t strided_columns(StridedPhase phase) { return kStridedSide - phase.column; }

// Phases of point (i, j) along each axis, and together.
constexpr int64_t strided_axis_phases(int64_t i) { return i + 1 < kStridedSide ? 2 : 1; }
constexpr int64_t strided_phases(int64_t point) {
  return strided_axis_phases(point / kStridedSide) * strided_axis_phases(point % kStridedSide);
}
// The place of a phase among those of a point.
constexpr int64_t strided_rank(int64_t point, StridedPhase phase) {
  return phase.row * strided_axis_phases(point % kStridedSide) + phase.column;
}

// Phases of all points before this one: transformed filters of `channels` channels hold as many
// times [channels][16] before it, and a cache line for each point.
constexpr int64_t strided_phases_before(int64_t point) {
  const int64_t i = point / kStridedSide;
  return 18 * i + strided_axis_phases(i) * 2 * (point % kStridedSide);
}
constexpr int64_t kStridedProducts = 81;  // of all points: per channel pair and tile
constexpr int64_t strided_u_offset(int64_t point, int64_t channels) {
  return (strided_phases_before(point) * channels + point) * kPanelColumns;
}
constexpr int64_t strided_u_floats(int64_t channels) {
  return (kStridedProducts * channels + kStridedPoints) * kPanelColumns;
}

// How V's channels lie: in blocks of `block` (the last may be shorter), within a block by phase.
struct StridedChannels {
  int64_t count, block;
  int64_t block_size(int64_t begin) const { return count - begin < block ? count - begin : block; }
  // Floats before the phase's part of the block of channels that starts at `begin`.
  int64_t offset(int64_t point, StridedPhase phase, int64_t begin) const {
    return begin * strided_phases(point) + strided_rank(point, phase) * block_size(begin);
  }
};

struct WinogradStridedKernels {
  // B^T d B of each phase of the 9x9 pixels around a tile, with padding 1
  // -> out[point][tile][StridedChannels]. pad_h and pad_w are not used.
  void (*input_transform)(const WinogradInputBlock& block, const StridedChannels& channels);
  // 4x4 outputs a tile.
  void (*output_transform)(const WinogradOutputBlock& block);
  // One panel of `columns` <= 16 filters of w [K,3,3,channels], `rows` of their input channels
  // -> out[point][phase][row][16], as strided_u_offset(point, rows) says.
  void (*pack_forward)(const float* w, int64_t channels, int64_t rows, int64_t columns, float* out);

  // Backward data. B^T dy B of the 5x5 pixels of a tile -> out[point][tile][channel].
  void (*gradient_input_transform)(const WinogradInputBlock& block);
  // One panel of `columns` <= 16 input channels and `rows` filters of one phase
  // -> out[point of the phase][row][16], points winograd_point_floats(rows) apart.
  void (*pack_backward_data)(const float* w, int64_t channels, int64_t rows, int64_t columns,
                             StridedPhase phase, float* out);
  // m[point of the phase][tile][column] -> the 4x4 pixels of dx that the phase owns: every other
  // one. No epilogue.
  void (*phase_output_transform)(const WinogradOutputBlock& block, StridedPhase phase);

  // Backward weights. A dy A^T of the 4x4 pixels of a tile; padding is not used.
  void (*gradient_transform)(const WinogradInputBlock& block);
  // dw[k][taps of the phase][c] = G^T du[point of the phase][k][c] G, as
  // Winograd4x4Kernels::weights_transform.
  void (*weights_transform)(const float* du, int64_t point_stride, int64_t row_stride, int64_t rows,
                            int64_t columns, StridedPhase phase, float* dw, int64_t channels);
};

}  // namespace hanok::cpu
