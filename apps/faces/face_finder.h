// Whatever finds faces: MTCNN (detector.h), or a test's own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hanok/apps/faces/detector.h"
#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::faces {

class FaceFinder {
 public:
  FaceFinder() = default;
  virtual ~FaceFinder() = default;
  FaceFinder(const FaceFinder&) = delete;
  FaceFinder& operator=(const FaceFinder&) = delete;

  /// The faces in an image, the largest first. Several threads call it at once.
  virtual std::vector<Face> find(const data::Image& image) const = 0;
  /// Finders of the same name find the same faces.
  virtual std::string name() const = 0;
};

/// Makes a finder when one is needed. Throws IoError where its weights are missing.
using MakeFaceFinder = std::function<std::unique_ptr<FaceFinder>()>;

/// MTCNN with its usual options; its name holds the hash of its weights. Throws IoError saying how
/// to install them where they are missing.
std::unique_ptr<FaceFinder> make_mtcnn();

}  // namespace hanok::faces
#pragma GCC visibility pop
