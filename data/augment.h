// Random transforms: the distributions they draw from. Every draw comes from the given RandomDraws,
// so an image is a function of (seed, epoch, sample).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "hanok/data/image.h"
#include "hanok/data/random.h"

#pragma GCC visibility push(default)
namespace hanok::data {

/// torchvision's RandomResizedCrop: a fraction of the area from `area` and an aspect ratio from
/// `aspect` (log-uniform). After ten crops that do not fit: the largest centred rectangle of an
/// allowed ratio.
Rectangle random_crop(int width, int height, std::array<float, 2> area, std::array<float, 2> aspect,
                      RandomDraws& random);

/// torchvision's ColorJitter: brightness, contrast and saturation factors from 1 - x to 1 + x
/// (never below 0), hue shifts from -hue to hue, applied in random order.
struct ColorJitter {
  float brightness = 0, contrast = 0, saturation = 0, hue = 0;
};
Image random_color_jitter(const Image& image, const ColorJitter& jitter, RandomDraws& random);

/// torchvision's RandomErasing (Zhong et al., 2017): fills one rectangle with `color`; its fraction
/// of the area comes from `area`, its aspect ratio from `aspect`. Returns the image unchanged if no
/// rectangle fits in ten attempts.
Image random_erasing(const Image& image, std::array<float, 2> area, std::array<float, 2> aspect,
                     const std::uint8_t (&color)[3], RandomDraws& random);

/// The fourteen operations of RandAugment (Cubuk et al., 2020) as torchvision names and scales
/// them.
const std::vector<std::string>& rand_augment_operations();
/// Applies one of them at `magnitude` 0..30; `negative` reverses those that have a direction.
/// Throws ValueError for an unknown name or a magnitude outside this range.
Image rand_augment_operation(const Image& image, const std::string& name, int magnitude,
                             bool negative);
/// Applies `operations` of them, drawn with replacement, at one magnitude.
Image rand_augment(const Image& image, int operations, int magnitude, RandomDraws& random);

}  // namespace hanok::data
#pragma GCC visibility pop
