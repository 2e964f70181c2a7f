#include "hanok/apps/faces/area_sums.h"

#include <algorithm>
#include <array>
#include <vector>

namespace hanok::faces {
namespace {

/// Source pixels [begin, end) of output pixels, on one axis.
struct Range {
  int begin, end;
};

/// An axis of which `source` pixels from `begin` on are scaled to `target` pixels.
struct Axis {
  int begin, source, target;

  Range range(std::int64_t i) const {
    return {begin + static_cast<int>(i * source / target),
            begin + static_cast<int>(((i + 1) * source + target - 1) / target)};
  }
};

}  // namespace

AreaSums::AreaSums(const data::Image& image)
    : row_((static_cast<std::size_t>(image.width) + 1) * 3),
      sums_(static_cast<std::uint32_t*>(
          allocator_of(Device::cpu())
              .allocate(row_ * (static_cast<std::size_t>(image.height) + 1) * sizeof(std::uint32_t),
                        "area sums"))) {
  std::fill_n(at(0, 0), row_, 0);
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* pixels = image.row(y);
    const std::uint32_t* above = at(1, y);
    std::fill_n(at(0, y + 1), 3, 0);
    std::uint32_t* sums = at(1, y + 1);
    std::array<std::uint32_t, 3> line{};
    for (std::size_t i = 0; i < row_ - 3; i += 3) {
      for (std::size_t c = 0; c < 3; ++c) {
        line[c] += pixels[i + c];
        sums[i + c] = above[i + c] + line[c];
      }
    }
  }
}

void AreaSums::resize_rows(const Pixels& part, const Size& size, const Rows& rows,
                           float* out) const {
  const Axis down{.begin = part.top, .source = part.bottom - part.top, .target = size.height};
  const Axis along{.begin = part.left, .source = part.right - part.left, .target = size.width};
  std::vector<Range> columns;
  for (int x = 0; x < size.width; ++x) columns.push_back(along.range(x));
  for (int y = rows.begin; y < rows.end; ++y) {
    const Range row = down.range(y);
    const std::uint32_t* above = at(0, row.begin);
    const std::uint32_t* below = at(0, row.end);
    for (const Range& column : columns) {
      const auto left = static_cast<std::size_t>(column.begin) * 3;
      const auto right = static_cast<std::size_t>(column.end) * 3;
      const auto count = static_cast<float>((row.end - row.begin) * (column.end - column.begin));
      for (std::size_t c = 0; c < 3; ++c) {
        const std::uint32_t sum =
            below[right + c] - below[left + c] - above[right + c] + above[left + c];
        *out++ = (static_cast<float>(sum) / count - 127.5F) * 0.0078125F;
      }
    }
  }
}

}  // namespace hanok::faces
