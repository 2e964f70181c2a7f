// inspect augment: a contact sheet of one photograph.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/inspection/inspect.h"
#include "hanok/apps/options/augmentation_toml.h"
#include "hanok/apps/pages/picture_sheet.h"
#include "hanok/apps/run/files.h"
#include "hanok/data/augmentation.h"
#include "hanok/data/dataset.h"
#include "hanok/data/mix.h"
#include "hanok/data/transforms.h"

namespace hanok::inspection {
namespace {

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

/// Photographs that are shown: the requested one, and one to mix it with.
struct Photographs {
  std::string path;
  std::string partner;  // of another class where there are several; empty
                        // without a data set
};

Photographs photographs(const AugmentOptions& options) {
  std::error_code error;
  if (lower_extension(options.source) != ".csv" &&
      !std::filesystem::is_directory(options.source, error)) {
    if (options.sample != 0) {
      throw training::UsageError(
          "--sample: chooses from a data set, but the source is one photograph");
    }
    return {options.source, ""};
  }
  const data::Dataset dataset = data::load_dataset(options.source, options.reading);
  const auto count = static_cast<std::int64_t>(dataset.samples.size());
  if (options.sample >= count) {
    throw training::UsageError(fmt::format("--sample {}: {} holds samples 0 to {}", options.sample,
                                           options.source, count - 1));
  }
  const auto own = static_cast<std::size_t>(options.sample);
  std::size_t partner = (own + 1) % dataset.samples.size();
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    const std::size_t next = (own + 1 + i) % dataset.samples.size();
    if (dataset.samples[next].label == dataset.samples[own].label) continue;
    partner = next;
    break;
  }
  return {dataset.full_path(own), dataset.full_path(partner)};
}

bool is_mix(const std::string& kind) { return kind == "mixup" || kind == "cutmix"; }

/// Replaces "all" by every kind. Without kinds: those that finetune's options name.
std::vector<std::string> expanded_kinds(const std::vector<std::string>& kinds, bool has_partner) {
  const std::vector<std::string> mixes = {"mixup", "cutmix"};
  std::vector<std::string> all;
  const auto add = [&all](const std::vector<std::string>& names) {
    all.insert(all.end(), names.begin(), names.end());
  };
  if (kinds.empty()) add({"light", "strong", "randaugment"});
  for (const std::string& kind : kinds) {
    if (kind != "all") {
      all.push_back(kind);
      continue;
    }
    for (const data::TransformKind& transform : data::transform_kinds()) {
      all.push_back(transform.name);
    }
    add({"light", "strong", "randaugment"});
    if (has_partner) add(mixes);
  }
  if (kinds.empty() && has_partner) add(mixes);
  return all;
}

/// What a row's name means: a list with a name, a file with a list, or one transform, always
/// applied.
data::Augmentation augmentation_of(const std::string& kind) {
  if (data::is_augmentation_name(kind)) return data::named_augmentation(kind);
  std::error_code error;
  if (std::filesystem::is_regular_file(kind, error)) return training::read_augmentation(kind);
  for (const data::TransformKind& transform : data::transform_kinds()) {
    if (transform.name == kind) return {data::TransformStep(kind).set_probability(1)};
  }
  std::vector<std::string> known = data::augmentation_names();
  for (const data::TransformKind& transform : data::transform_kinds()) {
    known.push_back(transform.name);
  }
  throw training::UsageError(fmt::format(
      "--augment: unknown \"{}\" (known: {}, mixup, cutmix, all, or a TOML file of transforms)",
      kind, fmt::join(known, ", ")));
}

/// The image as one of a batch, its partner before it, after mixing.
data::Image mixed(const data::Image& image, const data::Image& partner, const std::string& kind,
                  const AugmentOptions& options, std::int64_t epoch) {
  const std::int64_t side = options.image_size;
  data::Batch batch;
  batch.images = Tensor::empty({2, 3, side, side});
  batch.labels = Tensor::from_vector(std::vector<std::int64_t>{0, 1}, {2});
  float* values = batch.images.mutable_data<float>();
  const auto to_float = [](std::uint8_t byte) { return static_cast<float>(byte); };
  std::transform(partner.pixels.begin(), partner.pixels.end(), values, to_float);
  std::transform(image.pixels.begin(), image.pixels.end(), values + partner.pixels.size(),
                 to_float);
  (kind == "mixup" ? data::mixup : data::cutmix)(batch, 2, options.alpha, options.seed, epoch, 0);
  data::Image result = image;
  const float* own = batch.images.data<float>() + partner.pixels.size();
  std::transform(own, own + image.pixels.size(), result.pixels.begin(),
                 [](float value) { return static_cast<std::uint8_t>(std::lround(value)); });
  return result;
}

}  // namespace

void inspect_augment(const AugmentOptions& options, Reporter& reporter) {
  const std::string extension = lower_extension(options.out);
  if (extension != ".png" && extension != ".jpg" && extension != ".jpeg") {
    throw training::UsageError(
        fmt::format("--out: {}: the name must end in .png or .jpg", options.out));
  }
  const Photographs photos = photographs(options);
  const std::vector<std::string> kinds = expanded_kinds(options.kinds, !photos.partner.empty());
  std::vector<data::Augmentation> augmentations;
  for (const std::string& kind : kinds) {
    if (is_mix(kind) && photos.partner.empty()) {
      throw training::UsageError(fmt::format(
          "--augment {}: mixes two photographs, so it needs a data set, not one file", kind));
    }
    augmentations.push_back(is_mix(kind) ? data::Augmentation() : augmentation_of(kind));
  }
  const std::int64_t step = options.image_size + pages::PictureSheet::kGap;
  const auto tiles = static_cast<std::int64_t>(kinds.size()) * (options.epochs + 1);
  if (step * step * tiles > kMaxPixels) {
    throw training::UsageError(fmt::format(
        "--epochs {}, --image-size {}: the sheet would have more than {} million pixels; take "
        "fewer epochs or smaller pictures",
        options.epochs, options.image_size, kMaxPixels / 1'000'000));
  }
  data::Preprocessing preprocessing;  // as in finetune: stretched to a square
  preprocessing.image_size = static_cast<int>(options.image_size);
  const auto prepared = [&](const std::string& path) {
    return data::preprocess(data::decode_image_file(path), preprocessing);
  };
  const data::Image image = prepared(photos.path);
  const data::Image partner = photos.partner.empty() ? image : prepared(photos.partner);

  const int columns = static_cast<int>(options.epochs) + 1;
  const int rows = static_cast<int>(kinds.size());
  pages::PictureSheet sheet(
      {.columns = columns, .rows = rows, .width = image.width, .height = image.height});
  for (int row = 0; row < rows; ++row) {
    const auto r = static_cast<std::size_t>(row);
    sheet.set(0, row, image);
    if (training::interrupted()) throw Error("interrupted; nothing was written");
    for (int epoch = 0; epoch + 1 < columns; ++epoch) {
      sheet.set(epoch + 1, row,
                is_mix(kinds[r])
                    ? mixed(image, partner, kinds[r], options, epoch)
                    : data::augment(image, augmentations[r], options.seed, epoch, options.sample));
    }
  }
  training::write_file(options.out, encoded(sheet.picture(), options.out));
  reporter.print(fmt::format("{}: {}\n", options.out, photos.path));
  reporter.print(fmt::format(
      "columns: the photograph at {0}x{0}, then epochs 1 to {1}, seed {2}, sample {3}\n",
      options.image_size, options.epochs, options.seed, options.sample));
  for (std::size_t row = 0; row < kinds.size(); ++row) {
    reporter.print(fmt::format("row {}: {}{}\n", row + 1, kinds[row],
                               is_mix(kinds[row]) ? " with " + photos.partner : ""));
  }
}

}  // namespace hanok::inspection
