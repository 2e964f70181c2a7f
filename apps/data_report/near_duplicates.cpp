#include "hanok/apps/data_report/near_duplicates.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "hanok/apps/cli/signals.h"
#include "hanok/apps/statistics/parallel.h"

namespace hanok::data_report {
namespace {

/// With fewer, longer parts a search would visit many more buckets of one or no hash each.
constexpr std::size_t kParts = 5;
constexpr int kPartBits = 13;  // the last part has 12
constexpr std::size_t kPartValues = std::size_t{1} << kPartBits;
using Part = std::uint16_t;

Part part_of(std::uint64_t hash, std::size_t part) {
  return static_cast<Part>((hash >> (kPartBits * part)) & (kPartValues - 1));
}

/// Numbers that differ from 0 in at most `bits` of kPartBits bits. A number within that distance of
/// x is x ^ one of them.
std::vector<Part> masks_within(int bits) {
  std::vector<Part> masks;
  for (unsigned mask = 0; mask < kPartValues; ++mask) {
    if (std::popcount(mask) <= bits) masks.push_back(static_cast<Part>(mask));
  }
  return masks;
}

/// Where to find hashes by one of their parts. Two hashes that differ in at most d bits agree up to
/// d / 5 bits in one of their five parts.
class HashIndex {
 public:
  HashIndex(const std::vector<std::uint64_t>& hashes, int most_bits)
      : most_bits_(most_bits),
        most_of_part_(most_bits / static_cast<int>(kParts)),
        masks_(masks_within(most_of_part_)) {
    for (std::size_t part = 0; part < kParts; ++part) {
      // A counting sort: members_ of one value stand together, from starts_[value] on.
      std::vector<std::size_t>& starts = starts_[part];
      starts.assign(kPartValues + 1, 0);
      for (const std::uint64_t hash : hashes) ++starts[part_of(hash, part) + 1U];
      for (std::size_t value = 1; value < starts.size(); ++value)
        starts[value] += starts[value - 1];
      std::vector<std::size_t> next = starts;
      members_[part].resize(hashes.size());
      for (std::size_t i = 0; i < hashes.size(); ++i) {
        members_[part][next[part_of(hashes[i], part)]++] = {.hash = hashes[i], .number = i};
      }
    }
  }

  /// Calls found(i, bits) once for each hash i >= first within the distance, in no particular
  /// order.
  template <typename Found>
  void search(std::uint64_t hash, std::size_t first, const Found& found) const {
    for (std::size_t part = 0; part < kParts; ++part) {
      const Part own = part_of(hash, part);
      for (const Part mask : masks_) {
        const std::size_t value = static_cast<Part>(own ^ mask);
        for (std::size_t at = starts_[part][value + 1]; at > starts_[part][value]; --at) {
          const Member& member = members_[part][at - 1];
          if (member.number < first) break;
          const std::uint64_t difference = hash ^ member.hash;
          const int bits = std::popcount(difference);
          if (bits > most_bits_ || was_found_before(difference, part)) continue;
          found(member.number, bits);
        }
      }
    }
  }

 private:
  struct Member {
    std::uint64_t hash;
    std::size_t number;
  };

  /// Whether an earlier part leads to the same hash.
  bool was_found_before(std::uint64_t difference, std::size_t part) const {
    for (std::size_t earlier = 0; earlier < part; ++earlier) {
      if (std::popcount(part_of(difference, earlier)) <= most_of_part_) return true;
    }
    return false;
  }

  int most_bits_;
  int most_of_part_;
  std::vector<Part> masks_;
  std::array<std::vector<std::size_t>, kParts> starts_;
  std::array<std::vector<Member>, kParts> members_;
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
  result.patterns.reserve(facts.size());
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
  constexpr std::size_t kSums = 16;  // independent ones, which a compiler can keep in vectors
  std::array<float, kSums> sums{};
  for (std::size_t i = 0; i < kPixels; i += kSums) {
    for (std::size_t k = 0; k < kSums; ++k) sums[k] += a[i + k] * b[i + k];
  }
  return std::accumulate(sums.begin(), sums.end(), 0.0F);
}

/// A photograph whose hash is near.
struct Near {
  int bits = 0;
  std::size_t at = 0;  // in the list of comparable ones
};

/// The `most` with the nearest hashes.
void keep_nearest(std::vector<Near>& near, std::size_t most) {
  if (near.size() <= most) return;
  std::nth_element(
      near.begin(), near.begin() + static_cast<std::ptrdiff_t>(most), near.end(),
      [](const Near& a, const Near& b) { return std::tie(a.bits, a.at) < std::tie(b.bits, b.at); });
  near.resize(most);
}

/// partners_of(i) for i in [0, count), by several threads, one after the other in one list. An
/// interrupt leaves the rest out.
template <typename PartnersOf>
std::vector<NearPair> joined(std::size_t count, const PartnersOf& partners_of) {
  constexpr std::size_t kBlock = 64;  // photographs of one task
  std::vector<std::vector<NearPair>> blocks((count + kBlock - 1) / kBlock);
  statistics::for_each_index(blocks.size(), [&](std::size_t block) {
    for (std::size_t i = block * kBlock; i < std::min((block + 1) * kBlock, count); ++i) {
      if (training::interrupted()) return;
      const std::vector<NearPair> partners = partners_of(i);
      blocks[block].insert(blocks[block].end(), partners.begin(), partners.end());
    }
  });
  std::vector<NearPair> pairs;
  for (const std::vector<NearPair>& block : blocks) {
    pairs.insert(pairs.end(), block.begin(), block.end());
  }
  return pairs;
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
  const HashIndex index(all.hashes, options.most_bits);
  return joined(all.numbers.size(), [&](std::size_t i) {
    std::vector<Near> near;
    index.search(all.hashes[i], i + 1,
                 [&](std::size_t j, int bits) { near.push_back({.bits = bits, .at = j}); });
    keep_nearest(near, options.most_compared);
    std::vector<NearPair> partners;
    for (const auto& [bits, j] : near) {
      const float alike = correlation(all.patterns[i], all.patterns[j]);
      if (alike < options.least_correlation) continue;
      partners.push_back({all.numbers[i], all.numbers[j], bits, alike});
    }
    keep_most_alike(partners, options.most_partners);
    return partners;
  });
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
  const HashIndex index(b.hashes, options.most_bits);
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> place(first.size(), kNone);  // in `a`
  for (std::size_t at = 0; at < a.numbers.size(); ++at) place[a.numbers[at]] = at;
  return joined(first.size(), [&](std::size_t i) {
    std::vector<NearPair> partners;
    if (!first[i].problem.empty()) return partners;
    const auto equal = by_content.find(first[i].content_hash);
    if (equal != by_content.end()) {  // flat ones too
      for (const std::size_t j : equal->second) {
        if (partners.size() == options.most_partners) break;
        partners.push_back({.first = i, .second = j, .bits = 0, .correlation = 1});
      }
    }
    if (place[i] != kNone) {
      std::vector<Near> near;
      index.search(a.hashes[place[i]], 0, [&](std::size_t j, int bits) {
        if (second[b.numbers[j]].content_hash == first[i].content_hash) return;
        near.push_back({.bits = bits, .at = j});
      });
      keep_nearest(near, options.most_compared);
      for (const auto& [bits, j] : near) {
        const float alike = correlation(a.patterns[place[i]], b.patterns[j]);
        if (alike < options.least_correlation) continue;
        partners.push_back({i, b.numbers[j], bits, alike});
      }
    }
    keep_most_alike(partners, options.most_partners);
    return partners;
  });
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
