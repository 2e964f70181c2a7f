// Iterates over strided operands of equal sizes in long rows.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "hanok/kernels/base/shape.h"

#pragma GCC visibility push(default)
namespace hanok {

/// `count` operands of the same sizes, each with its own strides. Dimensions of size 1 are dropped,
/// and adjacent dimensions are merged if they are contiguous in all operands, so that rows are
/// long.
template <int count>
class StridedLoop {
 public:
  using Offsets = std::array<std::int64_t, count>;

  StridedLoop(const Shape& sizes, const std::array<Strides, count>& strides) {
    for (int dim = 0; dim < sizes.rank(); ++dim) {
      if (sizes[dim] == 1) {
        continue;
      }
      Offsets steps;
      for (std::size_t i = 0; i < count; ++i) {
        steps[i] = strides[i][dim];
      }
      if (rank_ > 0 && continues(sizes[dim], steps)) {
        sizes_[last()] *= sizes[dim];
        steps_[last()] = steps;
      } else {
        sizes_[static_cast<std::size_t>(rank_)] = sizes[dim];
        steps_[static_cast<std::size_t>(rank_)] = steps;
        ++rank_;
      }
    }
    if (rank_ == 0) {
      sizes_[0] = 1;
      steps_[0].fill(0);
      rank_ = 1;
    }
  }

  int rank() const { return rank_; }
  std::int64_t size(int dim) const { return sizes_[static_cast<std::size_t>(dim)]; }
  /// Strides of the operands along the rows.
  const Offsets& row_steps() const { return steps_[last()]; }
  const Offsets& steps(int dim) const { return steps_[static_cast<std::size_t>(dim)]; }

  /// Calls row(offsets, length) for the parts of rows that cover the elements [begin, end), in
  /// order.
  template <typename Row>
  void for_rows(std::int64_t begin, std::int64_t end, const Row& row) const {
    if (begin >= end) {
      return;
    }
    std::array<std::int64_t, kMaxRank> index{};
    std::int64_t rest = begin;
    for (std::size_t dim = last() + 1; dim-- > 0;) {
      index[dim] = rest % sizes_[dim];
      rest /= sizes_[dim];
    }
    for (std::int64_t at = begin; at < end;) {
      const std::int64_t length = std::min(sizes_[last()] - index[last()], end - at);
      Offsets offsets{};
      for (std::size_t dim = 0; dim <= last(); ++dim) {
        for (std::size_t i = 0; i < count; ++i) {
          offsets[i] += index[dim] * steps_[dim][i];
        }
      }
      row(offsets, length);
      at += length;
      index[last()] += length;
      for (std::size_t dim = last(); dim > 0 && index[dim] == sizes_[dim]; --dim) {
        index[dim] = 0;
        ++index[dim - 1];
      }
    }
  }

 private:
  std::size_t last() const { return static_cast<std::size_t>(rank_ - 1); }
  bool continues(std::int64_t size, const Offsets& steps) const {
    for (std::size_t i = 0; i < count; ++i) {
      if (steps_[last()][i] != size * steps[i]) {
        return false;
      }
    }
    return true;
  }

  int rank_ = 0;
  std::array<std::int64_t, kMaxRank> sizes_{};
  std::array<Offsets, kMaxRank> steps_{};
};

}  // namespace hanok
#pragma GCC visibility pop
