// Runs of random numbers from Philox 4x32-10 (kernels/base/philox.h).
#pragma once

#include <stdint.h>

namespace hanok::cpu {

/// Lanes of Philox are drawn in multiples of this.
constexpr int64_t kPhiloxLanes = 8;

/// Key and the counter words that are the same for all elements of a call.
struct PhiloxCall {
  uint32_t key[2];
  uint32_t epoch, step, draw;
};

struct RandomKernels {
  /// words[4 * i + j] = word j of the lane `first_lane` + i; `lanes` is a multiple of kPhiloxLanes.
  void (*philox)(const PhiloxCall& call, uint64_t first_lane, int64_t lanes, uint32_t* words);
  /// low + (high - low) * u, u in [0, 1) with 24 bits.
  void (*uniform)(const uint32_t* words, float low, float high, float* out, int64_t count);
  /// Box and Muller's pairs: `count` is even.
  void (*normal)(const uint32_t* words, float mean, float stddev, float* out, int64_t count);
  /// y = u >= p ? x * scale : 0
  void (*dropout)(const uint32_t* words, float p, float scale, const float* x, float* y,
                  int64_t count);
};

}  // namespace hanok::cpu
