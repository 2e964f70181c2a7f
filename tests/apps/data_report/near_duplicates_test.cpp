// Which photographs count as the same, and what follows from it.
#include <bit>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "hanok/apps/data_report/duplicate_sets.h"
#include "hanok/data/csv.h"
#include "hanok/engine/runtime.h"
#include "tests/apps/data_report/pictures.h"

namespace hanok::test {
namespace {

using data_report::DuplicateSet;
using data_report::ImageFacts;
using data_report::NearPair;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

ImageFacts facts_of(const std::vector<std::uint8_t>& bytes) {
  const TemporaryFolder folder;
  return data_report::measure_image(write(folder / "a", bytes));
}
ImageFacts facts_of(const data::Image& image) { return facts_of(data::encode_png(image)); }

std::vector<std::pair<std::size_t, std::size_t>> numbers(const std::vector<NearPair>& pairs) {
  std::vector<std::pair<std::size_t, std::size_t>> out;
  for (const NearPair& pair : pairs) out.emplace_back(pair.first, pair.second);
  return out;
}

TEST(NearDuplicates, AreFoundAfterScalingCompressionAndLight) {
  std::vector<ImageFacts> facts;
  for (unsigned seed = 0; seed < 20; ++seed) facts.push_back(facts_of(collage(seed)));
  const data::Image original = collage(3);
  facts.push_back(facts_of(data::encode_jpeg(original, 30)));
  facts.push_back(facts_of(data::resize(original, 90, 70)));
  data::Image darker = original;
  for (std::uint8_t& value : darker.pixels) value = static_cast<std::uint8_t>(value * 3 / 5);
  facts.push_back(facts_of(darker));
  const auto found = numbers(data_report::near_duplicates(facts));
  for (const std::size_t copy : {20U, 21U, 22U}) {
    EXPECT_THAT(found, ::testing::Contains(std::pair<std::size_t, std::size_t>(3, copy)));
  }
  for (const auto& [first, second] : found) {
    EXPECT_TRUE(first == 3 || first >= 20) << first << " " << second;
  }
}

TEST(NearDuplicates, FlatPhotographsAreNotAlike) {
  std::vector<ImageFacts> facts;
  for (int shade = 0; shade < 40; shade += 4) {
    data::Image flat = {
        64, 64,
        std::vector<std::uint8_t>(std::size_t{3} * 64 * 64, static_cast<std::uint8_t>(shade))};
    flat.pixels[0] = 255;
    facts.push_back(facts_of(flat));
  }
  EXPECT_THAT(data_report::near_duplicates(facts), IsEmpty());
}

TEST(NearDuplicates, CandidatesAreThoseOfAllPairs) {
  // Hashes within and beyond the distance; all have the same picture, so that they decide alone.
  const ImageFacts picture = facts_of(collage(1));
  std::vector<ImageFacts> facts(300, picture);
  std::mt19937_64 random(5);
  for (std::size_t i = 0; i < facts.size(); ++i) {
    facts[i].content_hash = i + 1;
    const std::uint64_t base = i % 10 * 0x0123456789ABCDEFU;
    facts[i].perceptual_hash = base ^ (random() & random() & random());
  }
  const data_report::NearDuplicateOptions options{.most_bits = 11, .most_partners = 1000};
  std::vector<std::pair<std::size_t, std::size_t>> expected;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    for (std::size_t j = i + 1; j < facts.size(); ++j) {
      if (std::popcount(facts[i].perceptual_hash ^ facts[j].perceptual_hash) <= 11) {
        expected.emplace_back(i, j);
      }
    }
  }
  EXPECT_GT(expected.size(), 100U);
  EXPECT_EQ(numbers(data_report::near_duplicates(facts, options)), expected);
}

TEST(NearDuplicates, ManyFramesOfOneVideoGiveFewPairs) {
  std::vector<ImageFacts> facts(500, facts_of(collage(1)));
  for (std::size_t i = 0; i < facts.size(); ++i) facts[i].content_hash = i + 1;
  const std::vector<NearPair> pairs = data_report::near_duplicates(facts);
  EXPECT_LE(pairs.size(), 500U * 20);
  data::Dataset dataset;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    dataset.samples.push_back({std::to_string(i), 0, std::to_string(i)});
  }
  const auto sets = data_report::duplicate_sets(dataset, facts, pairs);
  ASSERT_EQ(sets.size(), 1U);
  EXPECT_EQ(sets[0].samples.size(), 500U);
}

TEST(NearDuplicates, AreTheSameForAnyNumberOfThreads) {
  std::vector<ImageFacts> facts(300, facts_of(collage(1)));  // several blocks of one task each
  for (std::size_t i = 0; i < facts.size(); ++i) {
    facts[i].content_hash = i + 1;
    facts[i].perceptual_hash = std::uint64_t{1} << (i % 64);
  }
  const int threads = num_threads();
  set_num_threads(1);
  const auto one = numbers(data_report::near_duplicates(facts, {.most_compared = 30}));
  const auto one_between = numbers(data_report::near_duplicates_between(facts, facts));
  for (const int count : {2, 3}) {
    set_num_threads(count);
    EXPECT_EQ(numbers(data_report::near_duplicates(facts, {.most_compared = 30})), one);
    EXPECT_EQ(numbers(data_report::near_duplicates_between(facts, facts)), one_between);
  }
  set_num_threads(threads);
  EXPECT_GT(one.size(), 299U * 10);
}

TEST(NearDuplicates, BetweenTwoDataSetsEqualFilesToo) {
  const data::Image flat = {8, 8, std::vector<std::uint8_t>(192, 9)};
  const std::vector<ImageFacts> train = {facts_of(flat), facts_of(collage(1)),
                                         facts_of(collage(2))};
  const std::vector<ImageFacts> test = {
      facts_of(collage(5)), facts_of(data::encode_jpeg(collage(2), 50)), facts_of(flat)};
  EXPECT_THAT(numbers(data_report::near_duplicates_between(train, test)),
              ElementsAre(std::pair(0, 2), std::pair(2, 1)));
}

/// Samples "0", "1", ... with labels and groups, and facts of different contents.
struct MadeUp {
  data::Dataset dataset;
  std::vector<ImageFacts> facts;

  explicit MadeUp(const std::vector<std::pair<std::int64_t, std::string>>& samples) {
    dataset.class_names = {"x", "y"};
    for (std::size_t i = 0; i < samples.size(); ++i) {
      dataset.samples.push_back({std::to_string(i), samples[i].first, samples[i].second});
      facts.emplace_back();
      facts.back().content_hash = i + 1;
      facts.back().bytes = 100;
    }
  }
};

TEST(DuplicateSets, AreClassifiedAndTheWorstStandsFirst) {
  MadeUp made({{0, "a"}, {0, "a"}, {0, "b"}, {0, "c"}, {0, "d"}, {1, "d"}, {0, "e"}});
  made.facts[1].content_hash = made.facts[0].content_hash;
  const std::vector<NearPair> near = {{2, 3, 4, 0.98F}, {4, 5, 2, 0.99F}};
  const auto sets = data_report::duplicate_sets(made.dataset, made.facts, near);
  ASSERT_EQ(sets.size(), 3U);
  EXPECT_THAT(sets[0].samples, ElementsAre(4, 5));
  EXPECT_TRUE(sets[0].across_classes && !sets[0].across_groups && !sets[0].equal_files);
  EXPECT_THAT(sets[1].samples, ElementsAre(2, 3));
  EXPECT_TRUE(!sets[1].across_classes && sets[1].across_groups);
  EXPECT_THAT(sets[2].samples, ElementsAre(0, 1));
  EXPECT_TRUE(sets[2].equal_files && !sets[2].across_groups && !sets[2].across_split);
  made.dataset.samples[0].split = data::Split::Train;
  made.dataset.samples[1].split = data::Split::Val;
  EXPECT_TRUE(data_report::duplicate_sets(made.dataset, made.facts, {}).front().across_split);
}

TEST(DuplicateSets, ProposedGroupsJoinWholeGroups) {
  MadeUp made({{0, "b"}, {0, "b"}, {0, "a"}, {0, "c"}, {0, "d,\"1\""}});
  const auto sets =
      data_report::duplicate_sets(made.dataset, made.facts, {{1, 3, 4, 0.98F}, {2, 3, 2, 0.99F}});
  const std::vector<std::string> groups = data_report::proposed_groups(made.dataset, sets);
  EXPECT_THAT(groups, ElementsAre("a", "a", "a", "a", "d,\"1\""));
  // What is written is what --group reads.
  const TemporaryFolder folder;
  write_text(folder / "g.csv", data_report::groups_to_csv(made.dataset, groups));
  data::apply_group_file(made.dataset, folder / "g.csv");
  std::vector<std::string> read;
  for (const data::Sample& sample : made.dataset.samples) read.push_back(sample.group);
  EXPECT_EQ(read, groups);
}

TEST(EqualFiles, EmptyAndDamagedFilesAreNoDuplicates) {
  std::vector<data_report::ImageFacts> facts(4);
  for (data_report::ImageFacts& each : facts) each.content_hash = 7;
  facts[0].problem = facts[1].problem = "an empty file";
  EXPECT_THAT(data_report::equal_files(facts), ElementsAre(ElementsAre(2, 3)));
}

}  // namespace
}  // namespace hanok::test
