// The loader decodes and augments ahead on its own worker threads, straight into reused NHWC
// batches.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/data/augmentation.h"
#include "hanok/data/dataset.h"
#include "hanok/data/transforms.h"
#include "hanok/engine/tensor.h"

namespace hanok::data {

struct Batch {
  Tensor images;                      // [N,3,S,S]: f32, normalised, or u8 (as_bytes)
  Tensor labels;                      // i64 [N]
  std::vector<std::int64_t> samples;  // indices into the data set
};

/// Images after the deterministic part of preprocessing are kept, as bytes.
struct ImageCacheOptions {
  /// Memory for images. What does not fit is decoded anew every time, or lies in a file.
  std::int64_t budget = std::int64_t{512} << 20;
  /// Where that file is to be; empty: none.
  std::string spill_folder;
  /// Different images that will ever be asked for; 0: all of the data set.
  std::int64_t images = 0;
};

struct LoaderOptions {
  Preprocessing preprocessing;
  Augmentation augmentation;
  std::int64_t batch_size = 32;
  int workers = 2;   // threads besides the compute threads, at lower priority
  int prefetch = 4;  // batches ahead
  std::uint64_t seed = 0;
  ImageCacheOptions cache;
  bool drop_last = false;
  /// Images are u8 as they were decoded, for a device that normalises them itself.
  bool as_bytes = false;
};

/// A file that could not be read: its name and why.
struct BadImage {
  std::string path;
  std::string reason;
};

class Loader {
 public:
  /// The data set outlives the loader. The decoded-image cache lives as long as the loader, over
  /// epochs.
  Loader(const Dataset& dataset, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Starts an epoch over the samples `order`, in that order, beginning with batch `first_batch`
  /// (for resume).
  void start_epoch(std::int64_t epoch, std::vector<std::int64_t> order,
                   std::int64_t first_batch = 0);
  /// False at the end of the epoch. `batch` is the same for any number of workers. An unreadable
  /// image throws FormatError or IoError.
  bool next(Batch& batch);
  /// Batches of the epoch that was started.
  std::int64_t batch_count() const;
  /// Images of every batch but perhaps the last.
  std::int64_t batch_size() const;
  const Preprocessing& preprocessing() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Tries to decode the header and data of every sample (in parallel); returns those that cannot be
/// read.
std::vector<BadImage> find_unreadable(const Dataset& dataset, int workers);

}  // namespace hanok::data
