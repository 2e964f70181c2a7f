// Antialiased resizing, bit-exact to Pillow's Image.resize (Pillow's Resample.c): a separable
// filter whose support scales with the reduction, along rows and along columns, each pass in fixed
// point and rounded to 8 bits.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <immintrin.h>

#include "hanok/data/image.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// 8 bits for the pixel, 2 bits of headroom for filters with negative lobes, the rest for the
/// weight.
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

// ---- the two passes ----
//
// Each filter has a scalar and an AVX2 version. Both use integers, so they give the same pixels.

#define HANOK_AVX2 __attribute__((target("avx2")))

void filter_row(const std::uint8_t* in, const std::int32_t* weight, int count, std::uint8_t* out) {
  std::int32_t red = kHalf, green = kHalf, blue = kHalf;
  for (int t = 0; t < count; ++t, in += 3) {
    red += weight[t] * in[0];
    green += weight[t] * in[1];
    blue += weight[t] * in[2];
  }
  out[0] = to_byte(red);
  out[1] = to_byte(green);
  out[2] = to_byte(blue);
}

/// Multiplies a pixel's three channels, and the byte after them, by the weight.
HANOK_AVX2 inline __m128i weighted_pixel(const std::uint8_t* in, __m128i weight) {
  std::int32_t pixel;
  std::memcpy(&pixel, in, 4);
  return _mm_mullo_epi32(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(pixel)), weight);
}

/// Four rows at a time share their weights. All pixels use the largest number of taps (excess
/// weights are 0), since a loop of varying length is mispredicted too often. Reads a few bytes
/// beyond row y + 3, and each pixel except the row's last writes one byte too many, which the next
/// pixel overwrites.
HANOK_AVX2 void filter_4_rows_avx2(const Image& image, int y, const Weights& weights,
                                   Image& result) {
  const std::ptrdiff_t stride = std::ptrdiff_t{3} * image.width;
  const std::ptrdiff_t out_stride = std::ptrdiff_t{3} * result.width;
  const int count = *std::max_element(weights.count.begin(), weights.count.end());
  std::uint8_t* out = result.row(y);
  for (int x = 0; x < result.width; ++x, out += 3) {
    const auto i = static_cast<std::size_t>(x);
    const std::int32_t* weight = weights.weight.data() + i * weights.taps;
    const std::int32_t* const weight_end = weight + count;
    const std::uint8_t* in = image.row(y) + std::ptrdiff_t{3} * weights.first[i];
    __m128i a = _mm_set1_epi32(kHalf);
    __m128i b = a;
    __m128i c = a;
    __m128i d = a;
    for (; weight < weight_end; ++weight, in += 3) {
      const __m128i w = _mm_set1_epi32(*weight);
      a = _mm_add_epi32(a, weighted_pixel(in, w));
      b = _mm_add_epi32(b, weighted_pixel(in + stride, w));
      c = _mm_add_epi32(c, weighted_pixel(in + 2 * stride, w));
      d = _mm_add_epi32(d, weighted_pixel(in + 3 * stride, w));
    }
    a = _mm_packs_epi32(_mm_srai_epi32(a, kPrecisionBits), _mm_srai_epi32(b, kPrecisionBits));
    c = _mm_packs_epi32(_mm_srai_epi32(c, kPrecisionBits), _mm_srai_epi32(d, kPrecisionBits));
    alignas(16) std::int32_t pixels[4];
    _mm_store_si128(reinterpret_cast<__m128i*>(pixels), _mm_packus_epi16(a, c));
    for (int r = 0; r < 4; ++r) {
      if (x + 1 < result.width) {
        std::memcpy(out + r * out_stride, &pixels[r], 4);
      } else {
        std::memcpy(out + r * out_stride, &pixels[r], 3);
      }
    }
  }
}

void filter_column(const Image& image, int b, const std::int32_t* weight, int first, int count,
                   std::uint8_t* out) {
  for (; b < 3 * image.width; ++b) {
    std::int32_t sum = kHalf;
    for (int t = 0; t < count; ++t) sum += weight[t] * image.row(first + t)[b];
    out[b] = to_byte(sum);
  }
}

/// 16 bytes of a row at a time, over all taps, with the sums in registers.
HANOK_AVX2 void filter_column_avx2(const Image& image, const std::int32_t* weight, int first,
                                   int count, std::uint8_t* out) {
  int b = 0;
  for (; b + 16 <= 3 * image.width; b += 16) {
    __m256i low = _mm256_set1_epi32(kHalf);
    __m256i high = low;
    for (int t = 0; t < count; ++t) {
      const auto* in = reinterpret_cast<const __m128i*>(image.row(first + t) + b);
      const __m128i bytes = _mm_loadu_si128(in);
      const __m256i w = _mm256_set1_epi32(weight[t]);
      low = _mm256_add_epi32(low, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), w));
      const __m128i upper = _mm_unpackhi_epi64(bytes, bytes);
      high = _mm256_add_epi32(high, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(upper), w));
    }
    low = _mm256_srai_epi32(low, kPrecisionBits);
    high = _mm256_srai_epi32(high, kPrecisionBits);
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0b11011000);
    const __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + b), bytes);
  }
  filter_column(image, b, weight, first, count, out);
}

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}

Image resize_columns(const Image& image, int width, Filter filter) {
  const Weights weights = make_weights(image.width, width, filter);
  Image result{width, image.height,
               std::vector<std::uint8_t>(std::size_t{3} * width * image.height)};
  int y = 0;
  // The four-row filter reads up to `taps` pixels beyond its rows, so the last rows use the scalar
  // one.
  if (has_avx2() && weights.taps < image.width) {
    for (; y + 4 < image.height; y += 4) filter_4_rows_avx2(image, y, weights, result);
  }
  for (; y < image.height; ++y) {
    std::uint8_t* out = result.row(y);
    for (int x = 0; x < width; ++x, out += 3) {
      const auto i = static_cast<std::size_t>(x);
      filter_row(image.row(y) + 3 * weights.first[i], weights.weight.data() + i * weights.taps,
                 weights.count[i], out);
    }
  }
  return result;
}

Image resize_rows(const Image& image, int height, Filter filter) {
  const Weights weights = make_weights(image.height, height, filter);
  Image result{image.width, height,
               std::vector<std::uint8_t>(std::size_t{3} * image.width * height)};
  const bool avx2 = has_avx2();
  for (int y = 0; y < height; ++y) {
    const auto i = static_cast<std::size_t>(y);
    const std::int32_t* weight = weights.weight.data() + i * weights.taps;
    if (avx2) {
      filter_column_avx2(image, weight, weights.first[i], weights.count[i], result.row(y));
    } else {
      filter_column(image, 0, weight, weights.first[i], weights.count[i], result.row(y));
    }
  }
  return result;
}

}  // namespace

Image resize(const Image& image, int width, int height, Filter filter) {
  if (image.width < 1 || image.height < 1 || width < 1 || height < 1) {
    throw ValueError("resize: cannot make " + std::to_string(width) + "x" + std::to_string(height) +
                     " out of " + std::to_string(image.width) + "x" + std::to_string(image.height));
  }
  if (width == image.width && height == image.height) return image;
  if (width == image.width) return resize_rows(image, height, filter);
  if (height == image.height) return resize_columns(image, width, filter);
  // Each pass rounds, so the order of passes affects the result. Pillow 13 filters rows first if
  // the height shrinks by more than twice as many lines as the width (measured on thousands of
  // sizes).
  const std::int64_t rows_gone = std::int64_t{image.height} - height;
  const std::int64_t columns_gone = std::int64_t{image.width} - width;
  if (rows_gone > 0 && rows_gone > 2 * columns_gone) {
    return resize_columns(resize_rows(image, height, filter), width, filter);
  }
  return resize_rows(resize_columns(image, width, filter), height, filter);
}

namespace {

/// The longer side of `image` after its shorter side became `size`.
std::int64_t resized_longer_side(const Image& image, int size) {
  const std::int64_t shorter = std::max(std::min(image.width, image.height), 1);
  return std::int64_t{size} * std::max(image.width, image.height) / shorter;
}

}  // namespace

void check_shorter_side(const Image& image, int size) {
  const std::int64_t longer = resized_longer_side(image, size);
  // A very thin image has few bytes, but its resized version would fill all memory.
  const std::int64_t most = DecodeLimits().max_pixels;
  if (size > 0 && longer > most / size) {
    throw ValueError("resize: a shorter side of " + std::to_string(size) + " makes the longer " +
                     std::to_string(longer) + " out of " + std::to_string(image.width) + "x" +
                     std::to_string(image.height) + ", more than the limit of " +
                     std::to_string(most) + " pixels");
  }
}

Image resize_longer_side(const Image& image, int size, Filter filter) {
  const int longer = std::max(image.width, image.height);
  const auto scaled = [&](int length) {
    return std::max(1, static_cast<int>(std::int64_t{length} * size / longer));
  };
  return resize(image, scaled(image.width), scaled(image.height), filter);
}

Image resize_shorter_side(const Image& image, int size, Filter filter) {
  check_shorter_side(image, size);
  const int other = static_cast<int>(resized_longer_side(image, size));
  return image.width <= image.height ? resize(image, size, other, filter)
                                     : resize(image, other, size, filter);
}

}  // namespace hanok::data
