// What a training step would take on several ranks: a model of data-parallel training from measured
// computing, and from latency and bandwidth of what connects the ranks. docs/scaling.md explains
// it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::training {

/// What connects ranks. Each rank sends and receives at this rate, however many do.
struct Link {
  std::string name{};      // "10 Gbit/s"
  double latency_s = 0;    // of a small message, one way
  double bytes_per_s = 0;  // each way
  /// Cores of each rank that a transfer keeps from computing: 1 where a core copies, about a half
  /// where the thread that waits for the network card yields to others, 0 between GPUs.
  double busy_cores = 0;
};

/// Shared memory, Ethernet of 1, 10 and 100 Gbit/s, and NVLink, each with a typical latency.
std::vector<Link> typical_links();

/// Seconds of work on a number of images: `fixed` and `per_image` for each.
struct Cost {
  double fixed = 0, per_image = 0;
  double of(double images) const { return fixed + per_image * images; }
};
/// The line through two measurements. Neither part is negative: where the line would have it so, it
/// is the nearest that goes through the second measurement.
Cost cost_between(double images_1, double seconds_1, double images_2, double seconds_2);

struct LayerWork {
  std::string name{};
  Cost forward, backward;
  std::int64_t gradient_bytes = 0;       // of its own trained parameters
  std::int64_t batch_norm_channels = 0;  // of a batch norm with statistics of the batch
};

/// What a rank computes in a step, as one process alone measures it.
struct StepWork {
  std::vector<LayerWork> layers;  // in the order of the network
  Cost other;                     // loss, optimiser, and what lies between kernels
  std::int64_t batch_size = 0;    // images
  std::int64_t parts = 1;         // of a batch, one after the other: --accumulate
  int threads = 1;                // that compute
};

/// The work of each of `ranks` that share a machine's cores: slower once their threads are more
/// than the cores. Throws ValueError for fewer than 1 core.
StepWork sharing_cores(StepWork work, std::int64_t ranks, int cores);

/// How the gradients travel, and whether batch norms take the statistics of all ranks.
struct Exchange {
  std::int64_t bucket_bytes = 4 << 20;  // a bucket is sent once it holds as much
  double gradient_scale = 1;            // 0.5: gradients sent in 16 bits
  bool synchronised_batch_norm = true;
};

/// Seconds that summing `bytes` over all ranks takes, as engine/communicator.h does it. A power of
/// two of ranks halves and doubles: 2 log2 R messages one after the other, 2 (R-1)/R of the bytes;
/// up to 16 KiB it exchanges all of them log2 R times. Others gather what all have: ceil(log2 R)
/// messages, R-1 times the bytes.
double all_reduce_seconds(double bytes, std::int64_t ranks, const Link& link);

/// A step of one rank. The parts add up to `seconds`.
struct StepTime {
  double compute = 0;     // as if alone
  double batch_norm = 0;  // waiting for statistics
  double gradients = 0;   // that computing did not hide
  double loss = 0;        // waiting for the loss and the predictions of all ranks
  double seconds = 0;
  double sending = 0;         // gradients under way, hidden or not
  double last_bucket = 0;     // of them
  double bucket_latency = 0;  // of them: what would remain without any bytes
};

/// A step of `images` images a rank on `ranks` ranks. The backward pass goes from the last layer to
/// the first; buckets follow one another on the link, beside it; statistics do not wait for them. A
/// part of a batch begins when the gradients of the one before have arrived.
/// Throws ValueError for ranks, images, parts or threads below 1, and for a link without bandwidth.
StepTime predict_step(const StepWork& work, double images, std::int64_t ranks, const Link& link,
                      const Exchange& exchange = {});

/// What keeps ranks from being as fast as that many times one.
enum class ScalingLimit {
  Compute,            // nothing that matters: at least 90% of the time is computing that has to be
  BatchNormLatency,   // messages of batch norms
  BucketLatency,      // messages of gradients
  LastBucket,         // the gradients that backward finishes last
  GradientBandwidth,  // gradients take longer than the backward pass
  SmallShare,         // what a rank computes however few its images are
};
std::string describe(ScalingLimit limit);

struct ScalingPoint {
  std::int64_t ranks = 1;
  double images = 0;  // of a rank
  StepTime step;
  double images_per_second = 0;  // of all ranks
  double efficiency = 1;         // of that, over `ranks` times what one rank does
  ScalingLimit limit = ScalingLimit::Compute;
};

/// Every rank computes work.batch_size images: the batch grows with the ranks.
ScalingPoint weak_scaling(const StepWork& work, std::int64_t ranks, const Link& link,
                          const Exchange& exchange = {});
/// A batch of `images` is shared out; a step takes as long as its largest share. Throws ValueError
/// for more ranks than images.
ScalingPoint strong_scaling(const StepWork& work, std::int64_t images, std::int64_t ranks,
                            const Link& link, const Exchange& exchange = {});

}  // namespace hanok::training
#pragma GCC visibility pop
