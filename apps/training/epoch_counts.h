// The results of an epoch's training steps, added up.
#pragma once

#include <algorithm>
#include <cstdint>

#pragma GCC visibility push(default)
namespace hanok::training {

struct EpochCounts {
  double loss_sum = 0;  // over the images
  std::int64_t correct = 0, seen = 0;

  /// Adds a step of `images`, whose mean loss and correct predictions are given.
  void add(double mean_loss, std::int64_t correct_images, std::int64_t images) {
    loss_sum += mean_loss * static_cast<double>(images);
    correct += correct_images;
    seen += images;
  }
  /// Means over the images seen; 0 before the first.
  double loss() const { return loss_sum / divisor(); }
  double accuracy() const { return static_cast<double>(correct) / divisor(); }

 private:
  double divisor() const { return static_cast<double>(std::max<std::int64_t>(1, seen)); }
};

}  // namespace hanok::training
#pragma GCC visibility pop
