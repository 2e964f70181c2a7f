// The loader decodes and augments batches ahead of time on its own worker threads and writes them
// directly into reused NHWC tensors.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hanok/data/augmentation.h"
#include "hanok/data/dataset.h"
#include "hanok/data/transforms.h"
#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok::data {

struct Batch {
  Tensor images;                      // [N,3,S,S]: f32, normalised, or u8 (as_bytes); of a share
                                      // (LoaderOptions::share) those alone
  Tensor labels;                      // i64 [N]
  std::vector<std::int64_t> samples;  // indices into the data set
};

/// Cache for images after the deterministic part of preprocessing, as bytes.
struct ImageCacheOptions {
  /// Bytes of memory for images. The rest is spilled to a file or decoded again every time.
  std::int64_t budget = std::int64_t{512} << 20;
  /// Folder of the spill file; empty: no file.
  std::string spill_folder{};
  /// Number of different images that will be requested; 0: the whole data set.
  std::int64_t images = 0;
};

struct LoaderOptions {
  Preprocessing preprocessing{};
  Augmentation augmentation{};
  std::int64_t batch_size = 32;
  int workers = 2;   // in addition to the compute threads, at lower priority
  int prefetch = 4;  // batches prepared ahead
  std::uint64_t seed = 0;
  ImageCacheOptions cache{};
  bool drop_last = false;
  /// Of a batch of that many images, the positions of those to read, in this order; all if empty.
  /// Labels and samples are the whole batch's.
  std::function<std::vector<std::int64_t>(std::int64_t images)> share{};
  /// Images are unnormalised u8, for a device that normalises them itself.
  bool as_bytes = false;
};

/// A file that could not be read, and the reason.
struct BadImage {
  std::string path;
  std::string reason;
};

class Loader {
 public:
  /// The data set must outlive the loader. The image cache is kept for the loader's lifetime,
  /// across epochs. Throws ValueError for options out of range.
  Loader(const Dataset& dataset, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Starts an epoch over the samples in `order`, from batch `first_batch` on (to resume). Throws
  /// ValueError for indices out of range.
  void start_epoch(std::int64_t epoch, std::vector<std::int64_t> order,
                   std::int64_t first_batch = 0);
  /// False at the end of the epoch. `batch` does not depend on the number of workers. An unreadable
  /// image throws FormatError or IoError. After OutOfMemory or std::bad_alloc the same batch is
  /// next.
  bool next(Batch& batch);
  /// Batches of the current epoch, including those skipped by `first_batch`.
  std::int64_t batch_count() const;
  /// Images per batch, of all ranks together; the last one may have fewer.
  std::int64_t batch_size() const;
  /// The preprocessing given to the constructor.
  const Preprocessing& preprocessing() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The image of a sample, or the part of it that is used (Sample::crop). Throws as
/// decode_whole_sample; FormatError (file name first) if the part exceeds the image.
Image decode_sample(const Dataset& dataset, std::size_t sample);

/// Decodes every sample in parallel; returns those that cannot be read, or whose shape cannot be
/// preprocessed (check_shape).
std::vector<BadImage> find_unreadable(const Dataset& dataset, int workers,
                                      const Preprocessing& preprocessing = {});

}  // namespace hanok::data
#pragma GCC visibility pop
