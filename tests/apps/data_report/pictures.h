// Pictures for the tests of data reports.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "hanok/data/image.h"
#include "tests/apps/program.h"

namespace hanok::test {

/// Rectangles of all sizes, which no other `seed` has: detail of all frequencies, as in
/// photographs.
inline data::Image collage(unsigned seed, int width = 160, int height = 120) {
  data::Image image{width, height,
                    std::vector<std::uint8_t>(std::size_t{3} * static_cast<std::size_t>(width) *
                                              static_cast<std::size_t>(height))};
  std::mt19937 random(seed);
  const auto below = [&random](int end) {
    return static_cast<int>(random() % static_cast<unsigned>(end));
  };
  for (int i = 0; i < 80; ++i) {
    const int left = below(width);
    const int top = below(height);
    const int right = std::min(width, left + 3 + below(2 * width / (1 + i / 8)));
    const int bottom = std::min(height, top + 3 + below(2 * height / (1 + i / 8)));
    const int shade = below(256);
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) {
        for (int c = 0; c < 3; ++c) {
          image.row(y)[3 * x + c] = static_cast<std::uint8_t>(shade * (3 - c % 2) / 3);
        }
      }
    }
  }
  return image;
}

inline std::string write(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  write_text(path, std::string(bytes.begin(), bytes.end()));
  return path;
}

}  // namespace hanok::test
