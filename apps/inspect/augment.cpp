// inspect augment: a contact sheet of one photograph.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "apps/inspect/inspect.h"
#include "apps/training/errors.h"
#include "apps/training/files.h"
#include "data/dataset.h"
#include "data/transforms.h"

namespace hanok::inspection {
namespace {

constexpr int kGap = 4;                                     // white pixels around each picture
constexpr std::int64_t kMaxPixels = std::int64_t{1} << 27;  // of the sheet, as of any photograph

std::string lower_extension(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

std::string encoded(const data::Image& image, const std::string& path) {
  const std::vector<std::uint8_t> bytes =
      lower_extension(path) == ".png" ? data::encode_png(image) : data::encode_jpeg(image, 92);
  return {bytes.begin(), bytes.end()};
}

/// The path of the photograph that the user means.
std::string photograph(const AugmentOptions& options) {
  if (lower_extension(options.source) != ".csv" && !std::filesystem::is_directory(options.source)) {
    if (options.sample != 0) {
      throw training::UsageError("--sample: chooses from a data set; here is one photograph");
    }
    return options.source;
  }
  const data::Dataset dataset = data::load_dataset(options.source, options.layout);
  if (options.sample >= static_cast<std::int64_t>(dataset.samples.size())) {
    throw training::UsageError(fmt::format("--sample {}: {} holds samples 0 to {}", options.sample,
                                           options.source, dataset.samples.size() - 1));
  }
  return dataset.full_path(static_cast<std::size_t>(options.sample));
}

data::Image blank(int width, int height) {
  data::Image image{width, height, {}};
  image.pixels.assign(std::size_t{3} * width * height, 255);
  return image;
}

void paste(data::Image& sheet, const data::Image& image, int column, int row) {
  const int x = kGap + column * (image.width + kGap);
  const int y = kGap + row * (image.height + kGap);
  for (int line = 0; line < image.height; ++line) {
    std::copy_n(image.row(line), std::size_t{3} * image.width,
                sheet.row(y + line) + std::size_t{3} * x);
  }
}

}  // namespace

void inspect_augment(const AugmentOptions& options) {
  const std::string extension = lower_extension(options.out);
  if (extension != ".png" && extension != ".jpg" && extension != ".jpeg") {
    throw training::UsageError(
        fmt::format("--out: {}: let the name end in .png or .jpg", options.out));
  }
  std::vector<data::Augment> kinds;
  for (const std::string& name : options.kinds) {
    try {
      kinds.push_back(data::parse_augment(name));
    } catch (const ValueError& error) {
      throw training::UsageError(fmt::format("--augment: {}", error.what()));
    }
  }
  const std::int64_t step = options.image_size + kGap;
  const auto tiles = static_cast<std::int64_t>(kinds.size()) * (options.epochs + 1);
  if (step * step * tiles > kMaxPixels) {
    throw training::UsageError(fmt::format(
        "--epochs {}, --image-size {}: the sheet would have more than {} million pixels; take "
        "fewer epochs or smaller pictures",
        options.epochs, options.image_size, kMaxPixels / 1'000'000));
  }
  const std::string path = photograph(options);
  data::Preprocessing preprocessing;  // as finetune has it: stretched to a square
  preprocessing.image_size = static_cast<int>(options.image_size);
  const data::Image image = data::preprocess(data::decode_image_file(path), preprocessing);

  const int columns = static_cast<int>(options.epochs) + 1;
  const int rows = static_cast<int>(kinds.size());
  data::Image sheet =
      blank(kGap + columns * (image.width + kGap), kGap + rows * (image.height + kGap));
  for (int row = 0; row < rows; ++row) {
    paste(sheet, image, 0, row);
    for (int epoch = 0; epoch + 1 < columns; ++epoch) {
      paste(sheet,
            data::augment(image, kinds[static_cast<std::size_t>(row)], options.seed, epoch,
                          options.sample),
            epoch + 1, row);
    }
  }
  training::write_file(options.out, encoded(sheet, options.out));
  fmt::print("{}: {}\n", options.out, path);
  fmt::print("columns: the photograph at {0}x{0}, then epochs 1 to {1}, seed {2}, sample {3}\n",
             options.image_size, options.epochs, options.seed, options.sample);
  for (std::size_t row = 0; row < options.kinds.size(); ++row) {
    fmt::print("row {}: {}\n", row + 1, options.kinds[row]);
  }
}

}  // namespace hanok::inspection
