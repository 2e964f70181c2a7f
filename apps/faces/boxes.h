// The arithmetic of MTCNN's boxes, as in facenet-pytorch: which overlap too much, how a network's
// answer moves them, and which pixels they cover.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "hanok/apps/faces/detector.h"

#pragma GCC visibility push(default)
namespace hanok::faces {

/// A box on its way through the networks.
struct Candidate {
  float left = 0, top = 0, right = 0, bottom = 0;
  float score = 0;
  std::array<float, 4> shifts{};  // of left, top, right, bottom, in sides of the box
  std::array<Point, 5> landmarks{};
};

/// The area that two boxes share is divided by
enum class Overlap {
  Union,  // the area that they cover together
  Least,  // the smaller of the two, with sides that count both end pixels
};

/// Non-maximum suppression: of boxes whose overlap is above `limit` those of the lower scores go.
/// The rest, the highest score first.
std::vector<Candidate> without_overlaps(const std::vector<Candidate>& boxes, double limit,
                                        Overlap overlap);

/// Moves the sides by the shifts. `end_pixels`: 1 where a side counts both end pixels, else 0.
void move_by_shifts(Candidate& box, float end_pixels);
/// The square of the longer side around the same centre.
void make_square(Candidate& box);

/// Pixels [left, right) x [top, bottom) of the image that a box covers, whose corners count from 1.
struct Pixels {
  int left = 0, top = 0, right = 0, bottom = 0;
  bool empty() const { return right <= left || bottom <= top; }
};
Pixels pixels_of(const Candidate& box, int width, int height);

}  // namespace hanok::faces
#pragma GCC visibility pop
