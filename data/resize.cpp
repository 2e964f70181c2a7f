// Antialiased resizing, bit for bit as Pillow's Image.resize (Pillow's Resample.c): a separable
// filter whose support grows with the reduction, along rows and along columns, each pass in fixed
// point and rounded to 8 bits.
#include <algorithm>
#include <cmath>

#include "data/image.h"
#include "kernels/base/error.h"

namespace hanok::data {
namespace {

/// 8 bits of pixel, 2 bits of head room for filters with negative lobes, the rest for the weight.
constexpr int kPrecisionBits = 32 - 8 - 2;

double triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

/// Keys' cubic with a = -1/2.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

/// The weights of one axis: output i is the sum over t < count[i] of weight[i * taps + t] times
/// input first[i] + t.
struct Weights {
  int taps = 0;
  std::vector<int> first, count;
  std::vector<std::int32_t> weight;
};

Weights make_weights(int in_size, int out_size, Filter filter) {
  const double scale = static_cast<double>(in_size) / out_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = (filter == Filter::Bilinear ? 1.0 : 2.0) * filter_scale;
  Weights result;
  result.taps = static_cast<int>(std::ceil(support)) * 2 + 1;
  result.first.resize(static_cast<std::size_t>(out_size));
  result.count.resize(static_cast<std::size_t>(out_size));
  result.weight.assign(static_cast<std::size_t>(out_size) * static_cast<std::size_t>(result.taps),
                       0);
  std::vector<double> exact(static_cast<std::size_t>(result.taps));
  for (int i = 0; i < out_size; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int count = std::min(static_cast<int>(center + support + 0.5), in_size) - first;
    const double inverse = 1.0 / filter_scale;
    double sum = 0;
    for (int t = 0; t < count; ++t) {
      const double x = (t + first - center + 0.5) * inverse;
      exact[static_cast<std::size_t>(t)] = filter == Filter::Bilinear ? triangle(x) : cubic(x);
      sum += exact[static_cast<std::size_t>(t)];
    }
    std::int32_t* out = result.weight.data() + static_cast<std::ptrdiff_t>(i) * result.taps;
    for (int t = 0; t < count; ++t) {
      double value = exact[static_cast<std::size_t>(t)];
      if (sum != 0.0) value /= sum;
      value *= 1 << kPrecisionBits;
      out[t] = static_cast<std::int32_t>(value < 0 ? value - 0.5 : value + 0.5);
    }
    result.first[static_cast<std::size_t>(i)] = first;
    result.count[static_cast<std::size_t>(i)] = count;
  }
  return result;
}

std::uint8_t to_byte(std::int32_t fixed) {
  return static_cast<std::uint8_t>(std::clamp(fixed >> kPrecisionBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

Image resize_columns(const Image& image, int width, Filter filter) {
  const Weights weights = make_weights(image.width, width, filter);
  Image result{width, image.height,
               std::vector<std::uint8_t>(std::size_t{3} * width * image.height)};
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.row(y);
    std::uint8_t* out = result.row(y);
    for (int x = 0; x < width; ++x, out += 3) {
      const std::size_t i = static_cast<std::size_t>(x);
      const std::uint8_t* in = row + std::size_t{3} * weights.first[i];
      const std::int32_t* weight = weights.weight.data() + i * weights.taps;
      std::int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (int t = 0; t < weights.count[i]; ++t, in += 3) {
        red += weight[t] * in[0];
        green += weight[t] * in[1];
        blue += weight[t] * in[2];
      }
      out[0] = to_byte(red);
      out[1] = to_byte(green);
      out[2] = to_byte(blue);
    }
  }
  return result;
}

Image resize_rows(const Image& image, int height, Filter filter) {
  const Weights weights = make_weights(image.height, height, filter);
  const int row_bytes = 3 * image.width;
  Image result{image.width, height,
               std::vector<std::uint8_t>(static_cast<std::size_t>(row_bytes) * height)};
  std::vector<std::int32_t> sums(static_cast<std::size_t>(row_bytes));
  for (int y = 0; y < height; ++y) {
    const std::size_t i = static_cast<std::size_t>(y);
    std::int32_t* sum = sums.data();
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int t = 0; t < weights.count[i]; ++t) {
      const std::uint8_t* in = image.row(weights.first[i] + t);
      const std::int32_t weight = weights.weight[i * weights.taps + t];
      for (int b = 0; b < row_bytes; ++b) sum[b] += weight * in[b];
    }
    std::uint8_t* out = result.row(y);
    for (int b = 0; b < row_bytes; ++b) out[b] = to_byte(sum[b]);
  }
  return result;
}

}  // namespace

Image resize(const Image& image, int width, int height, Filter filter) {
  if (image.width < 1 || image.height < 1 || width < 1 || height < 1)
    throw ValueError("resize: cannot make " + std::to_string(width) + "x" + std::to_string(height) +
                     " out of " + std::to_string(image.width) + "x" + std::to_string(image.height));
  if (width == image.width && height == image.height) return image;
  if (width == image.width) return resize_rows(image, height, filter);
  if (height == image.height) return resize_columns(image, width, filter);
  // Each pass rounds, so their order shows. Pillow 13 begins with the rows where far more of them
  // go than columns, as measured on thousands of sizes.
  const std::int64_t rows_gone = std::int64_t{image.height} - height;
  const std::int64_t columns_gone = std::int64_t{image.width} - width;
  if (rows_gone > 0 && rows_gone > 2 * columns_gone)
    return resize_columns(resize_rows(image, height, filter), width, filter);
  return resize_rows(resize_columns(image, width, filter), height, filter);
}

Image resize_shorter_side(const Image& image, int size, Filter filter) {
  const auto longer = [size](int short_side, int long_side) {
    return static_cast<int>(std::int64_t{size} * long_side / std::max(short_side, 1));
  };
  if (image.width <= image.height)
    return resize(image, size, longer(image.width, image.height), filter);
  return resize(image, longer(image.height, image.width), size, filter);
}

}  // namespace hanok::data
