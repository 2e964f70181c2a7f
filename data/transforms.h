// From a decoded image to network input: a deterministic part (resize, crop) and a random part that
// is a pure function of (seed, epoch, sample index).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "data/image.h"

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

enum class Augment {
  None,
  /// Horizontal flip, and a shift by up to 1/16 of the size, black coming in.
  Light,
  /// Random resized crop (60-100% of the area), flip, and each by chance: small rotation with shift
  /// and scale, colour jitter, grey, blur, one rectangle erased.
  Strong,
  /// Light, then two operations of RandAugment at magnitude 9.
  RandAugment,
};
/// "none", "light", "strong" or "randaugment"; throws ValueError.
Augment parse_augment(const std::string& name);
/// An image of the same size. The same (seed, epoch, sample, occurrence) always gives the same one;
/// `occurrence` counts how often the sample came before in this epoch, where a sampler repeats it.
Image augment(const Image& image, Augment kind, std::uint64_t seed, std::int64_t epoch,
              std::int64_t sample, std::uint32_t occurrence = 0);

}  // namespace hanok::data
