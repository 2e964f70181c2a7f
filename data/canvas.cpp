#include "hanok/data/canvas.h"

namespace hanok::data {
namespace {

/// Distance from p to the segment a-b.
float segment_distance(Point p, Point a, Point b) {
  const Point along = b - a;
  const float squared = dot(along, along);
  const float t = squared > 0 ? std::clamp(dot(p - a, along) / squared, 0.0F, 1.0F) : 0.0F;
  return length(p - a - t * along);
}

std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::clamp(value, 0.0F, 1.0F) * 255.0F + 0.5F);
}

}  // namespace

Bounds bounds_of(const std::vector<Point>& points, float margin) {
  Bounds bounds{points.front(), points.front()};
  for (const Point p : points) {
    bounds.low = {std::min(bounds.low.x, p.x), std::min(bounds.low.y, p.y)};
    bounds.high = {std::max(bounds.high.x, p.x), std::max(bounds.high.y, p.y)};
  }
  bounds.low = bounds.low - Point{margin, margin};
  bounds.high = bounds.high + Point{margin, margin};
  return bounds;
}

float ellipse_distance(Point p, Point center, Point radii) {
  const Point d = p - center;
  const Point once{d.x / radii.x, d.y / radii.y};
  const Point twice{once.x / radii.x, once.y / radii.y};
  const float k = length(once);
  const float gradient = length(twice);
  return gradient > 0 ? k * (k - 1.0F) / gradient : -std::min(radii.x, radii.y);
}

float polygon_distance(Point p, const std::vector<Point>& corners) {
  float distance = 1e9F;
  bool inside = false;
  for (std::size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
    const Point a = corners[i];
    const Point b = corners[j];
    distance = std::min(distance, segment_distance(p, a, b));
    // Even-odd rule: does a ray to the right cross this edge?
    if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x) {
      inside = !inside;
    }
  }
  return inside ? -distance : distance;
}

float stroke_distance(Point p, const std::vector<Point>& points, float half_width) {
  float distance = 1e9F;
  for (std::size_t i = 1; i < points.size(); ++i) {
    distance = std::min(distance, segment_distance(p, points[i - 1], points[i]));
  }
  return distance - half_width;
}

std::vector<Point> curve(Point a, Point b, Point c, int pieces) {
  std::vector<Point> points;
  for (int i = 0; i <= pieces; ++i) {
    const float t = static_cast<float>(i) / static_cast<float>(pieces);
    points.push_back((1 - t) * (1 - t) * a + 2 * t * (1 - t) * b + t * t * c);
  }
  return points;
}

Canvas::Canvas(int width, int height)
    : width_(width),
      height_(height),
      pixels_(static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {}

void Canvas::fill(Color top, Color bottom) {
  for (int y = 0; y < height_; ++y) {
    const float t = (static_cast<float>(y) + 0.5F) / static_cast<float>(height_);
    std::fill_n(&at(0, y), width_, mix(top, bottom, t));
  }
}

void Canvas::ellipse(const Frame& frame, Point center, Point radii, Color color, float opacity,
                     float softness) {
  const auto distance = [&](Point p) { return ellipse_distance(p, center, radii); };
  paint(frame, {center - radii, center + radii}, distance, color, opacity, softness);
}

void Canvas::polygon(const Frame& frame, const std::vector<Point>& corners, Color color,
                     float opacity, float softness) {
  const auto distance = [&](Point p) { return polygon_distance(p, corners); };
  paint(frame, bounds_of(corners, 0), distance, color, opacity, softness);
}

void Canvas::stroke(const Frame& frame, const std::vector<Point>& points, float half_width,
                    Color color, float opacity, float softness) {
  const auto distance = [&](Point p) { return stroke_distance(p, points, half_width); };
  paint(frame, bounds_of(points, half_width), distance, color, opacity, softness);
}

void Canvas::blur() {
  const std::vector<Color> before = pixels_;
  for (int y = 0; y < height_; ++y) {
    for (int x = 0; x < width_; ++x) {
      Color sum;
      for (int dy = -1; dy <= 1; ++dy) {
        for (int dx = -1; dx <= 1; ++dx) {
          const int ny = std::clamp(y + dy, 0, height_ - 1);
          const int nx = std::clamp(x + dx, 0, width_ - 1);
          const Color& c = before[static_cast<std::size_t>(ny) * width_ + nx];
          sum = {sum.red + c.red, sum.green + c.green, sum.blue + c.blue};
        }
      }
      at(x, y) = scaled(sum, 1.0F / 9.0F);
    }
  }
}

void Canvas::add_noise(float amplitude, RandomDraws& random) {
  for (Color& pixel : pixels_) {
    for (float* channel : {&pixel.red, &pixel.green, &pixel.blue}) {
      const float triangular = random.unit() + random.unit() - 1.0F;
      *channel += amplitude * triangular;
    }
  }
}

Image Canvas::to_image() const {
  Image image{width_, height_, std::vector<std::uint8_t>(3 * pixels_.size())};
  std::uint8_t* out = image.pixels.data();
  for (const Color& pixel : pixels_) {
    *out++ = to_byte(pixel.red);
    *out++ = to_byte(pixel.green);
    *out++ = to_byte(pixel.blue);
  }
  return image;
}

}  // namespace hanok::data
