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

/// A step that fits from some number of parts and recomputed blocks on, once the recorded step's
/// memory is given up.
struct FakeStep {
  std::int64_t fits_from = 1, recomputed_from = 0;
  bool recorded = false;
  std::vector<std::int64_t> attempts{}, recomputed{};

  std::int64_t operator()(const BatchCut& cut) {
    attempts.push_back(cut.parts);
    recomputed.push_back(cut.recomputed);
    if (recorded || cut.parts < fits_from || cut.recomputed < recomputed_from) throw kTooMuch;
    return cut.parts;
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
                            [this](const BatchCut& cut) { return (*this)(cut); });
  }
};

class MemoryFittingTest : public ::testing::Test {
 protected:
  MemoryFitting fitting_of(FakeStep& step, const BatchCut& cut = {}, std::int64_t blocks = 0) {
    return MemoryFitting(
        {.cut = cut, .reporter = reporter_, .give_up = step.give_up(), .blocks = [blocks] {
           return blocks;
         }});
  }
  test::RecordingReporter reporter_;
};

TEST_F(MemoryFittingTest, ComputesOnceWhatFits) {
  FakeStep step;
  MemoryFitting fitting = fitting_of(step, {.parts = 2});
  EXPECT_EQ(step.run(fitting, 8), 2);
  EXPECT_THAT(step.attempts, ElementsAre(2));
}

TEST_F(MemoryFittingTest, GivesUpTheRecordedStepBeforeItDividesTheBatch) {
  FakeStep step{.fits_from = 2, .recorded = true};
  MemoryFitting fitting = fitting_of(step);
  EXPECT_EQ(step.run(fitting, 8), 2);
  EXPECT_THAT(step.attempts, ElementsAre(1, 1, 2));
}

TEST_F(MemoryFittingTest, KeepsThePartsForTheNextStep) {
  FakeStep step{.fits_from = 3};
  MemoryFitting fitting = fitting_of(step);
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
  MemoryFitting fitting = fitting_of(step);
  EXPECT_THROW(step.run(fitting, 7), OutOfMemory);
  EXPECT_THAT(step.attempts, ElementsAre(1, 2, 3));  // of two images at least
}

TEST_F(MemoryFittingTest, DividesAShortBatchLess) {
  FakeStep step;
  const MemoryFitting fitting = fitting_of(step, {.parts = 8});
  EXPECT_EQ(fitting.cut_of(32).parts, 8);
  EXPECT_EQ(fitting.cut_of(7).parts, 3);
  EXPECT_EQ(fitting.cut_of(1).parts, 1);
}

TEST_F(MemoryFittingTest, RecomputesMoreAndMoreBlocksBeforeItDivides) {
  FakeStep step{.recomputed_from = 5};
  MemoryFitting fitting = fitting_of(step, {}, 6);
  EXPECT_EQ(step.run(fitting, 8), 1);
  EXPECT_THAT(step.recomputed, ElementsAre(0, 1, 2, 4, 6));
  EXPECT_THAT(reporter_.text, HasSubstr("activations of the first 6 of the network's 7 blocks"));
  EXPECT_THAT(reporter_.text, HasSubstr("slower, the same result"));
  EXPECT_EQ(fitting.recomputed(), 6);

  FakeStep divided{.fits_from = 2, .recomputed_from = 2};
  MemoryFitting both = fitting_of(divided, {}, 2);
  EXPECT_EQ(divided.run(both, 8), 2);
  EXPECT_THAT(divided.recomputed, ElementsAre(0, 1, 2, 2));
  EXPECT_THAT(divided.attempts, ElementsAre(1, 1, 1, 2));
}

TEST_F(MemoryFittingTest, APartOfAVirtualBatchMayBeASingleImage) {
  FakeStep step{.fits_from = 7};
  MemoryFitting fitting = fitting_of(step, {.virtual_batch = true}, 1);
  EXPECT_EQ(step.run(fitting, 7), 7);
  EXPECT_THAT(step.attempts, ElementsAre(1, 1, 2, 4, 7));
  EXPECT_THAT(reporter_.text, HasSubstr("in 7 parts of a virtual batch"));
}

TEST_F(MemoryFittingTest, WholeWorkIsDoneAgainOnlyAfterSomethingWasGivenUp) {
  FakeStep step{.recorded = true};
  MemoryFitting fitting = fitting_of(step);
  EXPECT_EQ(fitting.whole([&] { return step({}); }), 1);
  EXPECT_THAT(step.attempts, ElementsAre(1, 1));
  step.fits_from = 2;
  EXPECT_THROW(fitting.whole([&] { return step({}); }), OutOfMemory);
  EXPECT_THAT(step.attempts, ElementsAre(1, 1, 1));
}

TEST_F(MemoryFittingTest, OtherErrorsEndTheStep) {
  MemoryFitting fitting(
      {.reporter = reporter_, .give_up = [](const std::string&) { return true; }});
  int attempts = 0;
  const auto broken = [&](const BatchCut&) {
    ++attempts;
    throw ValueError("broken");
  };
  EXPECT_THROW(fitting.in_parts(8, "", broken), ValueError);
  EXPECT_EQ(attempts, 1);
}

}  // namespace
}  // namespace hanok::training
