// What is tried where a step does not fit into memory, with steps that only say whether they fit.
#include "hanok/apps/training/memory_fitting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

#include "tests/support/recording_reporter.h"

namespace hanok::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const OutOfMemory kTooMuch(1000, 900, 1024);

/// A step that fits from some number of parts on, once the recorded step's memory is given up.
struct FakeStep {
  std::int64_t fits_from = 1;
  bool recorded = false;
  std::vector<std::int64_t> attempts{};

  std::int64_t operator()(std::int64_t parts) {
    attempts.push_back(parts);
    if (recorded || parts < fits_from) throw kTooMuch;
    return parts;
  }
  MemoryFitting::GiveUp give_up() {
    return [this](const std::string& why) {
      EXPECT_THAT(why, HasSubstr("out of memory"));
      const bool was_recorded = recorded;
      recorded = false;
      return was_recorded;
    };
  }
  std::int64_t run(MemoryFitting& fitting, std::int64_t images) {
    return fitting.in_parts(images, "fold 0, epoch 1, step 1",
                            [this](std::int64_t parts) { return (*this)(parts); });
  }
};

class MemoryFittingTest : public ::testing::Test {
 protected:
  test::RecordingReporter reporter_;
};

TEST_F(MemoryFittingTest, ComputesOnceWhatFits) {
  FakeStep step;
  MemoryFitting fitting(2, reporter_, step.give_up());
  EXPECT_EQ(step.run(fitting, 8), 2);
  EXPECT_THAT(step.attempts, ElementsAre(2));
}

TEST_F(MemoryFittingTest, GivesUpTheRecordedStepBeforeItDividesTheBatch) {
  FakeStep step{.fits_from = 2, .recorded = true};
  MemoryFitting fitting(1, reporter_, step.give_up());
  EXPECT_EQ(step.run(fitting, 8), 2);
  EXPECT_THAT(step.attempts, ElementsAre(1, 1, 2));
}

TEST_F(MemoryFittingTest, KeepsThePartsForTheNextStep) {
  FakeStep step{.fits_from = 3};
  MemoryFitting fitting(1, reporter_, step.give_up());
  EXPECT_EQ(step.run(fitting, 26), 4);
  EXPECT_EQ(fitting.parts(), 4);
  EXPECT_EQ(step.run(fitting, 26), 4);
  EXPECT_THAT(step.attempts, ElementsAre(1, 2, 4, 4));
  EXPECT_THAT(reporter_.text, HasSubstr("fold 0, epoch 1, step 1: out of memory"));
  EXPECT_THAT(reporter_.text,
              HasSubstr("computed in 4 parts, as with --accumulate 4: losses and "
                        "gradients add up to the batch's, batch norm sees 7 images"));
}

TEST_F(MemoryFittingTest, EndsWhereAPartWouldHaveASingleImage) {
  FakeStep step{.fits_from = 100};
  MemoryFitting fitting(1, reporter_, step.give_up());
  EXPECT_THROW(step.run(fitting, 7), OutOfMemory);
  EXPECT_THAT(step.attempts, ElementsAre(1, 2, 3));  // of two images at least
}

TEST_F(MemoryFittingTest, DividesAShortBatchLess) {
  const MemoryFitting fitting(8, reporter_, [](const std::string&) { return false; });
  EXPECT_EQ(fitting.parts_of(32), 8);
  EXPECT_EQ(fitting.parts_of(7), 3);
  EXPECT_EQ(fitting.parts_of(1), 1);
}

TEST_F(MemoryFittingTest, WholeWorkIsDoneAgainOnlyAfterSomethingWasGivenUp) {
  FakeStep step{.recorded = true};
  MemoryFitting fitting(1, reporter_, step.give_up());
  EXPECT_EQ(fitting.whole([&] { return step(1); }), 1);
  EXPECT_THAT(step.attempts, ElementsAre(1, 1));
  step.fits_from = 2;
  EXPECT_THROW(fitting.whole([&] { return step(1); }), OutOfMemory);
  EXPECT_THAT(step.attempts, ElementsAre(1, 1, 1));
}

TEST_F(MemoryFittingTest, OtherErrorsEndTheStep) {
  MemoryFitting fitting(1, reporter_, [](const std::string&) { return true; });
  int attempts = 0;
  const auto broken = [&](std::int64_t) {
    ++attempts;
    throw ValueError("broken");
  };
  EXPECT_THROW(fitting.in_parts(8, "", broken), ValueError);
  EXPECT_EQ(attempts, 1);
}

}  // namespace
}  // namespace hanok::training
