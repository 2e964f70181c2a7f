// The order in which an epoch visits its samples: pure functions of (seed, epoch).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hanok::data {

/// 0..count-1 in a random order.
std::vector<std::int64_t> shuffled(std::int64_t count, std::uint64_t seed, std::int64_t epoch);
/// `draws` indices drawn with replacement in proportion to `weights`. Throws ValueError if they are
/// negative or all zero.
std::vector<std::int64_t> weighted(const std::vector<double>& weights, std::int64_t draws,
                                   std::uint64_t seed, std::int64_t epoch);

enum class Sampling {
  Shuffled,      // every sample once
  OverSampled,   // every sample at least once; small classes again and again until all are as large
                 // as the largest
  UnderSampled,  // from each class as many as the smallest has, others in every epoch
  ClassBalanced,  // as many draws as there are samples, with replacement, each class equally likely
};
/// "shuffled", "over", "under" or "class-balanced"; throws ValueError.
Sampling parse_sampling(const std::string& name);

/// The order of an epoch: indices into `labels`. Classes without members are passed over; samples
/// with a negative label are never drawn, except by Shuffled.
std::vector<std::int64_t> epoch_order(Sampling sampling, const std::vector<std::int64_t>& labels,
                                      std::uint64_t seed, std::int64_t epoch);

/// What epochs 0..epochs-1 do with each class, as a printable table: its images, draws an epoch
/// (of the first), and how many images are not seen in any of them.
std::string sampling_table(Sampling sampling, const std::vector<std::int64_t>& labels,
                           const std::vector<std::string>& class_names, std::uint64_t seed,
                           std::int64_t epochs);

}  // namespace hanok::data
