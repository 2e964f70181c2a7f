// A face finder for tests, without a network.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hanok/apps/faces/face_finder.h"

namespace hanok::test {

/// Finds one face, whose box and presence follow from the image's first pixel: made up, but a
/// function of the image alone, as a detector's.
class MadeUpFinder final : public faces::FaceFinder {
 public:
  explicit MadeUpFinder(std::string name = "made up") : name_(std::move(name)) {}
  std::vector<faces::Face> find(const data::Image& image) const override {
    const int red = image.pixels[0];
    if (red % 4 == 0) return {};
    const auto side = static_cast<float>(image.width) / 2;
    faces::Face face;
    face.left = static_cast<float>(red % 7) - 2.25F;
    face.top = static_cast<float>(red % 5) * 2;
    face.right = face.left + side;
    face.bottom = face.top + side * 1.25F;
    face.probability = 0.5F + static_cast<float>(red) / 512;
    return {face};
  }
  std::string name() const override { return name_; }

 private:
  std::string name_;
};

inline std::unique_ptr<faces::FaceFinder> make_made_up_finder() {
  return std::make_unique<MadeUpFinder>();
}

}  // namespace hanok::test
