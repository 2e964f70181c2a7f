// From a decoded image to network input, the part that is the same every time: resize, crop, grey.
// augmentation.h has the random part.
#pragma once

#include <array>

#include "hanok/data/image.h"

namespace hanok::data {

/// Travels with every checkpoint, so that prediction repeats exactly what training did.
struct Preprocessing {
  int resize = 0;  // 0: stretch straight to image_size x image_size; else shorter side to `resize`,
                   // then centre crop
  int image_size = 224;
  std::array<float, 3> mean{0.485F, 0.456F, 0.406F};
  std::array<float, 3> stddev{0.229F, 0.224F, 0.225F};
  Filter filter = Filter::Bilinear;
  bool grayscale = false;  // three equal channels

  /// What torchvision's pretrained classifiers expect: resize 256, crop 224.
  static Preprocessing imagenet();
};

/// The deterministic part: the result is image_size x image_size and can be cached.
Image preprocess(const Image& image, const Preprocessing& preprocessing);

}  // namespace hanok::data
