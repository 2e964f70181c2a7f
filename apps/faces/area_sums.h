// Means over rectangles of an image, by which MTCNN scales images down.
#pragma once

#include <cstdint>
#include <memory>

#include "hanok/apps/faces/boxes.h"
#include "hanok/data/image.h"
#include "hanok/engine/allocator.h"

#pragma GCC visibility push(default)
namespace hanok::faces {

/// For each pixel the sums of red, green and blue over all that is above it and to its left (Crow,
/// Summed-Area Tables for Texture Mapping, 1984), so that a rectangle's sum costs four look-ups
/// whatever its size. Sums wrap around at 2^32: the sum over a rectangle of less than 16,843,009
/// pixels is exact all the same. 12 bytes a pixel of the engine's memory.
class AreaSums {
 public:
  explicit AreaSums(const data::Image& image);

  struct Size {
    int width = 0, height = 0;
  };
  /// A part of the image scaled to `size`: each value is the mean v over the source pixels
  /// [floor(i H/P), ceil((i+1) H/P)) (likewise for columns), as (v - 127.5) / 128. `out` takes
  /// height * width * 3 values.
  void resize(const Pixels& part, const Size& size, float* out) const {
    resize_rows(part, size, {.begin = 0, .end = size.height}, out);
  }
  struct Rows {
    int begin = 0, end = 0;
  };
  /// The rows [begin, end) of the same.
  void resize_rows(const Pixels& part, const Size& size, const Rows& rows, float* out) const;

 private:
  struct ToAllocator {
    void operator()(std::uint32_t* sums) const noexcept {
      allocator_of(Device::cpu()).deallocate(sums);
    }
  };

  std::uint32_t* at(int x, int y) const {
    return sums_.get() + (static_cast<std::size_t>(y) * row_ + static_cast<std::size_t>(x) * 3);
  }
  std::size_t row_;  // values a row
  std::unique_ptr<std::uint32_t[], ToAllocator> sums_;
};

}  // namespace hanok::faces
#pragma GCC visibility pop
