// The order in which an epoch visits its samples: a pure function of (seed, epoch).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::data {

/// A random permutation of 0..count-1. Throws ValueError for a negative count.
std::vector<std::int64_t> shuffled(std::int64_t count, std::uint64_t seed, std::int64_t epoch);
/// `draws` indices drawn with replacement in proportion to `weights`. Throws ValueError if a weight
/// is negative or not finite, or all are zero.
std::vector<std::int64_t> weighted(const std::vector<double>& weights, std::int64_t draws,
                                   std::uint64_t seed, std::int64_t epoch);

enum class Sampling {
  Shuffled,     // every sample once
  OverSampled,  // every sample at least once; smaller classes are repeated up to the largest's size
  UnderSampled,   // from each class as many as the smallest has, different ones in every epoch
  ClassBalanced,  // as many draws as samples, with replacement, each class equally likely
};

/// The order of an epoch: indices into `labels`. Empty classes are ignored; samples with a negative
/// label are drawn only by Shuffled. Throws ValueError if no sample has a label.
std::vector<std::int64_t> epoch_order(Sampling sampling, const std::vector<std::int64_t>& labels,
                                      std::uint64_t seed, std::int64_t epoch);

/// A printable table of epochs 0..epochs-1: for each class its images, the draws in the first
/// epoch, and the images that no epoch uses.
std::string sampling_table(Sampling sampling, const std::vector<std::int64_t>& labels,
                           const std::vector<std::string>& class_names, std::uint64_t seed,
                           std::int64_t epochs);

}  // namespace hanok::data
#pragma GCC visibility pop
