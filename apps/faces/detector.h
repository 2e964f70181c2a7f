// Finds faces in photographs by MTCNN (Zhang, Zhang, Li and Qiao, Joint Face Detection and
// Alignment Using Multitask Cascaded Convolutional Networks, 2016), run by hanok's own networks.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::faces {

struct Point {
  float x = 0, y = 0;
};

/// A face in the photograph's pixels, which may reach beyond its edges.
struct Face {
  float left = 0, top = 0, right = 0, bottom = 0;
  float probability = 0;
  std::array<Point, 5>
      landmarks{};  // left eye, right eye, nose, left and right corner of the mouth
};

struct DetectorOptions {
  int min_face_size = 20;                             // pixels of the shortest side
  std::array<float, 3> thresholds{0.6F, 0.7F, 0.7F};  // of the three networks
  double scale_factor = 0.709;                        // between two images of the pyramid
};

class Detector {
 public:
  /// The weights are those that `./dev weights mtcnn` installs. Throws IoError saying so where they
  /// are not there.
  explicit Detector(const DetectorOptions& options = {});
  ~Detector();
  Detector(const Detector&) = delete;
  Detector& operator=(const Detector&) = delete;

  /// Faces, the largest first; the same ones for any number of threads. Not to be called by two
  /// threads at once. None is found in an image smaller than min_face_size. Takes 12 bytes a pixel
  /// of the image, and some 30 MB more however large it is.
  std::vector<Face> detect(const data::Image& image) const;
  /// SHA-256 of the weights: part of what identifies cached boxes.
  const std::string& weights_sha256() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hanok::faces
#pragma GCC visibility pop
