// Painting with soft-edged shapes. Uses only sums, products, quotients and square roots of floats,
// which IEEE 754 rounds identically everywhere: a picture is the same bytes on every machine.
// Private to this room.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "hanok/data/image.h"
#include "hanok/data/random.h"

namespace hanok::data {

struct Point {
  float x = 0, y = 0;
};
inline Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
inline Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
inline Point operator*(float k, Point a) { return {k * a.x, k * a.y}; }
inline float dot(Point a, Point b) { return a.x * b.x + a.y * b.y; }
inline float length(Point a) { return std::sqrt(dot(a, a)); }

/// Red, green, blue from 0 to 1.
struct Color {
  float red = 0, green = 0, blue = 0;
};
inline Color mix(Color a, Color b, float t) {
  return {a.red + (b.red - a.red) * t, a.green + (b.green - a.green) * t,
          a.blue + (b.blue - a.blue) * t};
}
inline Color scaled(Color a, float k) { return {a.red * k, a.green * k, a.blue * k}; }

/// Maps a drawing's local coordinates to the picture: origin in pixels, pixels per unit, and a
/// rotation given by its cosine and sine.
struct Frame {
  Point origin;
  float scale = 1, cosine = 1, sine = 0;

  Point to_local(Point pixel) const {
    const Point d = pixel - origin;
    return {(d.x * cosine + d.y * sine) / scale, (d.y * cosine - d.x * sine) / scale};
  }
  Point to_pixel(Point local) const {
    return {origin.x + scale * (local.x * cosine - local.y * sine),
            origin.y + scale * (local.x * sine + local.y * cosine)};
  }
};

/// A rectangle in a frame's coordinates that contains all that is painted.
struct Bounds {
  Point low, high;
};
/// The bounding box of the points, enlarged by `margin` on all sides.
Bounds bounds_of(const std::vector<Point>& points, float margin);

// Signed distances to shapes in the frame's units, negative inside.

/// Approximate (exact on the outline): Quilez' estimate from the gradient of the implicit equation.
float ellipse_distance(Point p, Point center, Point radii);
float polygon_distance(Point p, const std::vector<Point>& corners);
/// To the polyline through all points with the given half width.
float stroke_distance(Point p, const std::vector<Point>& points, float half_width);
/// Points on the quadratic Bezier curve from a to c with control point b.
std::vector<Point> curve(Point a, Point b, Point c, int pieces = 8);

class Canvas {
 public:
  Canvas(int width, int height);

  int width() const { return width_; }
  int height() const { return height_; }
  Color& at(int x, int y) { return pixels_[static_cast<std::size_t>(y) * width_ + x]; }

  /// Fills the picture with a vertical gradient.
  void fill(Color top, Color bottom);

  /// Blends `color` in wherever distance(local point) < 0, with an edge that is `softness` pixels
  /// wide.
  template <typename Distance>
  void paint(const Frame& frame, const Bounds& bounds, const Distance& distance, Color color,
             float opacity = 1, float softness = 1);

  void ellipse(const Frame& frame, Point center, Point radii, Color color, float opacity = 1,
               float softness = 1);
  void polygon(const Frame& frame, const std::vector<Point>& corners, Color color,
               float opacity = 1, float softness = 1);
  void stroke(const Frame& frame, const std::vector<Point>& points, float half_width, Color color,
              float opacity = 1, float softness = 1);

  /// Replaces each pixel by the mean of its 3x3 neighbourhood.
  void blur();
  /// Adds uniform noise of the given amplitude to each channel.
  void add_noise(float amplitude, RandomDraws& random);
  /// Rounds to bytes; values outside 0..1 are clamped.
  Image to_image() const;

 private:
  int width_, height_;
  std::vector<Color> pixels_;
};

template <typename Distance>
void Canvas::paint(const Frame& frame, const Bounds& bounds, const Distance& distance, Color color,
                   float opacity, float softness) {
  Point low{1e9F, 1e9F}, high{-1e9F, -1e9F};
  for (const float x : {bounds.low.x, bounds.high.x}) {
    for (const float y : {bounds.low.y, bounds.high.y}) {
      const Point corner = frame.to_pixel({x, y});
      low = {std::min(low.x, corner.x), std::min(low.y, corner.y)};
      high = {std::max(high.x, corner.x), std::max(high.y, corner.y)};
    }
  }
  const auto first = [softness](float value) {
    return static_cast<int>(std::max(std::floor(value - softness), 0.0F));
  };
  const auto last = [softness](float value, int size) {
    return static_cast<int>(std::min(std::ceil(value + softness), static_cast<float>(size - 1)));
  };
  for (int y = first(low.y); y <= last(high.y, height_); ++y) {
    for (int x = first(low.x); x <= last(high.x, width_); ++x) {
      const Point local =
          frame.to_local({static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F});
      const float cover = 0.5F - distance(local) * frame.scale / softness;
      if (cover > 0) at(x, y) = mix(at(x, y), color, opacity * std::min(cover, 1.0F));
    }
  }
}

}  // namespace hanok::data
