#include "hanok/apps/data_report/image_facts.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <sys/stat.h>

#include "hanok/apps/cli/signals.h"
#include "hanok/apps/data_report/image_header.h"
#include "hanok/apps/data_report/jpeg_tables.h"
#include "hanok/data/shards.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/thread_pool.h"
#include "hanok/kernels/base/vector_math.h"
#include "hanok/weights/sha256.h"

namespace hanok::data_report {
namespace {

constexpr int kSmall = 32;       // side of ImageFacts::small
constexpr int kSharpness = 128;  // side at which sharpness is measured

/// ITU-R BT.601, in thousandths.
int luma(const std::uint8_t* pixel) {
  return (299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2] + 500) / 1000;
}

/// Sums over a part of the pixels. Integers, so their order does not matter.
struct Sums {
  std::int64_t pixels = 0, luma = 0, luma_squared = 0;
  std::array<std::int64_t, 3> colour{};

  void add(const std::uint8_t* pixel) {
    ++pixels;
    for (std::size_t c = 0; c < 3; ++c) colour[c] += pixel[c];
  }
  std::array<float, 3> mean_colour() const {
    std::array<float, 3> mean{};
    for (std::size_t c = 0; c < 3; ++c) {
      mean[c] = static_cast<float>(static_cast<double>(colour[c]) / static_cast<double>(pixels));
    }
    return mean;
  }
};

void measure_colours(const data::Image& image, ImageFacts& facts) {
  const int frame_x = std::max(1, image.width * 4 / 100);
  const int frame_y = std::max(1, image.height * 4 / 100);
  Sums all;
  Sums border;
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* pixel = image.row(y);
    const bool edge_row = y < frame_y || y >= image.height - frame_y;
    for (int x = 0; x < image.width; ++x, pixel += 3) {
      all.add(pixel);
      const int value = luma(pixel);
      all.luma += value;
      all.luma_squared += std::int64_t{value} * value;
      if (edge_row || x < frame_x || x >= image.width - frame_x) border.add(pixel);
    }
  }
  facts.mean_colour = all.mean_colour();
  facts.border_colour = border.mean_colour();
  const auto pixels = static_cast<double>(all.pixels);
  const double mean = static_cast<double>(all.luma) / pixels;
  const double variance = static_cast<double>(all.luma_squared) / pixels - mean * mean;
  facts.brightness = static_cast<float>(mean);
  facts.contrast = static_cast<float>(std::sqrt(std::max(0.0, variance)));
}

/// Variance of 4 x centre - neighbours (Pech-Pacheco et al., Diatom autofocusing in brightfield
/// microscopy, 2000): small where there are no edges.
float measure_sharpness(const data::Image& image) {
  std::int64_t sum = 0;
  std::int64_t squares = 0;
  std::int64_t count = 0;
  for (int y = 1; y + 1 < image.height; ++y) {
    const std::uint8_t* above = image.row(y - 1);
    const std::uint8_t* here = image.row(y);
    const std::uint8_t* below = image.row(y + 1);
    for (int x = 1; x + 1 < image.width; ++x) {
      const int at = 3 * x;
      const int value = 4 * luma(here + at) - luma(here + at - 3) - luma(here + at + 3) -
                        luma(above + at) - luma(below + at);
      sum += value;
      squares += std::int64_t{value} * value;
      ++count;
    }
  }
  const double mean = static_cast<double>(sum) / static_cast<double>(count);
  return static_cast<float>(static_cast<double>(squares) / static_cast<double>(count) -
                            mean * mean);
}

/// Row u: cos(pi (2x + 1) u / 64), the DCT-II of 32 values, unscaled. Frequencies 0 to 8.
using CosineTable = std::array<std::array<float, kSmall>, 9>;
const CosineTable& cosines() {
  static const CosineTable kTable = [] {
    constexpr float kPi = 3.14159265358979F;
    CosineTable table{};
    for (std::size_t u = 0; u < table.size(); ++u) {
      for (std::size_t x = 0; x < kSmall; ++x) {
        const auto steps = static_cast<float>((2 * x + 1) * u);
        table[u][x] = math::cos(kPi * steps / 64.0F);
      }
    }
    return table;
  }();
  return kTable;
}

/// pHash (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010): the
/// 8x8 coefficients of frequencies 1 to 8 of the 32x32 luma, each compared with their median.
std::uint64_t perceptual_hash(const data::Image& small) {
  const CosineTable& table = cosines();
  std::array<std::array<float, kSmall>, 9> columns{};  // [v][x]: transformed along y
  for (std::size_t v = 1; v <= 8; ++v) {
    for (std::size_t y = 0; y < kSmall; ++y) {
      const std::uint8_t* row = small.row(static_cast<int>(y));
      for (std::size_t x = 0; x < kSmall; ++x) {
        columns[v][x] += table[v][y] * static_cast<float>(luma(row + 3 * x));
      }
    }
  }
  std::array<float, 64> coefficients{};
  for (std::size_t v = 1; v <= 8; ++v) {
    for (std::size_t u = 1; u <= 8; ++u) {
      float sum = 0;
      for (std::size_t x = 0; x < kSmall; ++x) sum += table[u][x] * columns[v][x];
      coefficients[8 * (v - 1) + (u - 1)] = sum;
    }
  }
  std::array<float, 64> sorted = coefficients;
  std::nth_element(sorted.begin(), sorted.begin() + 32, sorted.end());
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < 64; ++i) {
    if (coefficients[i] >= sorted[32]) hash |= std::uint64_t{1} << i;
  }
  return hash;
}

/// The first 64 bits of the SHA-256.
std::uint64_t content_hash(weights::Bytes bytes) {
  return std::stoull(weights::sha256(bytes).substr(0, 16), nullptr, 16);
}

void measure_pixels(const data::Image& image, ImageFacts& facts) {
  facts.width = image.width;
  facts.height = image.height;
  measure_colours(image, facts);
  const data::Image middle = data::resize(image, kSharpness, kSharpness);
  facts.sharpness = measure_sharpness(middle);
  facts.small = data::resize(middle, kSmall, kSmall);
  facts.perceptual_hash = perceptual_hash(facts.small);
}

}  // namespace

ImageFacts measure_image(const data::Dataset& dataset, std::size_t sample) {
  ImageFacts facts;
  struct stat status {};
  if (stat(dataset.file_of(sample).c_str(), &status) == 0) facts.modified = status.st_mtime;
  facts.bytes = data::sample_bytes(dataset, sample).value_or(facts.bytes);
  try {
    const std::vector<std::uint8_t> bytes = data::read_sample(dataset, sample);
    facts.content_hash = content_hash(bytes);
    if (const auto header = read_image_header(bytes.data(), bytes.size())) {
      facts.format = header->format;
      facts.mode = header->mode;
    }
    const JpegTables tables = read_jpeg_tables(bytes.data(), bytes.size());
    facts.jpeg_quality = tables.quality;
    facts.jpeg_tables = tables.hash;
    const std::string name = dataset.full_path(sample);
    measure_pixels(data::decode_image(bytes.data(), bytes.size(), name), facts);
  } catch (const Error& error) {
    facts.problem = error.what();
  }
  return facts;
}

ImageFacts measure_image(const std::string& path) {
  data::Dataset alone;
  const bool absolute = path.starts_with('/');
  alone.root = absolute ? "" : ".";
  alone.samples.emplace_back().path = absolute ? path.substr(1) : path;
  return measure_image(alone, 0);
}

std::optional<std::vector<ImageFacts>> measure_images(const data::Dataset& dataset, int threads,
                                                      const std::function<void()>& on_image) {
  std::vector<ImageFacts> facts(dataset.samples.size());
  std::mutex mutex;  // of on_image
  ThreadPool pool(threads);
  pool.run(static_cast<std::int64_t>(facts.size()), [&](std::int64_t i) {
    if (training::interrupted()) return;
    const auto at = static_cast<std::size_t>(i);
    facts[at] = measure_image(dataset, at);
    if (!on_image) return;
    const std::lock_guard<std::mutex> lock(mutex);
    on_image();
  });
  if (training::interrupted()) return {};
  return facts;
}

}  // namespace hanok::data_report
