// What all convolutions with products in dynamic fixed point share (kernels/cpu/isa/int16.cpp): the
// product by the fastest instructions, how many of its terms are exact, and the factors of a sum
// over pixels or tiles.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/int16.h"

namespace hanok::cpu::quantized {

/// C (+)= A * B by the fastest instructions that the CPU has.
void multiply(const Int16Kernels& kernels, const Int16Block& block);

// ---- exact terms ----

/// The most terms that no sum over a matrix q [rows, 16] (as Int16Panel) overflows with: 32,
/// doubled as often as proven, until there are `enough`.
std::int64_t proven_terms(const Int16Kernels& kernels, const std::int16_t* q, std::int64_t rows,
                          std::int64_t enough);

/// Packed weights begin with the number of terms that no sum of them overflows with, on a cache
/// line of its own.
constexpr std::int64_t kTermsFloats = 16;
/// Stores the least of the panels' numbers.
void store_terms(const std::vector<std::int64_t>& terms_of_panels, float* packed);
std::int64_t load_terms(const float* packed);

// ---- factors of a sum over rows: pixels, or tiles ----

/// Rows that share scales in Columns.
constexpr std::int64_t kRunRows = 64;

/// Matrices [rows, channels], one for each point of a transform, as factors of a sum over rows:
/// pairs of neighbouring rows [points][runs][rows / 2, channels][2]; of each run of at most 64
/// rows, scales [points][runs][channels] and how many terms of a sum are exact
/// [points][runs][channels / 16].
class Columns {
 public:
  static constexpr std::int64_t kGroup = kPanelColumns;  // channels with one number of exact terms

  Columns(std::int64_t runs, std::int64_t channels, std::int64_t points)
      : points_(points),
        runs_(runs),
        groups_(divide_up(channels, kGroup)),
        row_floats_(packed_row_stride(channels)),
        point_floats_(packed_row_stride(runs * kRunRows / 2 * row_floats_)) {}

  /// Memory that they need.
  std::int64_t floats() const {
    return round_up(points_ * (point_floats_ + runs_ * groups_ * (kGroup + 1)), kPanelColumns);
  }
  void lie_at(float* memory) {
    q_ = reinterpret_cast<std::int16_t*>(memory);
    scales_ = memory + points_ * point_floats_;
    terms_ = reinterpret_cast<std::int32_t*>(scales_ + points_ * runs_ * groups_ * kGroup);
  }

  /// Channels [channel, channel + count) of a point, from the first of a group on; row i is
  /// x[i * stride .. + count).
  struct Channels {
    std::int64_t point = 0, channel = 0, count = 0, rows = 0;
    const float* x;
    std::int64_t stride;
  };
  /// Those of the rows of a run.
  void set(const Int16Kernels& kernels, std::int64_t run, const Channels& channels) const;

  /// A point's channels from one on.
  struct Factor {
    const Columns& columns;
    std::int64_t point, channel;
  };
  /// C (+)= a^T b over `rows` rows of a run; `block` holds the rest: the size, C, and whether it
  /// has sums already.
  static void multiply(const Int16Kernels& kernels, std::int64_t run, std::int64_t rows,
                       const Factor& a, const Factor& b, Int16Block block);

 private:
  // Integers from a pair of rows to the next.
  std::int64_t pair_stride() const { return 2 * row_floats_; }
  std::int16_t* q(std::int64_t point, std::int64_t run, std::int64_t channel) const {
    return q_ + 2 * (point * point_floats_ + channel) + run * kRunRows / 2 * pair_stride();
  }
  float* scales(std::int64_t point, std::int64_t run, std::int64_t channel) const {
    return scales_ + (point * runs_ + run) * groups_ * kGroup + channel;
  }
  std::int32_t* terms(std::int64_t point, std::int64_t run, std::int64_t channel) const {
    return terms_ + (point * runs_ + run) * groups_ + channel / kGroup;
  }

  std::int64_t points_, runs_, groups_;
  std::int64_t row_floats_, point_floats_;  // a pair of integers is as large as a float
  std::int16_t* q_ = nullptr;
  float* scales_ = nullptr;
  std::int32_t* terms_ = nullptr;
};

}  // namespace hanok::cpu::quantized
