#include "hanok/apps/preflight/scaling.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

constexpr double kMicro = 1e-6, kGiga = 1e9;
constexpr double kGood = 0.9;  // efficiency from which on nothing is said to limit
constexpr double kSmallBytes = 16 << 10;
constexpr double kLossBytes = 64;      // loss, counts, and whether all is finite
constexpr double kStatisticBytes = 8;  // sums of batch norms are doubles

bool is_power_of_two(std::int64_t ranks) { return (ranks & (ranks - 1)) == 0; }

/// A rank's time, and its link's: a bucket begins when it is full and the one before has arrived.
class Clock {
 public:
  /// `lost`: share of its speed that computing loses while a bucket is under way.
  explicit Clock(double lost) : speed_(1 - lost) {}

  double now() const { return now_; }
  double link_free() const { return link_free_; }
  void wait(double seconds) { now_ += seconds; }
  void send(double seconds) { link_free_ = std::max(link_free_, now_) + seconds; }
  void compute(double seconds) {
    const double beside = std::max(0.0, link_free_ - now_);
    const double done = speed_ * beside;
    now_ += seconds < done ? seconds / speed_ : beside + seconds - done;
  }

 private:
  double speed_;
  double now_ = 0, link_free_ = 0;
};

void check(const StepWork& work, double images, std::int64_t ranks, const Link& link) {
  if (ranks < 1 || images < 1 || work.parts < 1 || work.threads < 1) {
    throw ValueError(fmt::format(
        "scaling: expected at least 1 rank, image, part and thread (got {}, {}, {} and {})", ranks,
        images, work.parts, work.threads));
  }
  if (!(link.bytes_per_s > 0) || !(link.latency_s >= 0)) {
    throw ValueError(fmt::format(
        "scaling: {} needs a bandwidth above 0 and a latency of at least 0 (got {} bytes/s, {} s)",
        link.name, link.bytes_per_s, link.latency_s));
  }
}

/// What one rank alone takes for so many images.
double compute_seconds(const StepWork& work, double images) {
  const double part = images / static_cast<double>(work.parts);
  double seconds = 0;
  for (const LayerWork& layer : work.layers) {
    seconds += layer.forward.of(part) + layer.backward.of(part);
  }
  return static_cast<double>(work.parts) * seconds + work.other.of(images);
}

/// `lost`: seconds that a step of `point` takes longer than its share of one rank's.
ScalingLimit limit_of(const ScalingPoint& point, double small_share) {
  if (point.efficiency >= kGood) return ScalingLimit::Compute;
  const StepTime& step = point.step;
  if (small_share >= std::max(step.batch_norm + step.loss, step.gradients)) {
    return ScalingLimit::SmallShare;
  }
  if (step.batch_norm + step.loss >= step.gradients) return ScalingLimit::BatchNormLatency;
  if (step.bucket_latency >= step.sending / 2) return ScalingLimit::BucketLatency;
  constexpr double kNearly = 1.05;
  return step.gradients <= kNearly * step.last_bucket ? ScalingLimit::LastBucket
                                                      : ScalingLimit::GradientBandwidth;
}

/// `alone`: seconds of the images of all ranks on one.
ScalingPoint point_of(const StepTime& step, double images, std::int64_t ranks, double all_images,
                      double alone) {
  ScalingPoint point{.ranks = ranks, .images = images, .step = step};
  point.images_per_second = all_images / step.seconds;
  const double share = alone / static_cast<double>(ranks);
  point.efficiency = share / step.seconds;
  point.limit = limit_of(point, step.compute - share);
  return point;
}

}  // namespace

std::vector<Link> typical_links() {
  const auto link = [](const char* name, double microseconds, double gigabytes, double cores) {
    return Link{.name = name,
                .latency_s = microseconds * kMicro,
                .bytes_per_s = gigabytes * kGiga,
                .busy_cores = cores};
  };
  return {link("shared memory", 1, 5, 1), link("1 Gbit/s", 50, 0.117, 0.5),
          link("10 Gbit/s", 25, 1.17, 0.5), link("100 Gbit/s", 3, 11.7, 0.5),
          link("NVLink", 3, 360, 0)};
}

Cost cost_between(double images_1, double seconds_1, double images_2, double seconds_2) {
  const double whole = seconds_2 / images_2;
  if (images_1 == images_2) return {.per_image = whole};
  const double per_image = std::clamp((seconds_2 - seconds_1) / (images_2 - images_1), 0.0, whole);
  return {.fixed = seconds_2 - per_image * images_2, .per_image = per_image};
}

StepWork sharing_cores(StepWork work, std::int64_t ranks, int cores) {
  if (cores < 1) throw ValueError(fmt::format("scaling: expected at least 1 core (got {})", cores));
  const double threads = static_cast<double>(ranks) * work.threads;
  const double slower = std::max(1.0, threads / cores);
  const auto slow_down = [slower](Cost& cost) {
    cost.fixed *= slower;
    cost.per_image *= slower;
  };
  for (LayerWork& layer : work.layers) {
    slow_down(layer.forward);
    slow_down(layer.backward);
  }
  slow_down(work.other);
  return work;
}

double all_reduce_seconds(double bytes, std::int64_t ranks, const Link& link) {
  if (ranks == 1) return 0;
  const auto count = static_cast<double>(ranks);
  const double rounds = std::ceil(std::log2(count));
  if (is_power_of_two(ranks) && bytes <= kSmallBytes) {
    return rounds * (link.latency_s + bytes / link.bytes_per_s);
  }
  if (is_power_of_two(ranks)) {
    return 2 * rounds * link.latency_s + 2 * (count - 1) / count * bytes / link.bytes_per_s;
  }
  return rounds * link.latency_s + (count - 1) * bytes / link.bytes_per_s;
}

StepTime predict_step(const StepWork& work, double images, std::int64_t ranks, const Link& link,
                      const Exchange& exchange) {
  check(work, images, ranks, link);
  const double part_images = images / static_cast<double>(work.parts);
  Clock clock(std::min(1.0, link.busy_cores / work.threads));
  StepTime step;
  const auto statistics = [&](std::int64_t channels, std::int64_t doubles) {
    if (channels == 0 || !exchange.synchronised_batch_norm) return;
    const double seconds =
        all_reduce_seconds(kStatisticBytes * static_cast<double>(doubles), ranks, link);
    step.batch_norm += seconds;
    clock.wait(seconds);
  };
  const Link instant{.latency_s = link.latency_s,
                     .bytes_per_s = std::numeric_limits<double>::infinity()};
  double bucket = 0;
  const auto send = [&] {
    if (bucket == 0) return;
    step.last_bucket = all_reduce_seconds(bucket, ranks, link);
    step.sending += step.last_bucket;
    step.bucket_latency += all_reduce_seconds(bucket, ranks, instant);
    clock.send(step.last_bucket);
    bucket = 0;
  };
  for (std::int64_t part = 1; part <= work.parts; ++part) {
    for (const LayerWork& layer : work.layers) {
      clock.compute(layer.forward.of(part_images));
      statistics(layer.batch_norm_channels, 2 * layer.batch_norm_channels + 1);
    }
    for (std::size_t i = work.layers.size(); i-- > 0;) {
      const LayerWork& layer = work.layers[i];
      statistics(layer.batch_norm_channels, 2 * layer.batch_norm_channels);
      clock.compute(layer.backward.of(part_images));
      bucket += exchange.gradient_scale * static_cast<double>(layer.gradient_bytes);
      if (bucket >= static_cast<double>(exchange.bucket_bytes)) send();
    }
    send();
    clock.wait(std::max(0.0, clock.link_free() - clock.now()));
    // The loss, and what was predicted.
    const double results = 2 * all_reduce_seconds(kLossBytes, ranks, link);
    step.loss += results;
    clock.wait(results);
  }
  clock.compute(work.other.of(images));
  step.seconds = clock.now();
  step.compute = compute_seconds(work, images);
  step.gradients = std::max(0.0, step.seconds - step.compute - step.batch_norm - step.loss);
  return step;
}

std::string describe(ScalingLimit limit) {
  switch (limit) {
    case ScalingLimit::BatchNormLatency:
      return "latency of batch norms";
    case ScalingLimit::BucketLatency:
      return "latency of gradients";
    case ScalingLimit::LastBucket:
      return "last gradients";
    case ScalingLimit::GradientBandwidth:
      return "bandwidth";
    case ScalingLimit::SmallShare:
      return "few images a rank";
    default:
      return "computing";
  }
}

ScalingPoint weak_scaling(const StepWork& work, std::int64_t ranks, const Link& link,
                          const Exchange& exchange) {
  const auto images = static_cast<double>(work.batch_size);
  const StepTime step = predict_step(work, images, ranks, link, exchange);
  const auto count = static_cast<double>(ranks);
  return point_of(step, images, ranks, count * images, count * compute_seconds(work, images));
}

ScalingPoint strong_scaling(const StepWork& work, std::int64_t images, std::int64_t ranks,
                            const Link& link, const Exchange& exchange) {
  if (ranks > images) {
    throw ValueError(
        fmt::format("scaling: {} ranks have no image each of a batch of {}", ranks, images));
  }
  const std::int64_t largest = (images + ranks - 1) / ranks;
  const auto share = static_cast<double>(largest);
  const StepTime step = predict_step(work, share, ranks, link, exchange);
  const auto all = static_cast<double>(images);
  return point_of(step, share, ranks, all, compute_seconds(work, all));
}

}  // namespace hanok::training
