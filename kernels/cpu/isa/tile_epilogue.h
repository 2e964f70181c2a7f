// The epilogue of a register tile, on sums that are still in registers. Included by the products of
// floats (gemm_tile.h) and of integers (int16.cpp).
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/gemm_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

/// How v * scale + shift is rounded: once where the path can, or twice, as every path can.
enum class Rounding { OfPath, SameOnAllPaths };

template <Rounding kRounding>
[[maybe_unused]] inline Vec scale_and_shift(Vec v, Vec scale, Vec shift) {
  if constexpr (kRounding == Rounding::OfPath) return mul_add(v, scale, shift);
  return v * scale + shift;
}

/// Vector h of each row of a tile, whose columns are C's from `column` on. Row i of C starts at
/// c_row_offset[i] + column.
template <Rounding kRounding, int kRows, int kVectors>
[[maybe_unused]] inline __attribute__((always_inline)) void apply_epilogue(
    const TileEpilogue& e, int64_t column, const int64_t* c_row_offset, int h,
    Vec (&acc)[kRows][kVectors]) {
  if (e.scale && e.shift) {
    const Vec scale = load(e.scale + column);
    const Vec shift = load(e.shift + column);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) acc[i][h] = scale_and_shift<kRounding>(acc[i][h], scale, shift);
  } else if (e.scale) {
    const Vec scale = load(e.scale + column);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) acc[i][h] = acc[i][h] * scale;
  } else if (e.shift) {
    const Vec shift = load(e.shift + column);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) acc[i][h] = acc[i][h] + shift;
  }
  if (e.residual) {
    const float* residual = e.residual + column;
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) acc[i][h] = acc[i][h] + load(residual + c_row_offset[i]);
  }
  if (e.relu) {
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) acc[i][h] = clip(acc[i][h], broadcast(e.ceiling));
  }
}

/// The same for the first n lanes of one vector, at C + `at`.
template <Rounding kRounding>
[[maybe_unused]] inline Vec with_epilogue(const TileEpilogue& e, int64_t column, int64_t at,
                                          int64_t n, Vec v) {
  if (e.scale && e.shift) {
    v = scale_and_shift<kRounding>(v, load_first(e.scale + column, n),
                                   load_first(e.shift + column, n));
  } else if (e.scale) {
    v = v * load_first(e.scale + column, n);
  } else if (e.shift) {
    v = v + load_first(e.shift + column, n);
  }
  if (e.residual) v = v + load_first(e.residual + at, n);
  if (e.relu) v = clip(v, broadcast(e.ceiling));
  return v;
}

}  // namespace
}  // namespace hanok::cpu::HANOK_ISA
