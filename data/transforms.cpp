#include "data/transforms.h"

#include <algorithm>
#include <cstring>

#include "data/random.h"
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
  if (preprocessing.resize == 0) return resize(image, size, size, preprocessing.filter);
  return center_crop(resize_shorter_side(image, preprocessing.resize, preprocessing.filter), size,
                     size);
}

Augment parse_augment(const std::string& name) {
  if (name == "none") return Augment::None;
  if (name == "light") return Augment::Light;
  throw ValueError("unknown augmentation '" + name + "' (known: none, light)");
}

Image augment(const Image& image, Augment kind, std::uint64_t seed, std::int64_t epoch,
              std::int64_t sample) {
  if (kind == Augment::None) return image;
  RandomDraws random(seed, RandomStream::Augment, epoch, sample);
  const bool flip = random.chance(0.5F);
  const auto shift = [&random](int size) {
    const int padding = size / 16;
    return static_cast<int>(random.below(static_cast<std::uint32_t>(2 * padding + 1))) - padding;
  };
  const int dx = shift(image.width);
  const int dy = shift(image.height);
  return shifted(flip ? flip_horizontal(image) : image, dx, dy);
}

}  // namespace hanok::data
