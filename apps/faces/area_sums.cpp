#include "hanok/apps/faces/area_sums.h"

#include <array>

namespace hanok::faces {
namespace {

/// Source pixels [begin, end) of one output pixel, on one axis.
struct Range {
  int begin, end;
};

std::vector<Range> ranges_of(int begin, int source, int target) {
  std::vector<Range> ranges;
  for (std::int64_t i = 0; i < target; ++i) {
    ranges.push_back({begin + static_cast<int>(i * source / target),
                      begin + static_cast<int>(((i + 1) * source + target - 1) / target)});
  }
  return ranges;
}

}  // namespace

AreaSums::AreaSums(const data::Image& image)
    : row_((static_cast<std::size_t>(image.width) + 1) * 3),
      sums_(row_ * (static_cast<std::size_t>(image.height) + 1)) {
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* pixels = image.row(y);
    const std::uint32_t* above = at(1, y);
    std::uint32_t* sums = sums_.data() + (static_cast<std::size_t>(y) + 1) * row_ + 3;
    std::array<std::uint32_t, 3> line{};
    for (std::size_t i = 0; i < row_ - 3; i += 3) {
      for (std::size_t c = 0; c < 3; ++c) {
        line[c] += pixels[i + c];
        sums[i + c] = above[i + c] + line[c];
      }
    }
  }
}

void AreaSums::resize(const Pixels& part, const Size& size, float* out) const {
  const std::vector<Range> rows = ranges_of(part.top, part.bottom - part.top, size.height);
  const std::vector<Range> columns = ranges_of(part.left, part.right - part.left, size.width);
  for (const Range& row : rows) {
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
