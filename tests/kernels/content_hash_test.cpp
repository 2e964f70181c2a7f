// The hash of tensors' bytes: every bit, every place and the length count.
#include "hanok/kernels/base/content_hash.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>
#include <vector>

namespace hanok {
namespace {

std::vector<unsigned char> bytes_of(std::size_t count) {
  std::vector<unsigned char> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<unsigned char>(i * 37 + 11);
  return bytes;
}

TEST(ContentHash, IsTheSameEverywhere) {
  // Run folders hold hashes: another formula would call every recorded run another one.
  EXPECT_EQ(content_hash(nullptr, 0), 0x46B8E57B0FF77F70U);
  const std::vector<unsigned char> bytes = bytes_of(131);
  EXPECT_EQ(content_hash(bytes.data(), bytes.size()), 0x3E83C2C6EA9DF4CEU);
  EXPECT_EQ(content_hash(bytes.data(), bytes.size(), 7), 0x3493B653035EC270U);
}

TEST(ContentHash, EveryBitCounts) {
  for (const std::size_t size : {1U, 7U, 8U, 63U, 64U, 65U, 200U}) {
    std::vector<unsigned char> bytes = bytes_of(size);
    std::set<std::uint64_t> hashes = {content_hash(bytes.data(), size)};
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      bytes[bit / 8] ^= static_cast<unsigned char>(1U << bit % 8);
      EXPECT_TRUE(hashes.insert(content_hash(bytes.data(), size)).second) << size << ", " << bit;
      bytes[bit / 8] ^= static_cast<unsigned char>(1U << bit % 8);
    }
  }
}

// The signs of two numbers in one lane: where the hash only multiplies, they cancel.
TEST(ContentHash, TwoChangedSignsDoNotCancel) {
  std::vector<float> numbers(64, 1.5F);
  const std::uint64_t before = content_hash(numbers.data(), numbers.size() * sizeof(float));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    for (std::size_t j = i + 1; j < numbers.size(); ++j) {
      std::vector<float> changed = numbers;
      changed[i] = changed[j] = -1.5F;
      EXPECT_NE(content_hash(changed.data(), changed.size() * sizeof(float)), before) << i << j;
    }
  }
}

TEST(ContentHash, PlaceLengthAndWhatCameBeforeCount) {
  const std::vector<unsigned char> zeros(256, 0);
  std::set<std::uint64_t> hashes;
  for (std::size_t size = 0; size <= zeros.size(); ++size) {
    EXPECT_TRUE(hashes.insert(content_hash(zeros.data(), size)).second) << size;
  }
  std::vector<unsigned char> swapped = bytes_of(192);
  const std::uint64_t before = content_hash(swapped.data(), swapped.size());
  std::swap_ranges(swapped.begin(), swapped.begin() + 64, swapped.begin() + 64);
  EXPECT_NE(content_hash(swapped.data(), swapped.size()), before);
  EXPECT_NE(content_hash(swapped.data(), 8, 1), content_hash(swapped.data(), 8, 2));
}

}  // namespace
}  // namespace hanok
