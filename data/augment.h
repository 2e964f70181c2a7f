// Random transforms: what each draws. Every draw comes from the RandomDraws that is passed in, so
// an image is a function of (seed, epoch, sample).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "hanok/data/image.h"
#include "hanok/data/random.h"

namespace hanok::data {

struct Rectangle {
  int x, y, width, height;
};

/// torchvision's RandomResizedCrop: an area share from `area` and an aspect ratio from `aspect`
/// (log-uniform); after ten misfits the largest centred rectangle of a valid ratio.
Rectangle random_crop(int width, int height, std::array<float, 2> area, std::array<float, 2> aspect,
                      RandomDraws& random);

/// torchvision's ColorJitter: brightness, contrast and saturation factors from 1 - x to 1 + x
/// (never below 0), hue shifts from -hue to hue, applied in random order.
struct ColorJitter {
  float brightness = 0, contrast = 0, saturation = 0, hue = 0;
};
Image random_color_jitter(const Image& image, const ColorJitter& jitter, RandomDraws& random);

/// torchvision's RandomErasing (Zhong et al., 2017): one rectangle of an area share from `area` and
/// an aspect ratio from `aspect`, filled with `color`; the image itself if none fits in ten tries.
Image random_erasing(const Image& image, std::array<float, 2> area, std::array<float, 2> aspect,
                     const std::uint8_t (&color)[3], RandomDraws& random);

/// The fourteen operations of RandAugment (Cubuk et al., 2020) as torchvision names and scales
/// them.
const std::vector<std::string>& rand_augment_operations();
/// One of them at `magnitude` 0..30; `negative` turns round those that have a direction. Throws
/// ValueError for an unknown name or a magnitude beyond.
Image rand_augment_operation(const Image& image, const std::string& name, int magnitude,
                             bool negative);
/// `operations` of them drawn with replacement, at one magnitude.
Image rand_augment(const Image& image, int operations, int magnitude, RandomDraws& random);

}  // namespace hanok::data
