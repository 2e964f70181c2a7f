#include "hanok/apps/faces/boxes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hanok::faces {
namespace {

float area_of(const Candidate& box, float end_pixels) {
  return (box.right - box.left + end_pixels) * (box.bottom - box.top + end_pixels);
}

float overlap_of(const Candidate& a, const Candidate& b, Overlap overlap) {
  const float end_pixels = overlap == Overlap::Least ? 1.0F : 0.0F;
  const float width =
      std::max(std::min(a.right, b.right) - std::max(a.left, b.left) + end_pixels, 0.0F);
  const float height =
      std::max(std::min(a.bottom, b.bottom) - std::max(a.top, b.top) + end_pixels, 0.0F);
  const float shared = width * height;
  const float area_a = area_of(a, end_pixels);
  const float area_b = area_of(b, end_pixels);
  return shared / (overlap == Overlap::Least ? std::min(area_a, area_b) : area_a + area_b - shared);
}

/// Truncated; limited first, so that every box, however far away, is a number of pixels.
int pixel(float coordinate, int lowest, int highest) {
  const float within =
      std::clamp(coordinate, static_cast<float>(lowest) - 1, static_cast<float>(highest) + 1);
  return std::clamp(static_cast<int>(within), lowest, highest);
}

}  // namespace

std::vector<Candidate> without_overlaps(const std::vector<Candidate>& boxes, double limit,
                                        Overlap overlap) {
  std::vector<std::size_t> order(boxes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return boxes[a].score > boxes[b].score; });
  std::vector<Candidate> kept;
  for (const std::size_t i : order) {
    const Candidate& box = boxes[i];
    const bool hidden = std::any_of(kept.begin(), kept.end(), [&](const Candidate& better) {
      return overlap_of(better, box, overlap) > limit;
    });
    if (!hidden) kept.push_back(box);
  }
  return kept;
}

void move_by_shifts(Candidate& box, float end_pixels) {
  const float width = box.right - box.left + end_pixels;
  const float height = box.bottom - box.top + end_pixels;
  box.left += box.shifts[0] * width;
  box.top += box.shifts[1] * height;
  box.right += box.shifts[2] * width;
  box.bottom += box.shifts[3] * height;
}

void make_square(Candidate& box) {
  const float width = box.right - box.left;
  const float height = box.bottom - box.top;
  const float side = std::max(width, height);
  box.left = box.left + width * 0.5F - side * 0.5F;
  box.top = box.top + height * 0.5F - side * 0.5F;
  box.right = box.left + side;
  box.bottom = box.top + side;
}

Pixels pixels_of(const Candidate& box, int width, int height) {
  return {.left = pixel(box.left, 1, width + 1) - 1,
          .top = pixel(box.top, 1, height + 1) - 1,
          .right = pixel(box.right, 0, width),
          .bottom = pixel(box.bottom, 0, height)};
}

}  // namespace hanok::faces
