#include "hanok/apps/data_report/train_against_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"

namespace hanok::data_report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Photographs whose facts are drawn around `brightness`.
struct MadeUp {
  data::Dataset dataset;
  std::vector<ImageFacts> facts;
  MeasuredSet set() const { return {.dataset = dataset, .facts = facts}; }
};

MadeUp made_up(std::size_t images, float brightness, std::uint32_t seed) {
  MadeUp out;
  out.dataset.root = "set";
  std::uint32_t state = seed;
  const auto draw = [&state] {  // a linear congruential generator
    state = state * 1664525U + 1013904223U;
    return static_cast<float>(state >> 8U) / 16777216.0F;
  };
  for (std::size_t i = 0; i < images; ++i) {
    const std::string path = "p" + std::to_string(seed) + "_" + std::to_string(i) + ".jpg";
    out.dataset.samples.push_back({.path = path, .label = -1, .group = path});
    ImageFacts facts;
    facts.width = 100;
    facts.height = 100 + static_cast<int>(20 * draw());
    facts.bytes = 5000 + static_cast<std::int64_t>(1000 * draw());
    facts.brightness = brightness + 40 * draw();
    facts.perceptual_hash = (std::uint64_t{state} << 32U) ^ (state * 2654435761U);
    facts.small = {.width = 32, .height = 32, .pixels = {}};
    for (int p = 0; p < 32 * 32 * 3; ++p) {
      facts.small.pixels.push_back(static_cast<std::uint8_t>(255 * draw()));
    }
    out.facts.push_back(facts);
  }
  return out;
}

TEST(TrainAgainstTest, SetsOfOneSourceLookAlike) {
  const MadeUp first = made_up(150, 100, 1), second = made_up(120, 100, 2);
  const SetComparison comparison = compare_sets(first.set(), second.set());
  EXPECT_LT(comparison.auc, 0.6);
  EXPECT_LE(comparison.interval.low, 0.5);
  EXPECT_THAT(verdict(comparison), HasSubstr("look alike"));
}

TEST(TrainAgainstTest, AnotherBrightnessIsFoundAndNamed) {
  const MadeUp first = made_up(150, 100, 1), second = made_up(120, 130, 2);
  const SetComparison comparison = compare_sets(first.set(), second.set());
  EXPECT_GT(comparison.interval.low, 0.8);
  EXPECT_EQ(comparison.facts.front().fact, "brightness");
  EXPECT_NEAR(comparison.facts.front().second_median - comparison.facts.front().first_median, 30,
              8);
  EXPECT_THAT(verdict(comparison), HasSubstr("What differs most is brightness"));
}

TEST(TrainAgainstTest, FindsPhotographsAndPersonsOnBothSides) {
  MadeUp first = made_up(20, 100, 1), second = made_up(20, 100, 2);
  second.facts[3] = first.facts[7];
  first.dataset.has_groups = second.dataset.has_groups = true;
  second.dataset.samples[5].group = first.dataset.samples[0].group;
  const SetComparison comparison = compare_sets(first.set(), second.set());
  ASSERT_EQ(comparison.near_duplicates.size(), 1U);
  EXPECT_EQ(comparison.near_duplicates[0].first, 7U);
  EXPECT_EQ(comparison.near_duplicates[0].second, 3U);
  EXPECT_THAT(comparison.shared_groups, ElementsAre(first.dataset.samples[0].group));
}

TEST(TrainAgainstTest, GroupsWithoutAMeaningAreNotCompared) {
  MadeUp first = made_up(20, 100, 1), second = made_up(20, 100, 2);
  second.dataset.samples[5].group = first.dataset.samples[0].group;
  EXPECT_TRUE(compare_sets(first.set(), second.set()).shared_groups.empty());
}

TEST(TrainAgainstTest, RefusesSetsThatCannotBeDecoded) {
  MadeUp first = made_up(20, 100, 1), second = made_up(3, 100, 2);
  for (ImageFacts& facts : second.facts) facts.problem = "damaged";
  EXPECT_THROW(compare_sets(first.set(), second.set()), ValueError);
}

TEST(TrainAgainstTest, TheSectionSaysItInWordsAndPictures) {
  MadeUp first = made_up(30, 100, 1), second = made_up(30, 140, 2);
  const std::vector<pages::Block> blocks =
      against_blocks(compare_sets(first.set(), second.set()), first.set(), second.set());
  ASSERT_GE(blocks.size(), 4U);
  EXPECT_EQ(std::get<pages::Section>(blocks[0]).id, "against");
  EXPECT_EQ(std::get<pages::Paragraph>(blocks[2]).tone, pages::Tone::Warning);
}

}  // namespace
}  // namespace hanok::data_report
