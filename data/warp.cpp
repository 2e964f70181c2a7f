#include "hanok/data/warp.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/vector_math.h"

namespace hanok::data {
namespace {

constexpr double kRadians = 3.14159265358979323846 / 180.0;

// hanok's own sine and cosine: the C library's differ between machines.
double sine(double degrees) { return math::sin(static_cast<float>(degrees * kRadians)); }
double cosine(double degrees) { return math::cos(static_cast<float>(degrees * kRadians)); }

}  // namespace

AffineMatrix affine_matrix(const AffineParameters& parameters, int width, int height) {
  if (!(parameters.scale > 0)) {
    throw ValueError("affine_matrix: scale is " + std::to_string(parameters.scale));
  }
  // The forward map is T C R S H C^-1 (translate, centre, rotate, scale, shear); this is its
  // inverse, with rotation and shear multiplied out.
  const double sheared = parameters.angle - parameters.shear_y;
  const double tangent = sine(parameters.shear_x) / cosine(parameters.shear_x);
  const double across = cosine(parameters.shear_y);
  const double a = cosine(sheared) / across;
  const double b = -cosine(sheared) * tangent / across - sine(parameters.angle);
  const double c = sine(sheared) / across;
  const double d = -sine(sheared) * tangent / across + cosine(parameters.angle);
  const double center_x = width * 0.5;
  const double center_y = height * 0.5;
  AffineMatrix m = {d, -b, 0, -c, a, 0};
  for (double& value : m) value /= parameters.scale;
  m[2] = m[0] * (-center_x - parameters.translate_x) + m[1] * (-center_y - parameters.translate_y);
  m[5] = m[3] * (-center_x - parameters.translate_x) + m[4] * (-center_y - parameters.translate_y);
  m[2] += center_x;
  m[5] += center_y;
  return m;
}

Image warp_affine(const Image& image, const AffineMatrix& m,
                  const std::array<std::uint8_t, 3>& fill) {
  Image result{image.width, image.height, std::vector<std::uint8_t>(image.pixels.size())};
  const auto column = [&](int x) { return 3 * std::clamp(x, 0, image.width - 1); };
  for (int y = 0; y < image.height; ++y) {
    std::uint8_t* out = result.row(y);
    for (int x = 0; x < image.width; ++x, out += 3) {
      const double from_x = m[0] * (x + 0.5) + m[1] * (y + 0.5) + m[2];
      const double from_y = m[3] * (x + 0.5) + m[4] * (y + 0.5) + m[5];
      if (!(from_x >= 0 && from_x < image.width && from_y >= 0 && from_y < image.height)) {
        std::copy(fill.begin(), fill.end(), out);
        continue;
      }
      // Pixel centres are at half-integers; outside the outermost centres the edge value is
      // repeated.
      const int left = static_cast<int>(std::floor(from_x - 0.5));
      const int top = static_cast<int>(std::floor(from_y - 0.5));
      const double dx = from_x - 0.5 - left;
      const double dy = from_y - 0.5 - top;
      const std::uint8_t* upper = image.row(std::clamp(top, 0, image.height - 1));
      const std::uint8_t* lower = top + 1 < image.height ? image.row(top + 1) : upper;
      for (int c = 0; c < 3; ++c) {
        const int x0 = column(left) + c;
        const int x1 = column(left + 1) + c;
        const double above = upper[x0] * (1.0 - dx) + upper[x1] * dx;
        const double below = lower[x0] * (1.0 - dx) + lower[x1] * dx;
        out[c] = static_cast<std::uint8_t>(above * (1.0 - dy) + below * dy);
      }
    }
  }
  return result;
}

Image resized_crop(const Image& image, const Rectangle& part, int new_width, int new_height,
                   Filter filter) {
  return resize(crop(image, part), new_width, new_height, filter);
}

Image flip_vertical(const Image& image) {
  Image result{image.width, image.height, std::vector<std::uint8_t>(image.pixels.size())};
  for (int y = 0; y < image.height; ++y) {
    std::memcpy(result.row(y), image.row(image.height - 1 - y), std::size_t{3} * image.width);
  }
  return result;
}

}  // namespace hanok::data
