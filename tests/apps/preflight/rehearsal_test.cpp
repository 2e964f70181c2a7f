// A rehearsal takes the steps of the training that it speaks for, and changes nothing of it.
#include "hanok/apps/preflight/rehearsal.h"

#include <gmock/gmock.h>

#include "hanok/apps/cli/errors.h"
#include "tests/apps/fold.h"

namespace hanok::test {
namespace {

class Rehearsals : public FoldTest {};

TEST_F(Rehearsals, MeasureTimeAndMemoryOfAnEpoch) {
  const training::Rehearsal all = training::rehearse(job(), 0);
  EXPECT_GT(all.epoch_seconds, 0);
  EXPECT_GT(all.memory.peak, 0U);
  options_.mode = training::FreezingMode::FeatureExtraction;
  const training::Rehearsal head = training::rehearse(job(), 0);
  EXPECT_LT(head.trainable, all.trainable);
  EXPECT_GT(head.trainable, 0);
}

TEST_F(Rehearsals, LeaveTheTrainingAsItWouldHaveBeen) {
  Fold before(job());
  ASSERT_TRUE(before.loop.run());
  training::rehearse(job(), 1);
  Fold after(job());
  ASSERT_TRUE(after.loop.run());
  EXPECT_EQ(after.hash(), before.hash());
}

TEST_F(Rehearsals, RunTheStepThatTrains) {
  options_.lr = 1e30;
  options_.optimizer = training::OptimizerKind::Sgd;
  EXPECT_THROW(training::rehearse(job(), 0), training::NonFiniteLoss);
}

}  // namespace
}  // namespace hanok::test
