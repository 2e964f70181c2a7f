// Counts of an epoch, and the progress that a checkpoint keeps.
#include "hanok/apps/training/training_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <string>

#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

using ::testing::ElementsAre;

TEST(EpochCounts, AreMeansOverImages) {
  EpochCounts counts;
  EXPECT_EQ(counts.loss(), 0);
  EXPECT_EQ(counts.accuracy(), 0);
  counts.add(2.0, 3, 6);
  counts.add(0.5, 2, 2);  // a short batch weighs less
  EXPECT_EQ(counts.seen, 8);
  EXPECT_DOUBLE_EQ(counts.loss(), (2.0 * 6 + 0.5 * 2) / 8);
  EXPECT_DOUBLE_EQ(counts.accuracy(), 5.0 / 8);
}

TrainingProgress somewhere() {
  return {.epoch = 3,
          .step_in_epoch = 7,
          .step = 67,
          .parts = 4,
          .recomputed = 5,
          .epoch_trained = true,
          .counts = {.loss_sum = 12.625, .correct = 30, .seen = 41},
          .epoch_seconds = 1.5,
          .training_seconds = 20.25,
          .seconds = 33.125,
          .images_trained = 400};
}

TEST(TrainingProgress, IsTheSameAfterSavingAndLoading) {
  nn::State state;
  somewhere().save(state);
  TrainingProgress again;
  again.load(state);
  EXPECT_EQ(again.epoch, 3);
  EXPECT_EQ(again.step_in_epoch, 7);
  EXPECT_EQ(again.step, 67);
  EXPECT_EQ(again.parts, 4);
  EXPECT_EQ(again.recomputed, 5);
  EXPECT_TRUE(again.epoch_trained);
  EXPECT_EQ(again.counts.loss_sum, 12.625);
  EXPECT_EQ(again.counts.correct, 30);
  EXPECT_EQ(again.counts.seen, 41);
  EXPECT_EQ(again.epoch_seconds, 1.5);
  EXPECT_EQ(again.training_seconds, 20.25);
  EXPECT_EQ(again.seconds, 33.125);
  EXPECT_EQ(again.images_trained, 400);
}

TEST(TrainingProgress, KeepsTheKeysOfOlderCheckpoints) {
  nn::State state;
  somewhere().save(state);
  std::set<std::string> integers;
  std::set<std::string> numbers;
  for (const auto& [key, value] : state.integers) integers.insert(key);
  for (const auto& [key, value] : state.numbers) numbers.insert(key);
  EXPECT_THAT(integers, ElementsAre("correct", "epoch", "epoch_trained", "images_trained", "parts",
                                    "recomputed_blocks", "seen", "step", "step_in_epoch"));
  EXPECT_THAT(numbers, ElementsAre("epoch_seconds", "loss_sum", "seconds", "training_seconds"));
}

TEST(TrainingProgress, NamesAMissingKeyAndToleratesThoseThatCameLater) {
  nn::State state;
  somewhere().save(state);
  state.integers.erase("parts");
  state.integers.erase("recomputed_blocks");
  TrainingProgress again{.parts = 2, .recomputed = 1};
  again.load(state);
  EXPECT_EQ(again.parts, 2);
  EXPECT_EQ(again.recomputed, 1);
  state.numbers.erase("loss_sum");
  try {
    again.load(state);
    FAIL() << "a key is missing";
  } catch (const ValueError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("loss_sum"));
  }
}

TEST(TrainingProgress, StartsTheNextEpochAtItsFirstStep) {
  TrainingProgress progress = somewhere();
  progress.finish_epoch();
  EXPECT_EQ(progress.epoch, 4);
  EXPECT_EQ(progress.step_in_epoch, 0);
  EXPECT_EQ(progress.step, 67);
  EXPECT_EQ(progress.parts, 4);
  EXPECT_FALSE(progress.epoch_trained);
  EXPECT_EQ(progress.counts.seen, 0);
  EXPECT_EQ(progress.counts.loss_sum, 0);
  EXPECT_EQ(progress.epoch_seconds, 0);
  EXPECT_EQ(progress.training_seconds, 21.75);
  EXPECT_EQ(progress.images_trained, 400);
}

}  // namespace
}  // namespace hanok::training
