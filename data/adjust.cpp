#include "hanok/data/adjust.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/vector_math.h"

namespace hanok::data {
namespace {

using Table = std::array<std::array<std::uint8_t, 256>, 3>;
using Histogram = std::array<std::array<std::int64_t, 256>, 3>;

/// Pillow's "L": (299 R + 587 G + 114 B) / 1000 in 16 bits of fraction.
std::uint8_t luma(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >>
                                   16);
}

/// Pillow's Image.blend: interpolates from `base` (0) to `image` (1), extrapolates beyond, then
/// clamps to 0..255 and truncates.
std::uint8_t blend(int base, int image, float factor) {
  const float value = static_cast<float>(base) + factor * static_cast<float>(image - base);
  return value <= 0 ? 0 : value >= 255 ? 255 : static_cast<std::uint8_t>(value);
}

/// Maps each value through its channel's table.
Image mapped(const Image& image, const Table& table) {
  Image result = image;
  for (std::size_t i = 0; i < result.pixels.size(); ++i) {
    result.pixels[i] = table[i % 3][result.pixels[i]];
  }
  return result;
}

template <typename Value>
Image mapped_alike(const Image& image, const Value& value_of) {
  Table table{};
  for (int value = 0; value < 256; ++value) {
    for (auto& channel : table) {
      channel[static_cast<std::size_t>(value)] = static_cast<std::uint8_t>(value_of(value));
    }
  }
  return mapped(image, table);
}

Histogram histogram_of(const Image& image) {
  Histogram histogram{};
  for (std::size_t i = 0; i < image.pixels.size(); ++i) ++histogram[i % 3][image.pixels[i]];
  return histogram;
}

/// Pillow's SMOOTH filter: 1 1 1 / 1 5 1 / 1 1 1, divided by 13; border pixels are copied.
Image smoothed(const Image& image) {
  Image result = image;
  const int stride = 3 * image.width;
  for (int y = 1; y < image.height - 1; ++y) {
    const std::uint8_t* in = image.row(y);
    std::uint8_t* out = result.row(y);
    for (int i = 3; i < stride - 3; ++i) {
      // Pillow's order and single precision, rounded by adding a half.
      float sum = 0.5F;
      for (const int row : {stride, 0, -stride}) {
        const std::uint8_t* at = in + row + i;
        const float center = row == 0 ? 5.0F / 13.0F : 1.0F / 13.0F;
        sum += static_cast<float>(at[-3]) * (1.0F / 13.0F) + static_cast<float>(at[0]) * center +
               static_cast<float>(at[3]) * (1.0F / 13.0F);
      }
      out[i] = static_cast<std::uint8_t>(std::clamp(sum, 0.0F, 255.0F));
    }
  }
  return result;
}

struct Hsv {
  std::uint8_t hue, saturation, value;
};

/// As Pillow's rgb2hsv (after Python's colorsys): 255 is a full turn.
Hsv to_hsv(const std::uint8_t* rgb) {
  const std::uint8_t high = std::max({rgb[0], rgb[1], rgb[2]});
  const std::uint8_t low = std::min({rgb[0], rgb[1], rgb[2]});
  if (high == low) return {0, 0, high};
  const float range = static_cast<float>(high - low);
  const float saturation = range / static_cast<float>(high);
  const float red = static_cast<float>(high - rgb[0]) / range;
  const float green = static_cast<float>(high - rgb[1]) / range;
  const float blue = static_cast<float>(high - rgb[2]) / range;
  float hue;
  if (rgb[0] == high) {
    hue = blue - green;
  } else if (rgb[1] == high) {
    hue = static_cast<float>(2.0 + red - blue);
  } else {
    hue = static_cast<float>(4.0 + green - red);
  }
  const double turns = static_cast<double>(hue) / 6.0 + 1.0;
  hue = static_cast<float>(turns - std::floor(turns));
  const auto byte = [](float x) {
    return static_cast<std::uint8_t>(std::clamp(static_cast<int>(x * 255.0), 0, 255));
  };
  return {byte(hue), byte(saturation), high};
}

void to_rgb(const Hsv& hsv, std::uint8_t* rgb) {
  if (hsv.saturation == 0) {
    rgb[0] = rgb[1] = rgb[2] = hsv.value;
    return;
  }
  const double turned = static_cast<double>(static_cast<float>(hsv.hue)) * 6.0 / 255.0;
  const int sector = static_cast<int>(std::floor(turned));
  const float fraction = static_cast<float>(turned - static_cast<double>(sector));
  const float saturation = static_cast<float>(static_cast<float>(hsv.saturation) / 255.0);
  const double value = static_cast<double>(hsv.value);
  const auto byte = [](double x) {
    return static_cast<std::uint8_t>(std::clamp(static_cast<int>(std::floor(x + 0.5)), 0, 255));
  };
  const std::uint8_t v = hsv.value;
  const std::uint8_t p = byte(value * (1.0 - static_cast<double>(saturation)));
  const std::uint8_t q = byte(value * (1.0 - static_cast<double>(saturation * fraction)));
  const std::uint8_t t = byte(value * (1.0 - saturation * (1.0 - fraction)));
  const std::uint8_t by_sector[6][3] = {{v, t, p}, {q, v, p}, {p, v, t},
                                        {p, q, v}, {t, p, v}, {v, p, q}};
  std::copy_n(by_sector[sector % 6], 3, rgb);
}

/// Index `i` along an axis of `size` pixels, reflected at the ends without repeating the border
/// pixel.
int mirrored(int i, int size) {
  if (i < 0) i = -i;
  return i < size ? i : 2 * (size - 1) - i;
}

}  // namespace

Image adjust_brightness(const Image& image, float factor) {
  return mapped_alike(image, [factor](int value) { return blend(0, value, factor); });
}

Image adjust_contrast(const Image& image, float factor) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) sum += luma(&image.pixels[i]);
  const std::size_t pixels = std::max<std::size_t>(image.pixels.size() / 3, 1);
  const int mean = static_cast<int>(static_cast<double>(sum) / static_cast<double>(pixels) + 0.5);
  return mapped_alike(image, [&](int value) { return blend(mean, value, factor); });
}

Image adjust_saturation(const Image& image, float factor) {
  Image result = image;
  for (std::size_t i = 0; i < result.pixels.size(); i += 3) {
    const int grey = luma(&image.pixels[i]);
    for (std::size_t c = i; c < i + 3; ++c) result.pixels[c] = blend(grey, image.pixels[c], factor);
  }
  return result;
}

Image adjust_sharpness(const Image& image, float factor) {
  Image result = smoothed(image);
  for (std::size_t i = 0; i < result.pixels.size(); ++i) {
    result.pixels[i] = blend(result.pixels[i], image.pixels[i], factor);
  }
  return result;
}

Image adjust_hue(const Image& image, float shift) {
  if (!(shift >= -0.5F && shift <= 0.5F)) {
    throw ValueError("adjust_hue: shift is " + std::to_string(shift) + ", expected -0.5..0.5");
  }
  const int steps = static_cast<int>(static_cast<double>(shift) * 255);
  Image result = image;
  for (std::size_t i = 0; i < result.pixels.size(); i += 3) {
    Hsv hsv = to_hsv(&image.pixels[i]);
    hsv.hue = static_cast<std::uint8_t>(hsv.hue + steps);  // wraps around
    to_rgb(hsv, &result.pixels[i]);
  }
  return result;
}

Image grayscale(const Image& image) {
  Image result = image;
  for (std::size_t i = 0; i < result.pixels.size(); i += 3) {
    std::fill_n(&result.pixels[i], 3, luma(&image.pixels[i]));
  }
  return result;
}

Image autocontrast(const Image& image) {
  const Histogram histogram = histogram_of(image);
  Table table{};
  for (std::size_t c = 0; c < 3; ++c) {
    int low = 0, high = 255;
    while (low < 256 && histogram[c][static_cast<std::size_t>(low)] == 0) ++low;
    while (high >= 0 && histogram[c][static_cast<std::size_t>(high)] == 0) --high;
    for (int value = 0; value < 256; ++value) {
      const double scale = high > low ? 255.0 / (high - low) : 1.0;
      const double offset = high > low ? -low * scale : 0.0;
      const int stretched = static_cast<int>(value * scale + offset);
      table[c][static_cast<std::size_t>(value)] =
          static_cast<std::uint8_t>(std::clamp(stretched, 0, 255));
    }
  }
  return mapped(image, table);
}

Image equalize(const Image& image) {
  const Histogram histogram = histogram_of(image);
  Table table{};
  for (std::size_t c = 0; c < 3; ++c) {
    std::int64_t total = 0, last = 0, used = 0;
    for (const std::int64_t count : histogram[c]) {
      total += count;
      if (count > 0) last = count;
      used += count > 0;
    }
    const std::int64_t step = used > 1 ? (total - last) / 255 : 0;
    std::int64_t below = step / 2;
    for (std::size_t value = 0; value < 256; ++value) {
      const std::int64_t level = step > 0 ? below / step : static_cast<std::int64_t>(value);
      table[c][value] = static_cast<std::uint8_t>(std::min<std::int64_t>(level, 255));
      below += histogram[c][value];
    }
  }
  return mapped(image, table);
}

Image posterize(const Image& image, int bits) {
  if (bits < 1 || bits > 8) {
    throw ValueError("posterize: bits is " + std::to_string(bits) + ", expected 1..8");
  }
  const int mask = 256 - (1 << (8 - bits));
  return mapped_alike(image, [mask](int value) { return value & mask; });
}

Image solarize(const Image& image, int threshold) {
  if (threshold < 0 || threshold > 256) {
    throw ValueError("solarize: threshold is " + std::to_string(threshold) + ", expected 0..256");
  }
  return mapped_alike(image,
                      [threshold](int value) { return value < threshold ? value : 255 - value; });
}

Image invert(const Image& image) {
  return mapped_alike(image, [](int value) { return 255 - value; });
}

Image gaussian_blur(const Image& image, int kernel, float sigma) {
  const int half = kernel / 2;
  if (kernel < 1 || kernel % 2 == 0 || !(sigma > 0)) {
    throw ValueError("gaussian_blur: kernel " + std::to_string(kernel) + ", sigma " +
                     std::to_string(sigma) + "; expected an odd kernel and a positive sigma");
  }
  if (image.width <= half || image.height <= half) {
    throw ValueError("gaussian_blur: a kernel of " + std::to_string(kernel) +
                     " is too large for an image of " + std::to_string(image.width) + "x" +
                     std::to_string(image.height));
  }
  std::vector<double> weight;
  double sum = 0;
  for (int i = -half; i <= half; ++i) {
    const double x = i / static_cast<double>(sigma);
    weight.push_back(math::exp_double(-0.5 * x * x));
    sum += weight.back();
  }
  for (double& w : weight) w /= sum;

  // Filter rows in double precision, then columns.
  const std::size_t stride = std::size_t{3} * image.width;
  std::vector<double> rows(image.pixels.size());
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      for (int t = 0; t < kernel; ++t) {
        const std::uint8_t* in = image.row(y) + 3 * mirrored(x + t - half, image.width);
        double* out = &rows[stride * y + std::size_t{3} * x];
        for (int c = 0; c < 3; ++c) out[c] += weight[static_cast<std::size_t>(t)] * in[c];
      }
    }
  }
  Image result = image;
  std::vector<double> line(stride);
  for (int y = 0; y < image.height; ++y) {
    std::fill(line.begin(), line.end(), 0.0);
    for (int t = 0; t < kernel; ++t) {
      const double* in = &rows[stride * mirrored(y + t - half, image.height)];
      for (std::size_t i = 0; i < stride; ++i) {
        line[i] += weight[static_cast<std::size_t>(t)] * in[i];
      }
    }
    for (std::size_t i = 0; i < stride; ++i) {
      result.row(y)[i] = static_cast<std::uint8_t>(std::clamp(line[i] + 0.5, 0.0, 255.0));
    }
  }
  return result;
}

Image erase(const Image& image, const Rectangle& part, const std::uint8_t (&color)[3]) {
  const auto [x, y, width, height] = part;
  if (x < 0 || y < 0 || width < 0 || height < 0 || x > image.width - width ||
      y > image.height - height) {
    throw ValueError("erase: " + std::to_string(width) + "x" + std::to_string(height) + " at (" +
                     std::to_string(x) + "," + std::to_string(y) + ") leaves the image of " +
                     std::to_string(image.width) + "x" + std::to_string(image.height));
  }
  Image result = image;
  for (int row = y; row < y + height; ++row) {
    for (int column = x; column < x + width; ++column) {
      std::copy_n(color, 3, result.row(row) + 3 * column);
    }
  }
  return result;
}

}  // namespace hanok::data
