// What a photograph's file and pixels say without a network: measured once for a whole data set.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hanok/data/dataset.h"
#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

struct ImageFacts {
  std::string problem{};  // why it cannot be decoded; the pixels' facts are then 0
  // the file
  std::int64_t bytes = 0;
  std::int64_t modified = 0;       // seconds since 1970
  std::uint64_t content_hash = 0;  // of all bytes: equal files have equal ones
  std::string format{};            // "JPEG", "PNG", ...; empty if its header cannot be read
  std::string mode{};              // "RGB", "grey", ... (image_header.h)
  int jpeg_quality = 0;            // as libjpeg counts, estimated from the tables; 0: no JPEG
  std::uint64_t jpeg_tables = 0;   // hash of the quantisation tables: who wrote it; 0: no JPEG
  // the pixels, upright
  int width = 0, height = 0;
  std::array<float, 3> mean_colour{};    // RGB, 0..255
  std::array<float, 3> border_colour{};  // mean of the outermost 4% of each side
  float brightness = 0;                  // mean luma, 0..255
  float contrast = 0;                    // its standard deviation
  float sharpness = 0;                   // variance of the Laplacian of the luma, scaled to 128x128
  std::uint64_t perceptual_hash = 0;  // 64 bits of low DCT frequencies: near images, few bits apart
  data::Image small{};                // 32x32, for mean photographs and classifiers
};

/// The facts of every sample, in their order, measured by `threads` threads; the same for any
/// number of them. `on_image` is called after each image from one thread at a time, and may be
/// empty. Empty if the user interrupted.
std::optional<std::vector<ImageFacts>> measure_images(const data::Dataset& dataset, int threads,
                                                      const std::function<void()>& on_image = {});
/// Of one sample, or one file. What is wrong with it is its `problem`; nothing is thrown for it.
ImageFacts measure_image(const data::Dataset& dataset, std::size_t sample);
ImageFacts measure_image(const std::string& path);

}  // namespace hanok::data_report
#pragma GCC visibility pop
