// A training step from a batch to changed weights, or to an error that changes nothing.
#include "hanok/apps/training/step_runner.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <limits>

#include "hanok/apps/cli/errors.h"
#include "tests/apps/fold.h"

namespace hanok::test {
namespace {

using training::StepOutcome;
using training::StepPosition;
using Norm = training::StepRunner::GradientNorm;
using ::testing::AllOf;
using ::testing::HasSubstr;

class StepRunner : public FoldTest {
 protected:
  /// The first batch of the first epoch.
  static data::Batch first_batch(Fold& fold) {
    fold.setup.model->train();
    fold.batches.training->start_epoch(0, fold.samples.training);
    data::Batch batch;
    EXPECT_TRUE(fold.batches.training->next(batch));
    return batch;
  }
};

TEST_F(StepRunner, ChangesTheWeightsAndLowersTheLossOfItsBatch) {
  options_.lr = 0.003;
  Fold fold(job());
  const data::Batch batch = first_batch(fold);
  const std::string before = fold.hash();
  const StepOutcome first = fold.step.run(batch, {}, Norm::Skip);
  EXPECT_NE(fold.hash(), before);
  EXPECT_EQ(first.samples, batch.samples);
  EXPECT_EQ(first.labels, batch.labels.to_int_vector());
  EXPECT_EQ(first.learning_rate, 0.003);
  EXPECT_FALSE(first.results.gradient_norm.defined());
  StepOutcome last = first;
  for (std::int64_t step = 1; step < 10; ++step) {
    last = fold.step.run(batch, {.step_in_epoch = step, .step = step}, Norm::Compute);
  }
  EXPECT_LT(last.loss(), first.loss());
  EXPECT_GT(last.results.gradient_norm.item(), 0);
}

TEST_F(StepRunner, SetsTheLearningRateOfTheStep) {
  options_.scheduler = training::ScheduleKind::Cosine;
  Fold fold(job());
  const data::Batch batch = first_batch(fold);
  const StepOutcome last = fold.step.run(batch, {.step = fold.samples.total_steps - 1}, Norm::Skip);
  EXPECT_LT(last.learning_rate, options_.lr);
  EXPECT_EQ(last.learning_rate, options_.lr * fold.setup.schedule->factor(5));
}

TEST_F(StepRunner, PartsAddUpToTheBatch) {
  options_.optimizer = training::OptimizerKind::Sgd;
  Fold whole(job());
  const StepOutcome one = whole.step.run(first_batch(whole), {}, Norm::Compute);
  options_.accumulate = 3;
  Fold parts(job());
  const StepOutcome three = parts.step.run(first_batch(parts), {}, Norm::Compute);
  EXPECT_EQ(one.results.losses.size(), 1U);
  EXPECT_EQ(three.results.losses.size(), 3U);
  EXPECT_NEAR(three.loss(), one.loss(), 1e-5);
  EXPECT_NEAR(three.results.gradient_norm.item(), one.results.gradient_norm.item(), 1e-4);
  EXPECT_EQ(three.correct(), one.correct());
}

TEST_F(StepRunner, ALossThatIsNotFiniteNamesItsImagesAndChangesNothing) {
  options_.model = "resnet18";  // with running statistics, which a forward pass alone would change
  options_.ema = 0.9;
  Fold fold(job());
  data::Batch batch = first_batch(fold);
  batch.images = Tensor::full(batch.images.shape(), std::numeric_limits<float>::infinity());
  const std::string before = fold.hash();
  try {
    fold.step.run(batch, {.epoch = 4, .step_in_epoch = 1}, Norm::Skip);
    FAIL() << "the loss is finite";
  } catch (const training::NonFiniteLoss& error) {
    const std::string image =
        fold.samples.dataset.samples[static_cast<std::size_t>(batch.samples[5])].path;
    EXPECT_THAT(error.what(), AllOf(HasSubstr("fold 0, epoch 5, step 2: the loss is"),
                                    HasSubstr("--lr"), HasSubstr(image)));
  }
  EXPECT_EQ(fold.hash(), before);
  EXPECT_EQ(fold.setup.optimizer->steps(), 0);
}

/// Sets one value of a parameter or buffer, or all of a vector's.
void plant(Fold& fold, const std::string& name, float value) {
  for (auto& [found, tensor] : fold.setup.model->state_dict()) {
    if (found != name) continue;
    std::vector<float> values = tensor.to_vector();
    if (tensor.rank() == 1) std::fill(values.begin(), values.end(), value);
    values[values.size() / 2] = value;
    Tensor planted = tensor;
    planted.copy_from(Tensor::from_vector(values, tensor.shape()));
    return;
  }
  FAIL() << name;
}

/// What --detect-anomaly says of the first step.
std::string anomaly_of(Fold& fold, const data::Batch& batch) {
  try {
    fold.step.run(batch, {.epoch = 4, .step_in_epoch = 1}, Norm::Skip);
  } catch (const training::NonFiniteLoss& error) {
    return error.what();
  }
  return "the step found nothing";
}

TEST_F(StepRunner, DetectAnomalyNamesTheLayerOfAPlantedValue) {
  options_.detect_anomaly = true;
  options_.model = "resnet18";
  Fold fold(job());
  const data::Batch batch = first_batch(fold);
  plant(fold, "layer2.0.conv2.weight", std::numeric_limits<float>::quiet_NaN());
  const std::string before = fold.hash();
  const std::string text = anomaly_of(fold, batch);
  EXPECT_THAT(text,
              AllOf(HasSubstr("fold 0, epoch 5, step 2: layer2.0.conv2, forward: "),
                    HasSubstr("its result [6,128,4,4]"),
                    HasSubstr("computed from layer2.0.conv2.weight [128,128,3,3]: 1 of its values"),
                    HasSubstr("nothing of this step was kept"), HasSubstr(".png")));
  EXPECT_EQ(fold.hash(), before);
}

TEST_F(StepRunner, DetectAnomalyNamesAnOverflowOfFiniteWeights) {
  options_.detect_anomaly = true;
  Fold fold(job());
  const data::Batch batch = first_batch(fold);
  plant(fold, "fc2.weight", 3e38F);
  plant(fold, "fc1.bias", 1e30F);
  EXPECT_THAT(anomaly_of(fold, batch), AllOf(HasSubstr("step 2: fc2, forward: "),
                                             HasSubstr("all that it was computed from is finite")));
}

TEST_F(StepRunner, DetectAnomalyNamesTheUpdateOfAHugeLearningRate) {
  options_.detect_anomaly = true;
  options_.optimizer = training::OptimizerKind::Sgd;
  options_.lr = 3e38;
  options_.weight_decay = 1;
  Fold fold(job());
  const data::Batch batch = first_batch(fold);
  plant(fold, "fc1.weight", 100);
  EXPECT_THAT(anomaly_of(fold, batch), AllOf(HasSubstr("step 2: the optimizer, update: sgd_step"),
                                             HasSubstr("\n  the result is ")));
}

TEST_F(StepRunner, WithoutDetectAnomalyItsMessageNamesTheOption) {
  Fold fold(job());
  const data::Batch batch = first_batch(fold);
  plant(fold, "fc1.weight", std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(anomaly_of(fold, batch),
              AllOf(HasSubstr("the loss is nan"), HasSubstr("--detect-anomaly")));
}

}  // namespace
}  // namespace hanok::test
