// Caches images after the deterministic part of preprocessing, as bytes. Private to this room.
#pragma once

#include <cstdint>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "hanok/data/image.h"
#include "hanok/data/loader.h"
#include "hanok/data/record_store.h"
#include "hanok/engine/reclaim.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {

class ImageCache {
 public:
  /// For a data set of `samples` images of `side` x `side` pixels. Throws IoError if the disk has
  /// no space for the spill file.
  ImageCache(std::int64_t samples, std::int64_t side, ImageCacheOptions options)
      : side_(side), samples_(samples), options_(std::move(options)) {
    if (options_.images <= 0) options_.images = samples;
    if (!options_.spill_folder.empty()) make_store();
  }

  /// The image of `sample`: cached, or computed by `make`. Nothing is evicted: every epoch visits
  /// every image once, so replacing entries would gain nothing. Thread-safe.
  template <typename Make>
  Image get(std::int64_t sample, const Make& make) {
    if (std::optional<Image> kept = find(sample)) return *std::move(kept);
    Image image = make();
    const std::lock_guard lock(mutex_);
    if (!store_ && !given_up_) try_to_make_store();
    if (store_) store_->put(sample, image.pixels.data());
    return image;
  }

 private:
  /// A copy, as the cache may be given back at any time; empty if it is not cached.
  std::optional<Image> find(std::int64_t sample) {
    const std::lock_guard lock(mutex_);
    if (!store_ || !store_->holds(sample)) return {};
    const auto* kept = static_cast<const std::uint8_t*>(store_->get(sample));
    const int side = static_cast<int>(side_);
    return Image{side, side, std::vector<std::uint8_t>(kept, kept + side_ * side_ * 3)};
  }
  /// Without memory for it images are not cached.
  void try_to_make_store() {
    try {
      make_store();
    } catch (const OutOfMemory&) {
      given_up_ = true;
    } catch (const std::bad_alloc&) {
      given_up_ = true;
    }
  }
  /// Images are then decoded again every time. Returns whether there was memory to give back.
  bool give_back() {
    const std::lock_guard lock(mutex_);
    const bool held = store_ && store_->memory_bytes() > 0;
    given_up_ = true;
    if (held) store_.reset();
    return held;
  }
  void make_store() {
    store_.emplace(RecordStoreOptions{.keys = samples_,
                                      .capacity = options_.images,
                                      .bytes = side_ * side_ * 3,
                                      .budget = options_.budget,
                                      .folder = options_.spill_folder,
                                      .tag = "cached images"});
  }

  std::mutex mutex_;
  std::int64_t side_, samples_;
  ImageCacheOptions options_;
  std::optional<RecordStore> store_;  // created with the first image, unless it needs a file
  bool given_up_ = false;
  Reclaimable reclaimable_{[this] { return give_back(); }};  // goes first
};

}  // namespace hanok::data
