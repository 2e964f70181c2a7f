#include "data/transforms.h"

#include <algorithm>
#include <cstring>

#include "data/adjust.h"
#include "data/augment.h"
#include "data/random.h"
#include "data/warp.h"
#include "kernels/base/error.h"

namespace hanok::data {
namespace {

/// The image moved by (dx, dy), black where nothing came from.
Image shifted(const Image& image, int dx, int dy) {
  Image result{image.width, image.height, std::vector<std::uint8_t>(image.pixels.size())};
  const int first = std::max(0, dx);
  const int count = image.width - std::abs(dx);
  if (count <= 0) return result;
  for (int y = std::max(0, dy); y < std::min(image.height, image.height + dy); ++y)
    std::memcpy(result.row(y) + std::size_t{3} * first,
                image.row(y - dy) + std::size_t{3} * (first - dx), std::size_t{3} * count);
  return result;
}

Image light(const Image& image, RandomDraws& random) {
  const bool flip = random.chance(0.5F);
  const auto shift = [&random](int size) {
    const int padding = size / 16;
    return static_cast<int>(random.below(static_cast<std::uint32_t>(2 * padding + 1))) - padding;
  };
  const int dx = shift(image.width);
  const int dy = shift(image.height);
  return shifted(flip ? flip_horizontal(image) : image, dx, dy);
}

Image strong(const Image& image, RandomDraws& random) {
  // ImageNet's mean colour, where there is nothing to see.
  constexpr std::uint8_t kGrey[3] = {124, 116, 104};
  const Rectangle part =
      random_crop(image.width, image.height, {0.6F, 1.0F}, {0.75F, 4.0F / 3.0F}, random);
  Image result =
      resized_crop(image, part.x, part.y, part.width, part.height, image.width, image.height);
  if (random.chance(0.5F)) result = flip_horizontal(result);
  if (random.chance(0.5F)) {
    AffineParameters warp;
    warp.angle = random.between(-12, 12);
    warp.translate_x = random.between(-0.06F, 0.06F) * static_cast<float>(image.width);
    warp.translate_y = random.between(-0.06F, 0.06F) * static_cast<float>(image.height);
    warp.scale = random.between(0.9F, 1.1F);
    result = warp_affine(result, affine_matrix(warp, image.width, image.height),
                         {kGrey[0], kGrey[1], kGrey[2]});
  }
  if (random.chance(0.8F)) result = random_color_jitter(result, {0.3F, 0.3F, 0.3F, 0.05F}, random);
  if (random.chance(0.1F)) result = grayscale(result);
  const bool blurred = random.chance(0.15F);
  const float sigma = random.between(0.3F, 1.2F);
  if (blurred && std::min(image.width, image.height) > 3) result = gaussian_blur(result, 5, sigma);
  if (random.chance(0.25F))
    result = random_erasing(result, {0.02F, 0.15F}, {0.3F, 3.3F}, kGrey, random);
  return result;
}

}  // namespace

Preprocessing Preprocessing::imagenet() {
  Preprocessing result;
  result.resize = 256;
  result.image_size = 224;
  return result;
}

Image preprocess(const Image& image, const Preprocessing& preprocessing) {
  const int size = preprocessing.image_size;
  if (size < 1) throw ValueError("preprocess: image_size is " + std::to_string(size));
  if (preprocessing.resize < 0)
    throw ValueError("preprocess: resize is " + std::to_string(preprocessing.resize));
  Image result =
      preprocessing.resize == 0
          ? resize(image, size, size, preprocessing.filter)
          : center_crop(resize_shorter_side(image, preprocessing.resize, preprocessing.filter),
                        size, size);
  return preprocessing.grayscale ? grayscale(result) : result;
}

Augment parse_augment(const std::string& name) {
  if (name == "none") return Augment::None;
  if (name == "light") return Augment::Light;
  if (name == "strong") return Augment::Strong;
  if (name == "randaugment") return Augment::RandAugment;
  throw ValueError("unknown augmentation '" + name + "' (known: none, light, strong, randaugment)");
}

Image augment(const Image& image, Augment kind, std::uint64_t seed, std::int64_t epoch,
              std::int64_t sample, std::uint32_t occurrence) {
  if (kind == Augment::None) return image;
  RandomDraws random(seed, RandomStream::Augment, epoch, sample, occurrence);
  if (kind == Augment::Strong) return strong(image, random);
  const Image result = light(image, random);
  return kind == Augment::Light ? result : rand_augment(result, 2, 9, random);
}

}  // namespace hanok::data
