// Deterministic preprocessing from a decoded image to network input: resize, crop, grayscale.
// augmentation.h has the random part.
#pragma once

#include <array>

#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::data {

/// Saved in every checkpoint, so that prediction repeats exactly what training did.
struct Preprocessing {
  int resize = 0;  // 0: resize to image_size x image_size, ignoring the aspect ratio; else resize
                   // the shorter side to `resize`, then centre crop
  int image_size = 224;
  std::array<float, 3> mean{0.485F, 0.456F, 0.406F};
  std::array<float, 3> stddev{0.229F, 0.224F, 0.225F};
  Filter filter = Filter::Bilinear;
  bool grayscale = false;  // three equal channels

  /// The preprocessing of torchvision's pretrained classifiers: resize 256, crop 224.
  static Preprocessing imagenet();
};

/// Returns an image of image_size x image_size pixels, which can be cached. Throws ValueError for
/// an image_size below 1 or a negative resize.
Image preprocess(const Image& image, const Preprocessing& preprocessing);

/// Throws ValueError, as preprocess would, for an image so thin that its resized version exceeds
/// decode_image's pixel limit. Computes no pixel.
void check_shape(const Image& image, const Preprocessing& preprocessing);

}  // namespace hanok::data
#pragma GCC visibility pop
