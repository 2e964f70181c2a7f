#include "hanok/data/augment.h"

#include <algorithm>
#include <cmath>

#include "hanok/data/adjust.h"
#include "hanok/data/warp.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/vector_math.h"

namespace hanok::data {
namespace {

/// A log-uniform draw from the range.
double log_uniform(std::array<float, 2> range, RandomDraws& random) {
  const double low = math::log_double(static_cast<double>(range[0]));
  const double high = math::log_double(static_cast<double>(range[1]));
  return math::exp_double(low + (high - low) * random.unit53());
}

double uniform(std::array<float, 2> range, RandomDraws& random) {
  const double low = static_cast<double>(range[0]);
  return low + (static_cast<double>(range[1]) - low) * random.unit53();
}

int rounded(double value) { return static_cast<int>(std::floor(value + 0.5)); }

int position(int room, RandomDraws& random) {
  return static_cast<int>(random.below(static_cast<std::uint32_t>(room + 1)));
}

void check_ranges(const char* what, std::array<float, 2> area, std::array<float, 2> aspect) {
  if (!(area[0] > 0 && area[0] <= area[1] && area[1] <= 1 && aspect[0] > 0 &&
        aspect[0] <= aspect[1])) {
    throw ValueError(std::string(what) + ": area " + std::to_string(area[0]) + ".." +
                     std::to_string(area[1]) + ", aspect " + std::to_string(aspect[0]) + ".." +
                     std::to_string(aspect[1]) + "; expected 0 < low <= high, area <= 1");
  }
}

float jitter_factor(float strength, RandomDraws& random) {
  return random.between(std::max(0.0F, 1 - strength), 1 + strength);
}

Image sheared(const Image& image, double horizontal, double vertical) {
  // torchvision's AutoAugment shears about the upper left corner: source x = x + level * y.
  return warp_affine(image, {1, horizontal, 0, vertical, 1, 0});
}

Image shifted_by(const Image& image, double x, double y) {
  return warp_affine(image, {1, 0, -std::trunc(x), 0, 1, -std::trunc(y)});
}

/// Names of operations whose magnitude has a direction.
bool is_signed(const std::string& name) {
  static const std::vector<std::string> kSigned = {"ShearX",     "ShearY",   "TranslateX",
                                                   "TranslateY", "Rotate",   "Brightness",
                                                   "Color",      "Contrast", "Sharpness"};
  return std::find(kSigned.begin(), kSigned.end(), name) != kSigned.end();
}

constexpr int kMaxMagnitude = 30;

}  // namespace

Rectangle random_crop(int width, int height, std::array<float, 2> area, std::array<float, 2> aspect,
                      RandomDraws& random) {
  check_ranges("random_crop", area, aspect);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = static_cast<double>(width) * height * uniform(area, random);
    const double ratio = log_uniform(aspect, random);
    const int w = rounded(std::sqrt(target * ratio));
    const int h = rounded(std::sqrt(target / ratio));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const int x = position(width - w, random);
    return {x, position(height - h, random), w, h};
  }
  int w = width, h = height;
  const double whole = static_cast<double>(width) / height;
  if (whole < static_cast<double>(aspect[0])) {
    h = std::clamp(rounded(width / static_cast<double>(aspect[0])), 1, height);
  } else if (whole > static_cast<double>(aspect[1])) {
    w = std::clamp(rounded(height * static_cast<double>(aspect[1])), 1, width);
  }
  return {(width - w) / 2, (height - h) / 2, w, h};
}

Image random_color_jitter(const Image& image, const ColorJitter& jitter, RandomDraws& random) {
  std::vector<int> order = {0, 1, 2, 3};
  random.shuffle(order);
  const float brightness = jitter_factor(jitter.brightness, random);
  const float contrast = jitter_factor(jitter.contrast, random);
  const float saturation = jitter_factor(jitter.saturation, random);
  const float hue = random.between(-jitter.hue, jitter.hue);
  Image result = image;
  for (const int step : order) {
    if (step == 0 && jitter.brightness > 0) result = adjust_brightness(result, brightness);
    if (step == 1 && jitter.contrast > 0) result = adjust_contrast(result, contrast);
    if (step == 2 && jitter.saturation > 0) result = adjust_saturation(result, saturation);
    if (step == 3 && jitter.hue > 0) result = adjust_hue(result, hue);
  }
  return result;
}

Image random_erasing(const Image& image, std::array<float, 2> area, std::array<float, 2> aspect,
                     const std::uint8_t (&color)[3], RandomDraws& random) {
  check_ranges("random_erasing", area, aspect);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = static_cast<double>(image.width) * image.height * uniform(area, random);
    const double ratio = log_uniform(aspect, random);
    const int h = rounded(std::sqrt(target * ratio));
    const int w = rounded(std::sqrt(target / ratio));
    if (w < 1 || h < 1 || w >= image.width || h >= image.height) continue;
    const int x = position(image.width - w, random);
    return erase(image, {x, position(image.height - h, random), w, h}, color);
  }
  return image;
}

const std::vector<std::string>& rand_augment_operations() {
  static const std::vector<std::string> kOperations = {
      "Identity", "ShearX",   "ShearY",    "TranslateX", "TranslateY", "Rotate",       "Brightness",
      "Color",    "Contrast", "Sharpness", "Posterize",  "Solarize",   "AutoContrast", "Equalize"};
  return kOperations;
}

Image rand_augment_operation(const Image& image, const std::string& name, int magnitude,
                             bool negative) {
  if (magnitude < 0 || magnitude > kMaxMagnitude) {
    throw ValueError("rand_augment: magnitude is " + std::to_string(magnitude) +
                     ", expected 0..30");
  }
  const double share = magnitude / static_cast<double>(kMaxMagnitude);
  const double direction = negative && is_signed(name) ? -share : share;
  const float enhanced = static_cast<float>(1 + 0.9 * direction);
  if (name == "Identity") return image;
  if (name == "ShearX") return sheared(image, 0.3 * direction, 0);
  if (name == "ShearY") return sheared(image, 0, 0.3 * direction);
  if (name == "TranslateX") return shifted_by(image, 150.0 / 331 * image.width * direction, 0);
  if (name == "TranslateY") return shifted_by(image, 0, 150.0 / 331 * image.height * direction);
  if (name == "Rotate") {
    AffineParameters turn;
    turn.angle = -30 * direction;  // torchvision's rotate has the opposite sign of its affine
    return warp_affine(image, affine_matrix(turn, image.width, image.height));
  }
  if (name == "Brightness") return adjust_brightness(image, enhanced);
  if (name == "Color") return adjust_saturation(image, enhanced);
  if (name == "Contrast") return adjust_contrast(image, enhanced);
  if (name == "Sharpness") return adjust_sharpness(image, enhanced);
  if (name == "Posterize") {
    return posterize(image, 8 - static_cast<int>(std::nearbyint(magnitude / 7.5)));
  }
  if (name == "Solarize") return solarize(image, static_cast<int>(std::ceil(255 * (1 - share))));
  if (name == "AutoContrast") return autocontrast(image);
  if (name == "Equalize") return equalize(image);
  throw ValueError("rand_augment: unknown operation '" + name + "'");
}

Image rand_augment(const Image& image, int operations, int magnitude, RandomDraws& random) {
  if (operations < 0) {
    throw ValueError("rand_augment: " + std::to_string(operations) + " operations");
  }
  const std::vector<std::string>& names = rand_augment_operations();
  Image result = image;
  for (int i = 0; i < operations; ++i) {
    const std::string& name = names[random.below(static_cast<std::uint32_t>(names.size()))];
    const bool negative = random.chance(0.5F);
    result = rand_augment_operation(result, name, magnitude, negative);
  }
  return result;
}

}  // namespace hanok::data
