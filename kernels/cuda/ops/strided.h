// Strided operands of equal sizes as plain kernel parameters: the merged dimensions of StridedLoop,
// and the map from an element's index to its offsets.
#pragma once

#include <cstdint>

#include "hanok/kernels/base/host_device.h"
#include "hanok/kernels/base/strided.h"

namespace hanok::cuda {

/// `count` operands that are iterated together in row-major order of `sizes`. A scalar is one
/// dimension of size 1.
template <int count>
struct StridedIndex {
  int rank = 0;
  bool fits_32_bits = false;  // element indices: 32-bit divisions are several times faster
  std::int64_t sizes[kMaxRank] = {};
  std::int64_t steps[kMaxRank][count] = {};  // [dimension][operand], in elements

  explicit StridedIndex(const StridedLoop<count>& loop) : rank(loop.rank()) {
    for (int dim = 0; dim < rank; ++dim) {
      sizes[dim] = loop.size(dim);
      for (int i = 0; i < count; ++i) steps[dim][i] = loop.steps(dim)[static_cast<std::size_t>(i)];
    }
    fits_32_bits = numel() <= INT32_MAX;
  }

  std::int64_t numel() const {
    std::int64_t product = 1;
    for (int dim = 0; dim < rank; ++dim) product *= sizes[dim];
    return product;
  }
  /// Strides of operand i along the innermost dimension.
  std::int64_t row_step(int i) const { return steps[rank - 1][i]; }

  /// The offset of element `number` in each operand.
  HANOK_HOST_DEVICE void offsets_of(std::int64_t number, std::int64_t (&offsets)[count]) const {
    fits_32_bits ? unravel<std::uint32_t>(number, offsets)
                 : unravel<std::uint64_t>(number, offsets);
  }

  /// Whether every aligned group of `width` elements is, for every operand, either one element or
  /// `width` adjacent elements that start at a multiple of `width`.
  bool splits_into(std::int64_t width) const {
    if (rank > 1 && sizes[rank - 1] % width != 0) return false;
    for (int i = 0; i < count; ++i) {
      if (row_step(i) == 0) continue;
      if (row_step(i) != 1) return false;
      for (int dim = 0; dim < rank - 1; ++dim) {
        if (steps[dim][i] % width != 0) return false;
      }
    }
    return true;
  }

 private:
  template <typename Number>
  HANOK_HOST_DEVICE void unravel(std::int64_t number, std::int64_t (&offsets)[count]) const {
    for (int i = 0; i < count; ++i) offsets[i] = 0;
    auto rest = static_cast<Number>(number);
    for (int dim = rank - 1; dim > 0; --dim) {
      const auto size = static_cast<Number>(sizes[dim]);
      const Number next = rest / size;
      const auto index = static_cast<std::int64_t>(rest - next * size);
      for (int i = 0; i < count; ++i) offsets[i] += index * steps[dim][i];
      rest = next;
    }
    for (int i = 0; i < count; ++i) offsets[i] += static_cast<std::int64_t>(rest) * steps[0][i];
  }
};

}  // namespace hanok::cuda
