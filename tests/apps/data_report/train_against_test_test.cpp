// Two sides of one kind look alike; a planted difference is named; what stands on both is counted.
#include "hanok/apps/data_report/train_against_test.h"

#include <cmath>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "hanok/data/random.h"

namespace hanok::data_report {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

struct Side {
  data::Dataset dataset{};
  std::vector<ImageFacts> facts{};
};

/// 200 photographs of 100 people.
Side side(int number) {
  Side made;
  made.dataset.has_groups = true;
  for (int i = 0; i < 200; ++i) {
    data::RandomDraws random(7, RandomStream::Test, i, number);
    made.dataset.samples.push_back({.path = fmt::format("{}_{}.jpg", number, i),
                                    .label = -1,
                                    .group = fmt::format("{}-{}", number, i / 2)});
    ImageFacts facts;
    facts.bytes = 20'000 + random.below(5000);
    facts.content_hash = std::uint64_t{random.bits()} << 32 | random.bits();
    facts.format = "JPEG";
    facts.width = facts.height = 200;
    for (float& colour : facts.mean_colour) colour = random.between(80, 160);
    facts.brightness = random.between(80, 160);
    facts.sharpness = random.between(100, 900);
    facts.perceptual_hash = std::uint64_t{random.bits()} << 32 | random.bits();
    facts.small = {32, 32, std::vector<std::uint8_t>(3 * 32 * 32)};
    for (std::uint8_t& value : facts.small.pixels) {
      value = static_cast<std::uint8_t>(random.below(256));
    }
    made.facts.push_back(facts);
  }
  return made;
}

AgainstReport compare(const Side& train, const Side& test) {
  return train_against_test({train.dataset, train.facts}, {test.dataset, test.facts});
}

TEST(TrainAgainstTest, TwoOfOneKindLookAlike) {
  const AgainstReport report = compare(side(0), side(1));
  EXPECT_LE(report.interval.low, 0.5);
  EXPECT_GE(report.interval.high, report.auc);
  EXPECT_THAT(report.verdict, StartsWith("Train and test look alike: AUC 0."));
  EXPECT_TRUE(report.duplicates.empty());
  EXPECT_TRUE(report.shared_groups.empty());
}

TEST(TrainAgainstTest, NamesTheFactThatDiffersMost) {
  Side test = side(1);
  for (ImageFacts& facts : test.facts) facts.brightness += 60;
  const AgainstReport report = compare(side(0), test);
  EXPECT_GT(report.interval.low, 0.8);
  EXPECT_EQ(report.facts.front().fact, "brightness");
  EXPECT_GT(report.facts.front().auc, 0.8);
  EXPECT_THAT(report.verdict, StartsWith("Train and test differ: AUC 0.9"));
}

TEST(TrainAgainstTest, CountsPersonsAndPhotographsOnBothSides) {
  const Side train = side(0);
  Side test = side(1);
  test.facts[5] = train.facts[8];
  test.dataset.samples[9].group = train.dataset.samples[3].group;
  const AgainstReport report = compare(train, test);
  ASSERT_EQ(report.duplicates.size(), 1u);
  EXPECT_EQ(report.duplicates[0].first, 8u);
  EXPECT_EQ(report.duplicates[0].second, 5u);
  EXPECT_THAT(report.shared_groups, ElementsAre("0-1"));
  EXPECT_GT(against_blocks(report).size(), 5u);
}

TEST(TrainAgainstTest, TooFewPhotographsAreNotCompared) {
  Side test = side(1);
  for (std::size_t i = 3; i < test.facts.size(); ++i) test.facts[i].problem = "truncated";
  const AgainstReport report = compare(side(0), test);
  EXPECT_TRUE(std::isnan(report.auc));
  EXPECT_THAT(report.verdict, StartsWith("Not compared: 200 and 3 photographs"));
  EXPECT_GE(against_blocks(report).size(), 2u);
}

}  // namespace
}  // namespace hanok::data_report
