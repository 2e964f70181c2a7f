// The order in which an epoch visits its samples: pure functions of (seed, epoch).
#pragma once

#include <cstdint>
#include <vector>

namespace hanok::data {

/// 0..count-1 in a random order.
std::vector<std::int64_t> shuffled(std::int64_t count, std::uint64_t seed, std::int64_t epoch);
/// `draws` indices drawn with replacement in proportion to `weights`. Throws ValueError if they are
/// negative or all zero.
std::vector<std::int64_t> weighted(const std::vector<double>& weights, std::int64_t draws,
                                   std::uint64_t seed, std::int64_t epoch);

}  // namespace hanok::data
