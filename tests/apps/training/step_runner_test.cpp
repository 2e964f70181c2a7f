// A training step from a batch to changed weights, or to an error that changes nothing.
#include "hanok/apps/training/step_runner.h"

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

}  // namespace
}  // namespace hanok::test
