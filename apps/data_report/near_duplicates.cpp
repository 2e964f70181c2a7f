#include "hanok/apps/data_report/near_duplicates.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

namespace hanok::data_report {
namespace {

constexpr std::size_t kParts = 4;  // of 16 bits
using Part = std::uint16_t;

Part part_of(std::uint64_t hash, std::size_t part) { return static_cast<Part>(hash >> 16 * part); }

/// Numbers that differ from 0 in at most `bits` of 16 bits. A number within that distance of x is
/// x ^ one of them.
std::vector<Part> masks_within(int bits) {
  std::vector<Part> masks;
  for (unsigned mask = 0; mask < 65536; ++mask) {
    if (std::popcount(mask) <= bits) masks.push_back(static_cast<Part>(mask));
  }
  return masks;
}

/// Where to find hashes by one of their parts. Two hashes that differ in at most d bits agree up to
/// d / 4 bits in one of their four parts.
class HashIndex {
 public:
  HashIndex(const std::vector<std::uint64_t>& hashes, int most_bits)
      : hashes_(hashes), most_bits_(most_bits), masks_(masks_within(most_bits / 4)) {
    for (std::size_t part = 0; part < kParts; ++part) {
      // A counting sort: members_ of one value stand together, from starts_[value] on.
      std::vector<std::size_t>& starts = starts_[part];
      starts.assign(65537, 0);
      for (const std::uint64_t hash : hashes) ++starts[part_of(hash, part) + 1U];
      for (std::size_t value = 1; value < starts.size(); ++value)
        starts[value] += starts[value - 1];
      std::vector<std::size_t> next = starts;
      members_[part].resize(hashes.size());
      for (std::size_t i = 0; i < hashes.size(); ++i) {
        members_[part][next[part_of(hashes[i], part)]++] = i;
      }
    }
  }

  /// Calls found(i, bits) once for each hash i within the distance, in no particular order.
  template <typename Found>
  void search(std::uint64_t hash, const Found& found) {
    if (seen_.empty()) seen_.resize(hashes_.size(), 0);
    ++search_;
    for (std::size_t part = 0; part < kParts; ++part) {
      const Part own = part_of(hash, part);
      for (const Part mask : masks_) {
        const std::size_t value = static_cast<Part>(own ^ mask);
        for (std::size_t at = starts_[part][value]; at < starts_[part][value + 1]; ++at) {
          const std::size_t i = members_[part][at];
          if (seen_[i] == search_) continue;
          seen_[i] = search_;
          const int bits = std::popcount(hash ^ hashes_[i]);
          if (bits <= most_bits_) found(i, bits);
        }
      }
    }
  }

 private:
  const std::vector<std::uint64_t>& hashes_;
  int most_bits_;
  std::vector<Part> masks_;
  std::array<std::vector<std::size_t>, kParts> starts_, members_;
  std::vector<std::size_t> seen_;  // number of the search that last met a hash
  std::size_t search_ = 0;
};

constexpr std::size_t kPixels = std::size_t{32} * 32;
/// Luma at 32x32, of mean 0 and length 1.
using Pattern = std::array<float, kPixels>;

/// What can be compared: photographs that are readable and not flat, one of each content.
struct Comparable {
  std::vector<std::size_t> numbers;
  std::vector<std::uint64_t> hashes;
  std::vector<Pattern> patterns;
};

/// False for a flat photograph.
bool make_pattern(const data::Image& small, float least_contrast, Pattern& pattern) {
  if (small.pixels.size() != 3 * kPixels) return false;
  float sum = 0;
  for (std::size_t i = 0; i < kPixels; ++i) {
    const std::uint8_t* pixel = small.pixels.data() + 3 * i;
    pattern[i] = 0.299F * static_cast<float>(pixel[0]) + 0.587F * static_cast<float>(pixel[1]) +
                 0.114F * static_cast<float>(pixel[2]);
    sum += pattern[i];
  }
  const float mean = sum / static_cast<float>(kPixels);
  float squares = 0;
  for (float& value : pattern) {
    value -= mean;
    squares += value * value;
  }
  if (squares < static_cast<float>(kPixels) * least_contrast * least_contrast) return false;
  const float scale = 1.0F / std::sqrt(squares);
  for (float& value : pattern) value *= scale;
  return true;
}

Comparable comparable(const std::vector<ImageFacts>& facts, float least_contrast,
                      const std::vector<bool>& left_out) {
  Comparable result;
  Pattern pattern{};
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (!facts[i].problem.empty() || left_out[i]) continue;
    if (!make_pattern(facts[i].small, least_contrast, pattern)) continue;
    result.numbers.push_back(i);
    result.hashes.push_back(facts[i].perceptual_hash);
    result.patterns.push_back(pattern);
  }
  return result;
}

float correlation(const Pattern& a, const Pattern& b) {
  float sum = 0;
  for (std::size_t i = 0; i < kPixels; ++i) sum += a[i] * b[i];
  return sum;
}

void keep_most_alike(std::vector<NearPair>& pairs, std::size_t most) {
  std::sort(pairs.begin(), pairs.end(), [](const NearPair& a, const NearPair& b) {
    return std::tuple(-a.correlation, a.bits, a.second) <
           std::tuple(-b.correlation, b.bits, b.second);
  });
  if (pairs.size() > most) pairs.resize(most);
  std::sort(pairs.begin(), pairs.end(),
            [](const NearPair& a, const NearPair& b) { return a.second < b.second; });
}

/// All copies of a file but its first one.
std::vector<bool> copies(const std::vector<ImageFacts>& facts) {
  std::vector<bool> is_copy(facts.size(), false);
  for (const std::vector<std::size_t>& members : equal_files(facts)) {
    for (std::size_t i = 1; i < members.size(); ++i) is_copy[members[i]] = true;
  }
  return is_copy;
}

}  // namespace

std::vector<NearPair> near_duplicates(const std::vector<ImageFacts>& facts,
                                      const NearDuplicateOptions& options) {
  const Comparable all = comparable(facts, options.least_contrast, copies(facts));
  HashIndex index(all.hashes, options.most_bits);
  std::vector<NearPair> pairs;
  for (std::size_t i = 0; i < all.numbers.size(); ++i) {
    std::vector<NearPair> partners;
    index.search(all.hashes[i], [&](std::size_t j, int bits) {
      if (j <= i) return;
      const float alike = correlation(all.patterns[i], all.patterns[j]);
      if (alike < options.least_correlation) return;
      partners.push_back({all.numbers[i], all.numbers[j], bits, alike});
    });
    keep_most_alike(partners, options.most_partners);
    pairs.insert(pairs.end(), partners.begin(), partners.end());
  }
  return pairs;
}

std::vector<NearPair> near_duplicates_between(const std::vector<ImageFacts>& first,
                                              const std::vector<ImageFacts>& second,
                                              const NearDuplicateOptions& options) {
  const auto everything = [&options](const std::vector<ImageFacts>& facts) {
    return comparable(facts, options.least_contrast, std::vector<bool>(facts.size(), false));
  };
  const Comparable a = everything(first);
  const Comparable b = everything(second);
  std::map<std::uint64_t, std::vector<std::size_t>> by_content;
  for (std::size_t j = 0; j < second.size(); ++j) {
    if (second[j].problem.empty()) by_content[second[j].content_hash].push_back(j);
  }
  HashIndex index(b.hashes, options.most_bits);
  std::vector<NearPair> pairs;
  std::size_t at = 0;  // of `i` in `a`
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (!first[i].problem.empty()) continue;
    std::vector<NearPair> partners;
    const auto equal = by_content.find(first[i].content_hash);
    if (equal != by_content.end()) {  // flat ones too
      for (const std::size_t j : equal->second) {
        partners.push_back({.first = i, .second = j, .bits = 0, .correlation = 1});
      }
    }
    if (at < a.numbers.size() && a.numbers[at] == i) {
      index.search(a.hashes[at], [&](std::size_t j, int bits) {
        if (second[b.numbers[j]].content_hash == first[i].content_hash) return;
        const float alike = correlation(a.patterns[at], b.patterns[j]);
        if (alike < options.least_correlation) return;
        partners.push_back({i, b.numbers[j], bits, alike});
      });
      ++at;
    }
    keep_most_alike(partners, options.most_partners);
    pairs.insert(pairs.end(), partners.begin(), partners.end());
  }
  return pairs;
}

std::vector<std::vector<std::size_t>> equal_files(const std::vector<ImageFacts>& facts) {
  std::map<std::pair<std::uint64_t, std::int64_t>, std::vector<std::size_t>> by_content;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (!facts[i].problem.empty()) continue;  // empty files are no photographs of one person
    by_content[{facts[i].content_hash, facts[i].bytes}].push_back(i);
  }
  std::vector<std::vector<std::size_t>> sets;
  for (auto& [content, members] : by_content) {
    if (members.size() > 1) sets.push_back(std::move(members));
  }
  std::sort(sets.begin(), sets.end());
  return sets;
}

}  // namespace hanok::data_report
