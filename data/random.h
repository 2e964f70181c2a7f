// A sequence of draws from a Philox stream at the counter (seed, stream, a, b): the same numbers on
// every machine, independent of all other draws.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "hanok/kernels/base/philox.h"

#pragma GCC visibility push(default)
namespace hanok::data {

class RandomDraws {
 public:
  /// `a` and `b` are the counter's first two words, for example epoch and sample.
  RandomDraws(std::uint64_t seed, RandomStream stream, std::int64_t a, std::int64_t b,
              std::uint32_t lane = 0)
      : key_(philox_key(seed, stream)),
        counter_{static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b), 0, lane} {}

  std::uint32_t bits() {
    if (used_ == 4) {
      block_ = philox(key_, counter_);
      ++counter_[2];
      used_ = 0;
    }
    return block_[used_++];
  }
  /// Uniform in [0, 1).
  float unit() { return to_unit_float(bits()); }
  /// Uniform in [low, high).
  float between(float low, float high) { return low + (high - low) * unit(); }
  /// Uniform in [0, 1) with 53 random bits.
  double unit53() {
    const std::uint64_t high = bits() >> 5;
    const std::uint64_t low = bits() >> 6;
    return static_cast<double>(high << 26 | low) * 0x1p-53;
  }
  bool chance(float probability) { return unit() < probability; }

  /// Uniform in 0..count-1, without bias (Lemire, "Fast random integer generation in an interval",
  /// 2019).
  std::uint32_t below(std::uint32_t count) {
    std::uint64_t product = std::uint64_t{bits()} * count;
    if (static_cast<std::uint32_t>(product) < count) {
      const std::uint32_t threshold = (0U - count) % count;
      while (static_cast<std::uint32_t>(product) < threshold) {
        product = std::uint64_t{bits()} * count;
      }
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

  /// Fisher-Yates: every permutation is equally likely.
  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[below(static_cast<std::uint32_t>(i))]);
    }
  }

 private:
  PhiloxKey key_;
  PhiloxCounter counter_;
  std::array<std::uint32_t, 4> block_{};
  std::size_t used_ = 4;
};

}  // namespace hanok::data
#pragma GCC visibility pop
