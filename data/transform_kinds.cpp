// The available transforms: their parameters, and the distributions they draw from.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "hanok/data/adjust.h"
#include "hanok/data/augment.h"
#include "hanok/data/augmentation.h"
#include "hanok/data/warp.h"

namespace hanok::data {
namespace {

using Values = TransformValues;
using Numbers = TransformParameter::Numbers;

// ImageNet's mean colour, used as fill.
constexpr std::uint8_t kGrey[3] = {124, 116, 104};

float number(const Values& values, std::size_t i) { return static_cast<float>(values[i][0]); }
int whole(const Values& values, std::size_t i) { return static_cast<int>(values[i][0]); }
std::array<float, 2> range(const Values& values, std::size_t i) {
  return {static_cast<float>(values[i][0]), static_cast<float>(values[i][1])};
}
float draw(std::array<float, 2> range, RandomDraws& random) {
  return random.between(range[0], range[1]);
}
/// Uniform from -most to most.
float draw_around_zero(float most, RandomDraws& random) { return random.between(-most, most); }

/// The image shifted by (dx, dy), filled with black.
Image shifted(const Image& image, int dx, int dy) {
  Image result{image.width, image.height, std::vector<std::uint8_t>(image.pixels.size())};
  const int first = std::max(0, dx);
  const int count = image.width - std::abs(dx);
  if (count <= 0) return result;
  for (int y = std::max(0, dy); y < std::min(image.height, image.height + dy); ++y) {
    std::memcpy(result.row(y) + std::size_t{3} * first,
                image.row(y - dy) + std::size_t{3} * (first - dx), std::size_t{3} * count);
  }
  return result;
}

Image resized_part(const Image& image, const Values& values, RandomDraws& random) {
  const Rectangle part =
      random_crop(image.width, image.height, range(values, 0), range(values, 1), random);
  return resized_crop(image, part, image.width, image.height);
}

Image shift(const Image& image, const Values& values, RandomDraws& random) {
  const auto pixels = [&](int size) {
    const int most = static_cast<int>(values[0][0] * size);
    return static_cast<int>(random.below(static_cast<std::uint32_t>(2 * most + 1))) - most;
  };
  const int dx = pixels(image.width);
  return shifted(image, dx, pixels(image.height));
}

Image warped(const Image& image, const AffineParameters& warp) {
  return warp_affine(image, affine_matrix(warp, image.width, image.height),
                     {kGrey[0], kGrey[1], kGrey[2]});
}

Image rotate(const Image& image, const Values& values, RandomDraws& random) {
  AffineParameters warp;
  warp.angle = static_cast<double>(draw_around_zero(number(values, 0), random));
  return warped(image, warp);
}

Image affine(const Image& image, const Values& values, RandomDraws& random) {
  AffineParameters warp;
  warp.angle = static_cast<double>(draw_around_zero(number(values, 0), random));
  const float share = number(values, 1);
  warp.translate_x =
      static_cast<double>(draw_around_zero(share, random) * static_cast<float>(image.width));
  warp.translate_y =
      static_cast<double>(draw_around_zero(share, random) * static_cast<float>(image.height));
  warp.scale = static_cast<double>(draw(range(values, 2), random));
  warp.shear_x = static_cast<double>(draw_around_zero(number(values, 3), random));
  warp.shear_y = static_cast<double>(draw_around_zero(number(values, 3), random));
  return warped(image, warp);
}

Image jitter(const Image& image, const Values& values, RandomDraws& random) {
  return random_color_jitter(
      image, {number(values, 0), number(values, 1), number(values, 2), number(values, 3)}, random);
}

Image blur(const Image& image, const Values& values, RandomDraws& random) {
  const int kernel = whole(values, 0);
  const float sigma = draw(range(values, 1), random);
  return std::min(image.width, image.height) > kernel / 2 ? gaussian_blur(image, kernel, sigma)
                                                          : image;
}

std::vector<TransformKind> make_kinds() {
  const TransformParameter area{"area", "fraction of the image's area", {0.6, 1}, 1e-6, 1};
  const TransformParameter aspect{"aspect", "width over height", {0.75, 4.0 / 3.0}, 1e-3, 1e3};
  std::vector<TransformKind> kinds;
  const auto add = [&kinds](TransformKind kind) { kinds.push_back(std::move(kind)); };

  add({"random_resized_crop",
       "a random crop, resized to the image's size",
       1,
       {area, aspect},
       resized_part});
  add({"horizontal_flip",
       "mirrored left to right",
       0.5,
       {},
       [](const Image& image, const Values&, RandomDraws&) { return flip_horizontal(image); }});
  add({"vertical_flip",
       "mirrored top to bottom",
       0.5,
       {},
       [](const Image& image, const Values&, RandomDraws&) { return flip_vertical(image); }});
  add({"shift",
       "shifted by whole pixels, filled with black",
       1,
       {{"share", "maximum, as a fraction of the size", {0.0625}, 0, 1}},
       shift});
  add({"rotate",
       "rotated about the centre, filled with grey",
       1,
       {{"degrees", "maximum, either way", {15}, 0, 180}},
       rotate});
  add({"affine",
       "rotated, shifted, scaled and sheared, filled with grey",
       1,
       {{"degrees", "maximum rotation, either way", {12}, 0, 180},
        {"translate", "maximum, as a fraction of the size", {0.06}, 0, 1},
        {"scale", "factor", {0.9, 1.1}, 0.01, 100},
        {"shear", "maximum in degrees, either way", {0}, 0, 80}},
       affine});
  add({"color_jitter",
       "random brightness, contrast, saturation and hue, in random order",
       1,
       {{"brightness", "factor from 1 - x to 1 + x", {0.3}, 0, 10},
        {"contrast", "factor from 1 - x to 1 + x", {0.3}, 0, 10},
        {"saturation", "factor from 1 - x to 1 + x", {0.3}, 0, 10},
        {"hue", "maximum fraction of a full turn, either way", {0.05}, 0, 0.5}},
       jitter});
  add({"grayscale",
       "converted to grey",
       1,
       {},
       [](const Image& image, const Values&, RandomDraws&) { return grayscale(image); }});
  add({"blur",
       "Gaussian blur; images not larger than half the kernel are unchanged",
       1,
       {{"kernel", "pixels", {5}, 1, 99, Numbers::Odd},
        {"sigma", "standard deviation in pixels", {0.3, 1.2}, 0.01, 50}},
       blur});
  add({"sharpness",
       "smoothed or sharpened",
       1,
       {{"factor", "0: smoothed, 1: unchanged, above 1: sharpened", {0.5, 2}, 0, 10}},
       [](const Image& image, const Values& values, RandomDraws& random) {
         return adjust_sharpness(image, draw(range(values, 0), random));
       }});
  add({"erase",
       "one rectangle filled with grey",
       1,
       {{"area", "fraction of the image's area", {0.02, 0.15}, 1e-6, 1},
        {"aspect", "width over height", {0.3, 3.3}, 1e-3, 1e3}},
       [](const Image& image, const Values& values, RandomDraws& random) {
         return random_erasing(image, range(values, 0), range(values, 1), kGrey, random);
       }});
  add({"autocontrast",
       "each channel stretched to 0..255",
       1,
       {},
       [](const Image& image, const Values&, RandomDraws&) { return autocontrast(image); }});
  add({"equalize",
       "each channel's histogram equalised",
       1,
       {},
       [](const Image& image, const Values&, RandomDraws&) { return equalize(image); }});
  add({"invert", "all values inverted", 1, {}, [](const Image& image, const Values&, RandomDraws&) {
         return invert(image);
       }});
  add({"posterize",
       "reduced to fewer bits",
       1,
       {{"bits", "kept per channel", {4}, 1, 8, Numbers::Whole}},
       [](const Image& image, const Values& values, RandomDraws&) {
         return posterize(image, whole(values, 0));
       }});
  add({"solarize",
       "values from a threshold on inverted",
       1,
       {{"threshold", "lowest value that is inverted", {128}, 0, 256, Numbers::Whole}},
       [](const Image& image, const Values& values, RandomDraws&) {
         return solarize(image, whole(values, 0));
       }});
  add({"rand_augment",
       "random operations of RandAugment for each image",
       1,
       {{"operations", "applied in sequence", {2}, 0, 14, Numbers::Whole},
        {"magnitude", "of each operation", {9}, 0, 30, Numbers::Whole}},
       [](const Image& image, const Values& values, RandomDraws& random) {
         return rand_augment(image, whole(values, 0), whole(values, 1), random);
       }});
  return kinds;
}

}  // namespace

const std::vector<TransformKind>& transform_kinds() {
  static const std::vector<TransformKind> kinds = make_kinds();
  return kinds;
}

}  // namespace hanok::data
