// Photographs that show the same: equal files, and pictures that were scaled, recompressed or
// slightly changed.
#pragma once

#include <cstddef>
#include <vector>

#include "hanok/apps/data_report/image_facts.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

/// When two photographs are near duplicates.
struct NearDuplicateOptions {
  int most_bits = 14;               // of 64 in which their perceptual hashes differ
  float least_correlation = 0.95F;  // of their luma at 32x32
  /// Standard deviation of the luma at 32x32 below which a photograph is too flat to be compared:
  /// all black ones are alike.
  float least_contrast = 8;
  /// Pairs kept for a photograph, the most alike ones: thousands of frames of one video would
  /// otherwise give millions.
  std::size_t most_partners = 20;
  /// Photographs whose pixels are compared with those of one photograph: of more with hashes within
  /// most_bits the ones of the nearest hashes. Keeps thousands of frames of one video from taking
  /// hours.
  std::size_t most_compared = 4096;
};

struct NearPair {
  std::size_t first = 0, second = 0;
  int bits = 0;           // in which the hashes differ
  float correlation = 0;  // -1..1
};

/// Pairs of photographs, first < second, in order. Copies of one file are compared with others once
/// each, but not with each other. Unreadable photographs have no duplicates. Candidates come from
/// multi-index hashing (Norouzi, Punjani and Fleet, Fast Search in Hamming Space with Multi-Index
/// Hashing, 2012): the time grows little faster than the number of photographs. If the user
/// interrupts, some are missing.
std::vector<NearPair> near_duplicates(const std::vector<ImageFacts>& facts,
                                      const NearDuplicateOptions& options = {});
/// Pairs of a photograph of `first` and one of `second`; equal files too.
std::vector<NearPair> near_duplicates_between(const std::vector<ImageFacts>& first,
                                              const std::vector<ImageFacts>& second,
                                              const NearDuplicateOptions& options = {});

/// Files of equal content, by twos and more: numbers of the photographs, in order.
std::vector<std::vector<std::size_t>> equal_files(const std::vector<ImageFacts>& facts);

}  // namespace hanok::data_report
#pragma GCC visibility pop
