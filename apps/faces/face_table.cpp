#include "hanok/apps/faces/face_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <mutex>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/run/fnv_hash.h"
#include "hanok/data/shards.h"
#include "hanok/engine/precision.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/thread_pool.h"

namespace hanok::faces {
namespace {

/// `--crop center` keeps this share of the shorter side.
constexpr double kMiddle = 7.0 / 8.0;

/// 64-bit FNV-1a as 16 hex digits.
std::string hash_of(const std::vector<std::uint8_t>& bytes) {
  training::FnvHash hash;
  hash.add(bytes.data(), bytes.size());
  return hash.hex();
}

PhotoFaces search(const data::Dataset& dataset, std::size_t sample, const FaceFinder& finder) {
  PhotoFaces photo;
  data::Image image;
  try {
    const std::vector<std::uint8_t> bytes = data::read_sample(dataset, sample);
    photo.content_hash = hash_of(bytes);
    image = data::decode_image(bytes.data(), bytes.size(), dataset.full_path(sample));
  } catch (const IoError&) {
    return photo;
  } catch (const FormatError&) {
    return photo;
  }
  photo.width = image.width;
  photo.height = image.height;
  const std::vector<Face> found = finder.find(image);
  photo.faces = static_cast<std::int64_t>(found.size());
  if (found.empty()) return photo;
  photo.largest = found.front();
  photo.largest->landmarks = {};  // the table does not keep them
  return photo;
}

/// Where a part of `length` pixels begins whose middle is `centre`, inside [0, whole).
int begin_of(double centre, int length, int whole) {
  const double begin = std::round(centre - length / 2.0);
  return static_cast<int>(std::clamp<double>(begin, 0, whole - length));
}

}  // namespace

std::int64_t FaceTable::with_face() const {
  return std::count_if(photos.begin(), photos.end(),
                       [](const PhotoFaces& photo) { return photo.largest.has_value(); });
}

std::optional<FaceTable> find_faces(const data::Dataset& dataset, const FaceFinder& finder,
                                    int threads, training::Reporter& reporter) {
  const training::Clock::time_point start = training::Clock::now();
  FaceTable table;
  table.finder = finder.name();
  table.photos.resize(dataset.samples.size());
  const auto total = static_cast<std::int64_t>(table.photos.size());
  {
    training::Progress progress(reporter, {.label = "finding faces", .total = total});
    std::mutex mutex;  // guards progress
    ThreadPool pool(std::max(threads, 1));
    // The finder's own ops run inline in these tasks: a photograph is one thread's work.
    pool.run(total, [&](std::int64_t i) {
      if (training::interrupted()) return;
      const PrecisionScope precision(Precision::F32);
      const auto at = static_cast<std::size_t>(i);
      table.photos[at] = search(dataset, at, finder);
      const std::lock_guard lock(mutex);
      progress.advance(1);
    });
  }
  if (training::interrupted()) return {};
  const double seconds = training::seconds_since(start);
  reporter.print(fmt::format("searched {} photographs for faces in {}, {:.1f} images/s\n", total,
                             training::duration_text(seconds),
                             static_cast<double>(total) / std::max(seconds, 1e-9)));
  return table;
}

data::Rectangle face_crop(const PhotoFaces& photo, double margin) {
  if (photo.width < 1 || photo.height < 1) {
    throw ValueError("face_crop: the photograph could not be read");
  }
  double centre_x = photo.width / 2.0;
  double centre_y = photo.height / 2.0;
  double side = std::min(photo.width, photo.height) * kMiddle;
  if (photo.largest) {
    const auto [left, top, right, bottom] = std::array<double, 4>{
        photo.largest->left, photo.largest->top, photo.largest->right, photo.largest->bottom};
    centre_x = (left + right) / 2;
    centre_y = (top + bottom) / 2;
    side = std::max(right - left, bottom - top) * (1 + 2 * margin);
  }
  const auto length = [side](int whole) {
    return static_cast<int>(std::clamp<double>(std::round(side), 1, whole));
  };
  data::Rectangle part{0, 0, length(photo.width), length(photo.height)};
  part.x = begin_of(centre_x, part.width, photo.width);
  part.y = begin_of(centre_y, part.height, photo.height);
  return part;
}

void crop_to_faces(data::Dataset& dataset, const FaceTable& table, double margin) {
  if (table.photos.size() != dataset.samples.size()) {
    throw ValueError(fmt::format("crop_to_faces: a table of {} photographs for {} samples",
                                 table.photos.size(), dataset.samples.size()));
  }
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    const PhotoFaces& photo = table.photos[i];
    dataset.samples[i].crop.reset();
    if (photo.width > 0) dataset.samples[i].crop = face_crop(photo, margin);
  }
}

std::string describe(const FaceTable& table) {
  const std::int64_t found = table.with_face();
  const auto all = static_cast<std::int64_t>(table.photos.size());
  return fmt::format("faces found in {} of {} photographs{}", found, all,
                     found == all ? "" : "; the middle of the others is used");
}

std::vector<std::string> changed_files(const FaceTable& table, const data::Dataset& dataset,
                                       int threads) {
  std::vector<char> changed(dataset.samples.size());
  ThreadPool pool(std::max(threads, 1));
  pool.run(static_cast<std::int64_t>(changed.size()), [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    try {
      const std::string hash = hash_of(data::read_sample(dataset, at));
      changed[at] = hash != table.photos[at].content_hash ? 1 : 0;
    } catch (const Error&) {  // missing, or damaged in its shard
      changed[at] = 1;
    }
  });
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < changed.size(); ++i) {
    if (changed[i] != 0) paths.push_back(dataset.samples[i].path);
  }
  return paths;
}

}  // namespace hanok::faces
