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

  /// What torchvision's pretrained classifiers expect: resize 256, crop 224.
  static Preprocessing imagenet();
};

/// The deterministic part: the result is image_size x image_size and can be cached.
Image preprocess(const Image& image, const Preprocessing& preprocessing);

enum class Augment { None, Light };
/// "none" or "light"; throws ValueError.
Augment parse_augment(const std::string& name);
/// Light: horizontal flip and a random shifted crop after padding by 1/16 of the size. The same
/// (seed, epoch, sample) always gives the same image.
Image augment(const Image& image, Augment kind, std::uint64_t seed, std::int64_t epoch,
              std::int64_t sample);

}  // namespace hanok::data
