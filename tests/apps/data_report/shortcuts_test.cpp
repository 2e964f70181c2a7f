// Shortcuts that are planted are found and explained; where there are none, none is claimed.
#include "hanok/apps/data_report/shortcuts.h"

#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <map>

#include "hanok/apps/data_report/run_shortcut.h"
#include "hanok/data/random.h"
#include "hanok/engine/runtime.h"
#include "tests/support/paths.h"
#include "tests/support/recording_reporter.h"

namespace hanok::data_report {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;

struct Photographs {
  data::Dataset dataset{};
  std::vector<ImageFacts> facts{};
};

/// 400 photographs of 200 people in two classes; nothing depends on the class.
Photographs ordinary(std::uint64_t seed) {
  Photographs made;
  made.dataset.layout = "folder";
  made.dataset.class_names = {"cat", "dog"};
  for (int i = 0; i < 400; ++i) {
    data::RandomDraws random(seed, RandomStream::Test, i, 0);
    const int person = i / 2;
    const std::int64_t label = person % 4 == 0 ? 1 : 0;
    made.dataset.samples.push_back(
        {.path = fmt::format("IMG_{:04}.jpg", i), .label = label, .group = std::to_string(person)});
    ImageFacts facts;
    facts.bytes = 20'000 + random.below(5000);
    facts.modified = 1'700'000'000 + random.below(10'000);
    facts.format = "JPEG";
    facts.mode = "RGB";
    facts.jpeg_quality = 90;
    facts.jpeg_tables = 0x1234'0000'0000'0000U;
    facts.width = 200 + static_cast<int>(random.below(3));
    facts.height = 300;
    for (float& colour : facts.mean_colour) colour = random.between(80, 160);
    for (float& colour : facts.border_colour) colour = random.between(80, 160);
    facts.brightness = random.between(80, 160);
    facts.contrast = random.between(20, 60);
    facts.sharpness = random.between(100, 900);
    made.facts.push_back(facts);
  }
  return made;
}

const Shortcut& fact_named(const ShortcutReport& report, const std::string& name) {
  for (const Shortcut& fact : report.facts) {
    if (fact.fact == name) return fact;
  }
  throw std::runtime_error("no fact " + name);
}

TEST(Shortcuts, AreTheSameForAnyNumberOfThreadsAndShowTheirProgress) {
  const Photographs made = ordinary(3);
  const auto report_with = [&](int threads, training::Reporter* reporter) {
    set_num_threads(threads);
    std::string text;
    const ShortcutReport report =
        find_shortcuts(made.dataset, made.facts, {.shuffles = 50, .reporter = reporter});
    for (const Shortcut& fact : report.facts) {
      text += fmt::format("{} {} {} {} {}\n", fact.fact, fact.macro_f1, fact.interval.low,
                          fact.interval.high, fact.p_value);
    }
    return text;
  };
  const int threads = num_threads();
  const std::string one = report_with(1, nullptr);
  EXPECT_EQ(report_with(2, nullptr), one);
  test::RecordingReporter reporter;
  EXPECT_EQ(report_with(3, &reporter), one);
  set_num_threads(threads);
  ASSERT_FALSE(reporter.progress.empty());
  std::map<std::string, std::int64_t> done;
  for (const training::ProgressState& state : reporter.progress) {
    EXPECT_LE(state.done, state.total);
    done[state.unit] = state.total - state.done;
  }
  EXPECT_EQ(done,
            (std::map<std::string, std::int64_t>{{"draws", 0}, {"shuffles", 0}, {"trees", 0}}));
  EXPECT_EQ(reporter.text, "");
}

TEST(Shortcuts, NoneIsClaimedWhereNoneIs) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) {
    const Photographs made = ordinary(seed);
    const ShortcutReport report = find_shortcuts(made.dataset, made.facts, {.shuffles = 999});
    for (const Shortcut& fact : report.facts) EXPECT_FALSE(fact.predicts) << fact.fact;
    EXPECT_FALSE(report.source.has_value());
    EXPECT_THAT(report.findings, Contains(HasSubstr("no sign of a shortcut")));
  }
}

TEST(Shortcuts, APlantedSourceIsNamedWithItsNumbers) {
  Photographs made = ordinary(1);
  // Four of five dogs come from another camera: smaller files, another prefix.
  for (std::size_t i = 0; i < made.facts.size(); ++i) {
    data::Sample& sample = made.dataset.samples[i];
    if (sample.label != 1 || (i / 8) % 5 == 0) continue;
    made.facts[i].bytes -= 8000;
    sample.path = fmt::format("web{:03}.jpg", i);
  }
  const ShortcutReport report = find_shortcuts(made.dataset, made.facts, {.shuffles = 1999});
  EXPECT_TRUE(fact_named(report, "bytes of the file").predicts);
  EXPECT_FALSE(fact_named(report, "width and height").predicts);
  EXPECT_EQ(report.explained_fact, "bytes of the file");
  ASSERT_TRUE(report.source.has_value());
  EXPECT_EQ(report.source->name, "the name's prefix");
  EXPECT_GT(report.source->explained, 0.9);
  EXPECT_THAT(
      report.findings,
      Contains(AnyOf(HasSubstr("80 of 100 dog and 0 of 300 cat come from files whose names"),
                     HasSubstr("300 of 300 cat and 20 of 100 dog"))));
  const std::vector<pages::Block> blocks = shortcut_blocks(report);
  EXPECT_TRUE(std::holds_alternative<pages::Section>(blocks.front()));
}

TEST(Shortcuts, AFactThatIsTheSameInAllIsNotMeasured) {
  const Photographs made = ordinary(1);
  const ShortcutReport report = find_shortcuts(made.dataset, made.facts, {.shuffles = 99});
  EXPECT_EQ(fact_named(report, "height").constant, "the same in all");
  EXPECT_EQ(fact_named(report, "height").macro_f1, 0);
}

TEST(Shortcuts, NamesThatTheCompetitionPrescribesAreNoFact) {
  Photographs made = ordinary(1);
  made.dataset.layout = "competition";
  for (const Shortcut& fact : find_shortcuts(made.dataset, made.facts, {.shuffles = 99}).facts) {
    EXPECT_NE(fact.fact, "name's prefix");
  }
}

TEST(Shortcuts, WhatCannotBeDecodedIsLeftOut) {
  Photographs made = ordinary(1);
  for (ImageFacts& facts : made.facts) facts.problem = "truncated";
  EXPECT_THAT(find_shortcuts(made.dataset, made.facts).findings,
              Contains(HasSubstr("nothing was measured")));
}

TEST(Shortcuts, PrefixesAreTheLettersInFront) {
  EXPECT_EQ(name_prefix("a/b/maksssksksss12_3.png"), "maksssksksss");
  EXPECT_EQ(name_prefix("01002_Mask.jpg"), "(no letters)");
  EXPECT_EQ(name_prefix("IMG_1.jpg"), "IMG");
}

TEST(Shortcuts, Masks3sFileSizesReachAHalfAndMaskedFaceNetIsBehindIt) {
  const std::string path = test::source_dir() + "/../shared/data/masks3";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "../shared/data/masks3 is not here";
  const data::Dataset dataset = data::load_dataset(path);
  const ShortcutReport report = find_shortcuts(dataset, measure_images(dataset, 2).value());
  const Shortcut& bytes = fact_named(report, "bytes of the file");
  EXPECT_NEAR(bytes.macro_f1, 0.51, 0.03);
  EXPECT_LT(bytes.chance, 0.34);
  EXPECT_TRUE(bytes.predicts);
  EXPECT_THAT(
      report.findings,
      Contains(HasSubstr("553 of 606 mask_worn_incorrectly, 210 of 1,121 with_mask and 0 of "
                         "147 without_mask come from files whose names do not begin with "
                         "'maksssksksss'")));
}

TEST(RunShortcut, IsMeasuredOnTheRunsFolds) {
  const std::string path = test::source_dir() + "/../shared/data/masks3";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "../shared/data/masks3 is not here";
  const data::Dataset dataset = data::load_dataset(path);
  statistics::Target target{.classes = 3};
  for (const data::Sample& sample : dataset.samples) {
    target.labels.push_back(sample.label);
    target.groups.push_back(sample.group);
  }
  const auto folds = statistics::grouped_folds(target, 5, 1);
  const auto found = shortcut_of_run(dataset, folds, 0.95);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->fact, "the files' sizes in bytes");
  EXPECT_NEAR(found->macro_f1, 0.51, 0.03);
  EXPECT_FALSE(shortcut_of_run(dataset, folds, 1.2).has_value());  // less than half of it
  data::Dataset gone = dataset;
  gone.root = "/nowhere";
  EXPECT_FALSE(shortcut_of_run(gone, folds, 0.95).has_value());
}

TEST(Shortcuts, TooFewPhotographsOrOneGroupAreNotMeasured) {
  Photographs made = ordinary(1);
  for (data::Sample& sample : made.dataset.samples) sample.group = "one";
  EXPECT_THAT(find_shortcuts(made.dataset, made.facts).findings,
              Contains(HasSubstr("shortcuts were not measured")));
  made = ordinary(1);
  made.dataset.samples = {made.dataset.samples[0], made.dataset.samples[2]};
  made.dataset.samples[1].label = 1 - made.dataset.samples[0].label;
  made.facts.resize(2);
  EXPECT_THAT(find_shortcuts(made.dataset, made.facts).findings,
              Contains(HasSubstr("shortcuts were not measured")));
}

}  // namespace
}  // namespace hanok::data_report
