#include "hanok/data/mix.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/vector_math.h"

namespace hanok::data {
namespace {

/// images[i] = mix(images[i], images[i - 1]) on the original values; image 0 is mixed with the
/// last.
template <typename Mix>
void with_previous(Tensor& images, const Mix& mix) {
  const std::int64_t count = images.size(0);
  if (count == 0) return;
  const std::int64_t values = images.numel() / count;
  float* data = images.mutable_data<float>();
  const std::vector<float> last(data + (count - 1) * values, data + count * values);
  for (std::int64_t i = count - 1; i >= 0; --i) {
    mix(data + i * values, i > 0 ? data + (i - 1) * values : last.data());
  }
}

/// The same on a GPU, into `mixed`: mix(previous images, their images in `mixed`, count).
template <typename Mix>
void with_previous_on_device(const Tensor& images, Tensor& mixed, const Mix& mix) {
  const std::int64_t count = images.size(0);
  if (count == 0) return;
  const std::int64_t values = images.numel() / count;
  const float* from = images.view().f32();
  float* to = mixed.mutable_view().f32();
  if (count > 1) mix(from, to + values, count - 1);
  mix(from + (count - 1) * values, to, 1);
}

/// own * one_hot(y_i) + (1 - own) * one_hot(y_{i-1})
Tensor mixed_targets(const Tensor& labels, std::int64_t classes, float own) {
  Tensor targets = one_hot(labels, classes);
  with_previous(targets, [&](float* target, const float* previous) {
    for (std::int64_t c = 0; c < classes; ++c) {
      target[c] = own * target[c] + (1 - own) * previous[c];
    }
  });
  return targets;
}

/// CutMix's rectangle along one axis: `share` of the size around a centre, clipped at the edges.
struct Span {
  std::int64_t begin, end;
};
Span random_span(std::int64_t size, double share, RandomDraws& random) {
  const auto center = static_cast<std::int64_t>(random.below(static_cast<std::uint32_t>(size)));
  const auto half = static_cast<std::int64_t>(share * static_cast<double>(size) / 2);
  return {std::max<std::int64_t>(center - half, 0), std::min(center + half, size)};
}

}  // namespace

double draw_beta(double alpha, RandomDraws& random) {
  if (!(alpha >= 0.05 && alpha <= 100)) {
    throw ValueError("draw_beta: alpha is " + std::to_string(alpha) + ", expected 0.05..100");
  }
  if (alpha >= 1) {  // rejection sampling under the density's maximum, at 1/2
    for (;;) {
      const double x = random.unit53();
      const double height = 4 * x * (1 - x);
      if (height > 0 &&
          random.unit53() < math::exp_double((alpha - 1) * math::log_double(height))) {
        return x;
      }
    }
  }
  for (;;) {  // Joehnk (1964)
    const double u = random.unit53();
    const double v = random.unit53();
    if (u <= 0 || v <= 0) continue;
    const double x = math::exp_double(math::log_double(u) / alpha);
    const double y = math::exp_double(math::log_double(v) / alpha);
    if (x + y <= 1) return x / (x + y);
  }
}

Tensor one_hot(const Tensor& labels, std::int64_t classes) {
  Tensor result = Tensor::zeros({labels.numel(), classes});
  const std::int64_t* label = labels.data<std::int64_t>();
  float* row = result.mutable_data<float>();
  for (std::int64_t i = 0; i < labels.numel(); ++i, row += classes) {
    if (label[i] < 0 || label[i] >= classes) {
      throw ValueError("one_hot: label " + std::to_string(label[i]) + " of " +
                       std::to_string(classes) + " classes");
    }
    row[label[i]] = 1;
  }
  return result;
}

Tensor mixup_by(Batch& batch, std::int64_t classes, float own) {
  Tensor targets = mixed_targets(batch.labels, classes, own);
  const std::int64_t values =
      batch.images.numel() / std::max<std::int64_t>(batch.images.size(0), 1);
  const Device device = batch.images.device();
  if (!device.is_cpu()) {
    Backend& backend = backend_of(device);
    Tensor mixed = Tensor::empty(batch.images.shape(), {DType::F32, device});
    backend.run(context_of(device), Unary{.kind = UnaryOp::Affine,
                                          .params = {own, 0},
                                          .x = batch.images.view(),
                                          .y = mixed.mutable_view()});
    with_previous_on_device(batch.images, mixed, [&](const float* previous, float* to, auto count) {
      const Shape shape{count * values};
      backend.run(context_of(device), AddScaled{.alpha = 1 - own,
                                                .x = {previous, DType::F32, shape},
                                                .y = {to, DType::F32, shape}});
    });
    batch.images = mixed;
    return targets;
  }
  with_previous(batch.images, [&](float* image, const float* previous) {
    for (std::int64_t i = 0; i < values; ++i) image[i] = own * image[i] + (1 - own) * previous[i];
  });
  return targets;
}

Tensor cutmix_by(Batch& batch, std::int64_t classes, const Rectangle& part) {
  const std::int64_t channels = batch.images.size(1);  // innermost in memory
  const std::int64_t height = batch.images.size(2);
  const std::int64_t width = batch.images.size(3);
  const float area = static_cast<float>(std::int64_t{part.width} * part.height);
  Tensor targets =
      mixed_targets(batch.labels, classes, 1 - area / static_cast<float>(height * width));
  const Device device = batch.images.device();
  if (!device.is_cpu()) {
    Tensor mixed = batch.images.clone();
    const Strides strides{height * width * channels, width * channels, channels, 1};
    const std::int64_t first = (part.y * width + part.x) * channels;
    with_previous_on_device(batch.images, mixed, [&](const float* previous, float* to, auto count) {
      const Shape sizes{count, part.height, part.width, channels};
      run_on(device, StridedCopy{{to + first, DType::F32, sizes, strides},
                                 {previous + first, DType::F32, sizes, strides}});
    });
    batch.images = mixed;
    return targets;
  }
  with_previous(batch.images, [&](float* image, const float* previous) {
    for (std::int64_t y = part.y; y < part.y + part.height; ++y) {
      const std::int64_t first = (y * width + part.x) * channels;
      std::copy_n(previous + first, part.width * channels, image + first);
    }
  });
  return targets;
}

Tensor mixup(Batch& batch, std::int64_t classes, double alpha, std::uint64_t seed,
             std::int64_t epoch, std::int64_t step) {
  RandomDraws random(seed, RandomStream::Mixup, epoch, step);
  return mixup_by(batch, classes, static_cast<float>(draw_beta(alpha, random)));
}

Tensor cutmix(Batch& batch, std::int64_t classes, double alpha, std::uint64_t seed,
              std::int64_t epoch, std::int64_t step) {
  RandomDraws random(seed, RandomStream::Mixup, epoch, step, 1);
  const double side = std::sqrt(1 - draw_beta(alpha, random));
  const Span columns = random_span(batch.images.size(3), side, random);
  const Span rows = random_span(batch.images.size(2), side, random);
  const auto whole = [](std::int64_t pixels) { return static_cast<int>(pixels); };
  return cutmix_by(batch, classes,
                   {whole(columns.begin), whole(rows.begin), whole(columns.end - columns.begin),
                    whole(rows.end - rows.begin)});
}

}  // namespace hanok::data
