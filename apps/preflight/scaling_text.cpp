#include "hanok/apps/preflight/scaling_text.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <optional>

namespace hanok::training {
namespace {

constexpr double kWanted = 0.8;        // efficiency below which something should change
constexpr std::int64_t kLargest = 64;  // times the batch that is proposed at most
constexpr double kHalf = 0.5;          // of the bytes, with gradients in 16 bits
constexpr double kMegabyte = 1e6;

/// The scaling of one kind, of another batch size and exchange than the run's.
using Scaling = std::function<ScalingPoint(std::int64_t ranks, std::int64_t batch_size,
                                           const Exchange& exchange)>;

std::string per_cent(double share) { return fmt::format("{:.0f}%", 100 * share); }

std::string describe_rank(const StepWork& work) {
  const auto images = static_cast<double>(work.batch_size);
  const double part = images / static_cast<double>(work.parts);
  double forward = 0;
  double backward = 0;
  std::int64_t gradients = 0;
  int norms = 0;
  for (const LayerWork& layer : work.layers) {
    forward += static_cast<double>(work.parts) * layer.forward.of(part);
    backward += static_cast<double>(work.parts) * layer.backward.of(part);
    gradients += layer.gradient_bytes;
    norms += layer.batch_norm_channels > 0 ? 1 : 0;
  }
  return fmt::format(
      "A rank alone: {} images in {:.4f} s (forward {:.4f}, backward {:.4f}, the rest "
      "{:.4f}), {} thread{};\n{:.1f} MB of gradients, {} batch norm{}.\n",
      work.batch_size, forward + backward + work.other.of(images), forward, backward,
      work.other.of(images), work.threads, work.threads == 1 ? "" : "s",
      static_cast<double>(gradients) / kMegabyte, norms, norms == 1 ? "" : "s");
}

std::string describe_links(const std::vector<Link>& links) {
  std::string out = "Assumed of a link:\n";
  for (const Link& link : links) {
    out += fmt::format("{:<16}{:>4.4g} us latency, {:>6.4g} GB/s each way\n", link.name,
                       1e6 * link.latency_s, link.bytes_per_s / 1e9);
  }
  return out;
}

std::string table(const std::vector<std::int64_t>& counts, const std::vector<Link>& links,
                  const std::function<ScalingPoint(std::int64_t, const Link&)>& point) {
  std::string out = fmt::format("{:>6}{:>8}", "ranks", "images");
  for (const Link& link : links) out += fmt::format("{:>19}", link.name);
  out += fmt::format("\n{:>14}", "each");
  for (std::size_t i = 0; i < links.size(); ++i) out += fmt::format("{:>19}", "images/s");
  out += "\n";
  for (const std::int64_t ranks : counts) {
    out += fmt::format("{:>6}{:>8.0f}", ranks, point(ranks, links.front()).images);
    for (const Link& link : links) {
      const ScalingPoint at = point(ranks, link);
      out += fmt::format("{:>13.1f} {:>5}", at.images_per_second, per_cent(at.efficiency));
    }
    out += "\n";
  }
  return out;
}

/// The smallest batch, doubled from `batch_size`, that is efficient enough.
std::optional<std::int64_t> efficient_batch(const Scaling& scaling, std::int64_t ranks,
                                            std::int64_t batch_size) {
  for (std::int64_t size = 2 * batch_size; size <= kLargest * batch_size; size *= 2) {
    if (scaling(ranks, size, {}).efficiency >= kWanted) return size;
  }
  return {};
}

/// One kind of scaling, and the run's batch in it.
struct Case {
  Scaling scaling;
  std::int64_t batch_size = 0;
  bool has_batch_norms = false;
  std::string batch_name{};  // "--batch-size"
};

/// What would have to change on `ranks` ranks, and what each change would bring.
std::string remedies(const Case& own, std::int64_t ranks) {
  const auto with = [&](std::int64_t batch_size, const Exchange& exchange) {
    return per_cent(own.scaling(ranks, batch_size, exchange).efficiency);
  };
  std::vector<std::string> changes;
  if (const auto size = efficient_batch(own.scaling, ranks, own.batch_size)) {
    changes.push_back(fmt::format("{} {} brings {}", own.batch_name, *size, with(*size, {})));
  } else {
    const std::int64_t largest = kLargest * own.batch_size;
    changes.push_back(
        fmt::format("{} {} brings no more than {}", own.batch_name, largest, with(largest, {})));
  }
  changes.push_back(fmt::format("gradients in 16 bits bring {}",
                                with(own.batch_size, {.gradient_scale = kHalf})));
  if (own.has_batch_norms) {
    changes.push_back(fmt::format("--local-batch-norm brings {}",
                                  with(own.batch_size, {.synchronised_batch_norm = false})));
  }
  return fmt::format("{}", fmt::join(changes, ", "));
}

std::string advice(const std::string& link, const std::vector<std::int64_t>& counts,
                   const Case& own) {
  for (const std::int64_t ranks : counts) {
    const ScalingPoint at = own.scaling(ranks, own.batch_size, {});
    if (std::round(100 * at.efficiency) >= 100 * kWanted) continue;
    return fmt::format("{}: {} on {} ranks ({}); there, {}.\n", link, per_cent(at.efficiency),
                       ranks, describe(at.limit), remedies(own, ranks));
  }
  return fmt::format("{}: at least {} up to {} ranks.\n", link, per_cent(kWanted), counts.back());
}

}  // namespace

std::vector<std::int64_t> rank_counts(std::int64_t most) {
  std::vector<std::int64_t> counts;
  for (std::int64_t ranks = 1; ranks < most; ranks *= 2) counts.push_back(ranks);
  counts.push_back(most);
  return counts;
}

std::string scaling_text(const StepWork& work, std::int64_t shared, std::int64_t ranks,
                         const std::vector<Link>& links) {
  const std::vector<std::int64_t> counts = rank_counts(ranks);
  // More ranks than images have nothing to share out.
  const std::vector<std::int64_t> sharers = rank_counts(std::min(ranks, shared));
  const bool norms =
      std::any_of(work.layers.begin(), work.layers.end(),
                  [](const LayerWork& layer) { return layer.batch_norm_channels > 0; });
  std::string out = "Ranks: computed by a model (docs/scaling.md), not run.\n" +
                    describe_rank(work) + describe_links(links);
  out += fmt::format("\nA batch of {} for each rank:\n", work.batch_size);
  out += table(counts, links, [&work](std::int64_t count, const Link& link) {
    return weak_scaling(work, count, link);
  });
  for (const Link& link : links) {
    const Scaling weak = [&](std::int64_t count, std::int64_t batch, const Exchange& exchange) {
      StepWork other = work;
      other.batch_size = batch;
      return weak_scaling(other, count, link, exchange);
    };
    out += advice(link.name, counts,
                  {.scaling = weak,
                   .batch_size = work.batch_size,
                   .has_batch_norms = norms,
                   .batch_name = "--batch-size"});
  }
  out += fmt::format("\nA batch of {} shared out:\n", shared);
  out += table(sharers, links, [&](std::int64_t count, const Link& link) {
    return strong_scaling(work, shared, count, link);
  });
  for (const Link& link : links) {
    const Scaling strong = [&](std::int64_t count, std::int64_t batch, const Exchange& exchange) {
      return strong_scaling(work, batch, count, link, exchange);
    };
    out += advice(link.name, sharers,
                  {.scaling = strong,
                   .batch_size = shared,
                   .has_batch_norms = norms,
                   .batch_name = "a batch of"});
  }
  return out;
}

std::string compare_with_measured(const StepWork& work, const Link& link,
                                  const std::vector<MeasuredStep>& measured, int cores) {
  std::string out = fmt::format("{:>6}{:>8}{:>14}{:>14}{:>8}\n", "ranks", "images", "measured, s",
                                "model, s", "off");
  for (const MeasuredStep& step : measured) {
    const StepWork own = cores > 0 ? sharing_cores(work, step.ranks, cores) : work;
    const double seconds = predict_step(own, step.images, step.ranks, link).seconds;
    out += fmt::format("{:>6}{:>8.0f}{:>14.4f}{:>14.4f}{:>+7.1f}%\n", step.ranks, step.images,
                       step.seconds, seconds, 100 * (seconds / step.seconds - 1));
  }
  return out;
}

}  // namespace hanok::training
