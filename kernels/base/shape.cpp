#include "hanok/kernels/base/shape.h"

#include <algorithm>
#include <cstdint>

#include "hanok/kernels/base/error.h"

namespace hanok {

Shape::Shape(std::initializer_list<std::int64_t> sizes)
    : Shape(from(sizes.begin(), static_cast<int>(sizes.size()))) {}

Shape Shape::from(const std::int64_t* sizes, int rank) {
  if (rank < 0 || rank > kMaxRank) {
    throw ShapeError("shape: rank " + std::to_string(rank) + " is beyond the maximum of " +
                     std::to_string(kMaxRank));
  }
  Shape shape;
  for (int i = 0; i < rank; ++i) {
    shape.push_back(sizes[i]);
  }
  return shape;
}

std::int64_t Shape::numel() const {
  constexpr std::int64_t kMost = INT64_MAX / 8;  // the bytes must not overflow either
  std::int64_t product = 1;
  bool overflows = false;
  for (const std::int64_t size : *this) {
    if (size == 0) {
      return 0;
    }
    overflows |= __builtin_mul_overflow(product, size, &product);
  }
  if (overflows || product > kMost) {
    throw ShapeError("shape: " + to_string() + " has more elements than memory can hold");
  }
  return product;
}

void Shape::push_back(std::int64_t size) {
  if (rank_ == kMaxRank) {
    throw ShapeError("shape: more than " + std::to_string(kMaxRank) + " dimensions, after " +
                     to_string());
  }
  if (size < 0) {
    throw ShapeError("shape: size " + std::to_string(size) + " of dimension " +
                     std::to_string(rank_) + " is negative");
  }
  sizes_[static_cast<std::size_t>(rank_++)] = size;
}

// A friend is exported by its definition: g++ gives its declaration no visibility.
#pragma GCC visibility push(default)
bool operator==(const Shape& a, const Shape& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}
#pragma GCC visibility pop

std::string Shape::to_string() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) {
    text += (i == 0 ? "" : ",") + std::to_string((*this)[i]);
  }
  return text + "]";
}

Shape physical_shape(const Shape& logical) {
  if (logical.rank() != 4) {
    return logical;
  }
  return {logical[0], logical[2], logical[3], logical[1]};
}

int physical_dim(int rank, int dim) {
  constexpr int kNhwc[4] = {0, 3, 1, 2};
  return rank == 4 ? kNhwc[dim] : dim;
}

Strides dense_strides(const Shape& logical) {
  const Strides physical = row_major_strides(physical_shape(logical));
  Strides strides = physical;
  for (int dim = 0; dim < logical.rank(); ++dim) {
    strides[dim] = physical[physical_dim(logical.rank(), dim)];
  }
  return strides;
}

Strides row_major_strides(const Shape& sizes) {
  Strides strides = sizes;
  std::int64_t step = 1;
  for (int dim = sizes.rank() - 1; dim >= 0; --dim) {
    strides[dim] = step;
    step *= sizes[dim];
  }
  return strides;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape result;
  for (int dim = 0; dim < rank; ++dim) {
    const int dim_a = dim - (rank - a.rank());
    const int dim_b = dim - (rank - b.rank());
    const std::int64_t size_a = dim_a < 0 ? 1 : a[dim_a];
    const std::int64_t size_b = dim_b < 0 ? 1 : b[dim_b];
    if (size_a != size_b && size_a != 1 && size_b != 1) {
      throw ShapeError(std::string(op) + ": shapes " + a.to_string() + " and " + b.to_string() +
                       " do not broadcast: dimension " + std::to_string(dim - rank) + " has " +
                       std::to_string(size_a) + " against " + std::to_string(size_b));
    }
    result.push_back(size_a == 1 ? size_b : size_a);
  }
  return result;
}

}  // namespace hanok
