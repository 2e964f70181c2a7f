// Shapes: up to kMaxRank 64-bit sizes, stored inline.
//
// Logical and physical order. A tensor of rank 4 has the logical order N,C,H,W (images) or O,I,H,W
// (convolution weights) and is dense in memory as N,H,W,C or O,H,W,I: channels are innermost. Every
// other rank is dense row-major. So the layout follows from the rank and is never inferred from
// strides.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#pragma GCC visibility push(default)
namespace hanok {

inline constexpr int kMaxRank = 6;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes);
  /// Copies `rank` sizes. Throws ShapeError if rank > kMaxRank or a size is negative.
  static Shape from(const std::int64_t* sizes, int rank);

  int rank() const { return rank_; }
  std::int64_t operator[](int i) const { return sizes_[static_cast<std::size_t>(i)]; }
  std::int64_t& operator[](int i) { return sizes_[static_cast<std::size_t>(i)]; }
  /// Product of the sizes; 1 for rank 0. Throws ShapeError if the size in bytes overflows 64 bits.
  std::int64_t numel() const;
  void push_back(std::int64_t size);

  const std::int64_t* begin() const { return sizes_.data(); }
  const std::int64_t* end() const { return sizes_.data() + rank_; }
  friend bool operator==(const Shape& a, const Shape& b);

  /// "[8,64,56,56]"
  std::string to_string() const;

 private:
  std::array<std::int64_t, kMaxRank> sizes_{};
  int rank_ = 0;
};

/// Strides use the same container: elements to skip for one step along a dimension.
using Strides = Shape;

/// The sizes in memory order, outermost first: [N,C,H,W] -> [N,H,W,C]; other ranks unchanged.
Shape physical_shape(const Shape& logical);

/// Position in memory order of logical dimension `dim`: for rank 4 0,3,1,2; other ranks `dim`.
int physical_dim(int rank, int dim);

/// Elements to skip for one step along each logical dimension of a dense tensor.
Strides dense_strides(const Shape& logical);

/// Row-major strides for sizes in memory order.
Strides row_major_strides(const Shape& sizes);

/// The shape to which two operands broadcast (NumPy's rule, aligned at the last logical dimension).
/// Throws ShapeError naming `op` and both shapes if they do not broadcast.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

}  // namespace hanok
#pragma GCC visibility pop
