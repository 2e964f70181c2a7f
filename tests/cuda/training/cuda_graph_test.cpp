// --cuda-graph: a recorded and replayed step trains to the same bits as one run op by op, with
// everything that changes from step to step.
#include <gmock/gmock.h>

#include "tests/cuda/training/training_run.h"

namespace hanok::test {
namespace {

using Arguments = std::vector<std::string>;
using ::testing::HasSubstr;

class CudaGraphs : public TrainingOnStandin {
 protected:
  /// Trains with and without; returns the run with.
  TrainingRun expect_same_bits(const Arguments& arguments) {
    const TrainingRun eager = train(arguments + Arguments{"cuda-graph", "no"});
    TrainingRun recorded = train(arguments);
    EXPECT_EQ(eager.graph(), "");
    EXPECT_EQ(eager.counters.graph_launches, 0);
    EXPECT_GT(recorded.counters.graph_launches, 0) << recorded.output;
    EXPECT_EQ(recorded.steps(), eager.steps());
    EXPECT_EQ(recorded.last_hash(), eager.last_hash());
    EXPECT_EQ(recorded.summary.at("folds").at(0).at("weights_hash"),
              eager.summary.at("folds").at(0).at("weights_hash"));
    return recorded;
  }
};

// 27 images in batches of 6: four full ones and one of 3 an epoch.
TEST_F(CudaGraphs, LeNetWithAllThatChangesFromStepToStep) {
  const TrainingRun run = expect_same_bits(
      {"clip-norm", "0.5", "ema", "0.9", "accumulate", "2", "class-weights", "balanced",
       "label-smoothing", "0.1", "scheduler", "one-cycle", "augment", "light", "epochs", "3"});
  EXPECT_EQ(run.graph(), "recorded 1 time, replayed in 11 of 15 steps");
  EXPECT_THAT(run.output, HasSubstr("CUDA graph of the step: recorded 1 time"));
}

TEST_F(CudaGraphs, ResNet18) {
  expect_same_bits({"model", "resnet18", "max-steps", "6", "clip-norm", "1", "ema", "0.9",
                    "accumulate", "2", "optimizer", "sgd"});
}

TEST_F(CudaGraphs, Dropout) { expect_same_bits({"model", "mobilenet_v3_small", "max-steps", "5"}); }

TEST_F(CudaGraphs, MixedImages) {
  expect_same_bits({"mixup", "0.4"});
  expect_same_bits({"cutmix", "1"});
}

TEST_F(CudaGraphs, FocalLossAndRmsProp) {
  expect_same_bits({"loss", "focal", "class-weights", "balanced", "optimizer", "rmsprop"});
}

TEST_F(CudaGraphs, EveryStageOfFreezingIsRecordedAnew) {
  const TrainingRun run = expect_same_bits({"model", "resnet18", "mode", "gradual", "epochs", "5",
                                            "batch-size", "9", "image-size", "32"});
  EXPECT_THAT(run.graph(), HasSubstr("recorded 5 times"));
}

TEST_F(CudaGraphs, FewerImagesThanABatchAreAShapeToo) {
  const TrainingRun run = expect_same_bits({"batch-size", "32", "epochs", "4"});
  EXPECT_EQ(run.graph(), "recorded 1 time, replayed in 3 of 4 steps");
}

TEST_F(CudaGraphs, AStepThatCannotBeRecordedIsReportedAndComputedOpByOp) {
  const TrainingRun eager = train({"cuda-graph", "no"});
  standin::Settings settings;
  settings.graphs = false;
  standin::set_settings(settings);
  const TrainingRun run = train({});
  EXPECT_THAT(run.output, HasSubstr("no CUDA graph of the step from here on"));
  EXPECT_THAT(run.output, HasSubstr("it cannot be recorded: cudaStreamBeginCapture"));
  EXPECT_THAT(run.graph(), HasSubstr("replayed in 0 of 10 steps; given up: it cannot"));
  EXPECT_EQ(run.counters.graph_launches, 0);
  EXPECT_EQ(run.last_hash(), eager.last_hash());
}

}  // namespace
}  // namespace hanok::test
