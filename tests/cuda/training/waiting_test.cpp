// A training step is asynchronous: the host synchronises only with steps before the last one, so
// that the device always has work.
#include <gmock/gmock.h>

#include "tests/cuda/training/training_run.h"

namespace hanok::test {
namespace {

using Arguments = std::vector<std::string>;

class AsynchronousSteps : public TrainingOnStandin {
 protected:
  void SetUp() override {
    PhotoOptions many;
    many.members = 24;
    draw_photos(folder_ / "photos", many);
  }
  /// Steps after the first few drain the device no more often than those do.
  void expect_no_drain(const Arguments& arguments, const std::string& epochs = "1") {
    const Arguments base = arguments + Arguments{"epochs", epochs};
    const TrainingRun few = train(base + Arguments{"max-steps", "3"});
    const TrainingRun more = train(base + Arguments{"max-steps", "5"});
    EXPECT_GT(more.counters.executed, few.counters.executed);
    EXPECT_GT(more.counters.synchronizations, few.counters.synchronizations)
        << "waits for the results of earlier steps";
    expect_equal_waits(few, more);
  }
  static void expect_equal_waits(const TrainingRun& few, const TrainingRun& more) {
    EXPECT_EQ(more.counters.drains, few.counters.drains);
    EXPECT_EQ(more.counters.pageable_copies, few.counters.pageable_copies);
    // The initial state of the cache may change the count by one or two.
    EXPECT_LE(more.counters.frees, few.counters.frees + 2);
  }
};

TEST_F(AsynchronousSteps, InAPlainStep) { expect_no_drain({}); }
TEST_F(AsynchronousSteps, InAStepOpByOp) { expect_no_drain({"cuda-graph", "no"}); }
TEST_F(AsynchronousSteps, InAStepWithBatchNorm) {
  expect_no_drain({"model", "resnet18", "cuda-graph", "no", "clip-norm", "1", "ema", "0.9"});
}
TEST_F(AsynchronousSteps, WithClassWeightsAndParts) {
  expect_no_drain({"class-weights", "balanced", "accumulate", "2"});
}
TEST_F(AsynchronousSteps, WithMixup) { expect_no_drain({"mixup", "0.4"}); }
TEST_F(AsynchronousSteps, WithCutMix) { expect_no_drain({"cutmix", "1", "cuda-graph", "no"}); }

TEST_F(AsynchronousSteps, WhileFeaturesAreCached) {
  expect_no_drain({"model", "resnet18", "mode", "feature-extraction", "cache-features", "yes"});
}

TEST_F(AsynchronousSteps, WhenFeaturesComeFromTheCache) {
  // Nine steps an epoch: the second epoch's are counted.
  const Arguments base = {"model",          "resnet18", "mode",   "feature-extraction",
                          "cache-features", "yes",      "epochs", "2"};
  const TrainingRun few = train(base + Arguments{"max-steps", "11"});
  const TrainingRun more = train(base + Arguments{"max-steps", "13"});
  expect_equal_waits(few, more);
}

}  // namespace
}  // namespace hanok::test
