// Counts, odd photographs and contradictions of small made-up data sets.
#include "hanok/apps/data_report/data_findings.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hanok::test {
namespace {

using data_report::Contradiction;
using data_report::ImageFacts;
using data_report::Oddity;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

data::Sample sample(const std::string& path, std::int64_t label, const std::string& group) {
  return {.path = path, .label = label, .group = group};
}

TEST(ClassTables, CountsSharesAndGroups) {
  data::Dataset dataset;
  dataset.class_names = {"x", "y", "none"};
  dataset.samples = {sample("1", 0, "a"), sample("2", 0, "a"), sample("3", 0, "b"),
                     sample("4", 1, "b")};
  const auto counts = data_report::class_counts(dataset);
  ASSERT_EQ(counts.size(), 3U);
  EXPECT_EQ(counts[0].images, 3);
  EXPECT_EQ(counts[0].groups, 2);
  EXPECT_DOUBLE_EQ(counts[0].share, 0.75);
  EXPECT_EQ(counts[2].images, 0);
  EXPECT_DOUBLE_EQ(data_report::imbalance(counts), 3);
  EXPECT_THAT(data_report::group_patterns(dataset),
              ElementsAre(Pair("1 x x, 1 x y", 1), Pair("2 x x", 1)));
}

TEST(ClassTables, JointTableOfTheCompetition) {
  data::Dataset dataset;
  dataset.samples = {sample("1", 6 * 2 + 3 * 1 + 0, "a"), sample("2", 6 * 2 + 3 * 1 + 0, "b"),
                     sample("3", 6 * 0 + 3 * 0 + 2, "c"), sample("4", -1, "d")};
  const data_report::JointTable table = data_report::competition_table(dataset);
  EXPECT_EQ(table[2][1][0], 2);
  EXPECT_EQ(table[0][0][2], 1);
  EXPECT_EQ(table[1][0][0], 0);
}

TEST(ClassTables, ContactSheetIsSpreadOverGroups) {
  data::Dataset dataset;
  std::vector<ImageFacts> facts;
  for (int i = 0; i < 40; ++i) {
    // One group of 30 photographs, ten of one.
    const std::string group = i < 30 ? "many" : "g" + std::to_string(i);
    dataset.samples.push_back(sample(std::to_string(i), 0, group));
    facts.emplace_back();
  }
  facts[35].problem = "damaged";
  const auto sheet = data_report::contact_sheet(dataset, facts, 0, 11);
  EXPECT_EQ(sheet.size(), 11U);
  EXPECT_EQ(std::count_if(sheet.begin(), sheet.end(), [](std::size_t i) { return i < 30; }), 2);
  EXPECT_EQ(std::count(sheet.begin(), sheet.end(), 35U), 0);
  EXPECT_EQ(data_report::contact_sheet(dataset, facts, 0, 11), sheet);
  EXPECT_THAT(data_report::contact_sheet(dataset, facts, 1, 11), IsEmpty());
}

TEST(ClassTables, MeanPhotographOfReadableOnes) {
  std::vector<ImageFacts> facts(3);
  facts[0].small = {1, 1, {10, 20, 30}};
  facts[2].small = {1, 1, {13, 20, 30}};
  EXPECT_THAT(data_report::mean_photograph(facts, {0, 1, 2}).pixels, ElementsAre(12, 20, 30));
  EXPECT_THAT(data_report::mean_photograph(facts, {1}).pixels, IsEmpty());
}

/// Many usual photographs, the values of which vary a little.
std::vector<ImageFacts> usual(float brightness) {
  std::vector<ImageFacts> facts(100);
  for (std::size_t i = 0; i < facts.size(); ++i) {
    facts[i].brightness = brightness + static_cast<float>(i % 10);
    facts[i].contrast = 50;
    facts[i].sharpness = 500 + 10 * static_cast<float>(i % 10);
    facts[i].width = 300;
    facts[i].height = 200;
  }
  return facts;
}

TEST(OddPhotographs, EachKindIsFoundAndTheWorstStandsFirst) {
  std::vector<ImageFacts> facts = usual(120);
  facts[0].brightness = 30;
  facts[1].brightness = 12;
  facts[2].brightness = 250;
  facts[3].contrast = 2;
  facts[4].sharpness = 3;
  facts[5].width = 45;
  facts[5].height = 30;
  facts[6].width = 90;
  facts[6].height = 300;
  facts[7].problem = "damaged";
  facts[7].brightness = 0;
  const auto odd = data_report::odd_photographs(facts, data_report::oddity_limits(facts));
  std::vector<std::pair<std::size_t, Oddity>> found;
  for (const auto& each : odd) found.emplace_back(each.sample, each.oddity);
  EXPECT_THAT(found,
              ElementsAre(Pair(1, Oddity::Dark), Pair(0, Oddity::Dark), Pair(2, Oddity::Bright),
                          Pair(3, Oddity::Flat), Pair(4, Oddity::Blurred), Pair(5, Oddity::Tiny),
                          Pair(6, Oddity::OddShaped)));
  EXPECT_EQ(odd[0].text, "brightness 12");
}

TEST(OddPhotographs, LimitsFollowTheDataSet) {
  // At night all photographs are dark.
  std::vector<ImageFacts> night = usual(35);
  EXPECT_THAT(data_report::odd_photographs(night, data_report::oddity_limits(night)), IsEmpty());
  // Where everything is tiny and tall, that is not odd.
  std::vector<ImageFacts> tall = usual(120);
  for (ImageFacts& image : tall) {
    image.width = 64;
    image.height = 170;
  }
  EXPECT_THAT(data_report::odd_photographs(tall, data_report::oddity_limits(tall)), IsEmpty());
  EXPECT_THAT(data_report::odd_photographs({}, data_report::oddity_limits({})), IsEmpty());
}

std::vector<std::string> texts(const std::vector<Contradiction>& found) {
  std::vector<std::string> out;
  for (const Contradiction& each : found) out.push_back(each.group + " " + each.what);
  return out;
}

TEST(Contradictions, APersonOfSeveralSexesOrAges) {
  data::Dataset dataset;
  dataset.layout = "competition";
  dataset.has_groups = true;
  dataset.class_names = data::competition_class_names();
  const auto label = [](int mask, int sex, int age) { return 6 * mask + 3 * sex + age; };
  dataset.samples = {
      sample("images/1_male_Asian_20/mask1.jpg", label(0, 0, 0), "1"),
      sample("images/1_male_Asian_20/normal.jpg", label(2, 0, 0), "1"),
      sample("images/2_female_Asian_45/mask1.jpg", label(0, 1, 1), "2"),
      sample("images/other/mask1.jpg", label(0, 0, 1), "2"),
      sample("images/3_female_Asian_60/mask1.jpg", label(0, 0, 1), "3"),
      sample("images/odd_name/mask1.jpg", label(0, 0, 1), "4"),
  };
  EXPECT_THAT(texts(data_report::contradictions_within_groups(dataset)),
              ElementsAre("2 is female in 1 photograph and male in 1",
                          "3 is 30-59 in the table, >=60 by the folder's name",
                          "3 is male in the table, female by the folder's name"));
}

TEST(Contradictions, AGroupOfSeveralClassesWhereNearlyAllHaveOne) {
  data::Dataset dataset;
  dataset.layout = "folder";
  dataset.class_names = {"cat", "dog"};
  for (int i = 0; i < 12; ++i) {
    for (const char* which : {"1", "2"}) {
      dataset.samples.push_back(sample(std::to_string(i) + which, i % 2, "g" + std::to_string(i)));
    }
  }
  dataset.samples.back().label = 0;
  dataset.has_groups = true;
  EXPECT_THAT(texts(data_report::contradictions_within_groups(dataset)),
              ElementsAre("g11 is cat in 1 photograph and dog in 1"));
  // Groups that have both classes as a rule are none.
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    dataset.samples[i].label = static_cast<std::int64_t>(i % 2);
  }
  EXPECT_THAT(data_report::contradictions_within_groups(dataset), IsEmpty());
}

}  // namespace
}  // namespace hanok::test
