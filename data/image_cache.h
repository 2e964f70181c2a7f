// Images after the deterministic part of preprocessing, kept as bytes within a budget. Private to
// this room.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "data/image.h"

namespace hanok::data {

class ImageCache {
 public:
  ImageCache(std::size_t samples, std::int64_t budget_bytes)
      : images_(samples), left_(budget_bytes) {}

  /// The image of `sample`, from `make` unless it is kept. What fits into the budget stays: every
  /// epoch visits every image once, so throwing out old ones for new ones would gain nothing. Safe
  /// to call from several threads.
  template <typename Make>
  std::shared_ptr<const Image> get(std::int64_t sample, const Make& make) {
    std::shared_ptr<const Image>& place = images_[static_cast<std::size_t>(sample)];
    {
      const std::lock_guard lock(mutex_);
      if (place) return place;
    }
    auto image = std::make_shared<const Image>(make());
    const std::int64_t bytes = static_cast<std::int64_t>(image->pixels.size());
    const std::lock_guard lock(mutex_);
    if (!place && bytes <= left_) {
      left_ -= bytes;
      place = image;
    }
    return image;
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<const Image>> images_;
  std::int64_t left_;
};

}  // namespace hanok::data
