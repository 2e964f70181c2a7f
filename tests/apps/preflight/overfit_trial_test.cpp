// --check trains with the step of training: the same weights as a plain loop of such steps, and
// other ones where something changes that the step alone knows.
#include "hanok/apps/preflight/overfit_trial.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/apps/fold.h"

namespace hanok::test {
namespace {

using training::OverfitTrial;

constexpr std::int64_t kSteps = 5;

class Overfit : public FoldTest {
 protected:
  std::string hash_after_steps() {
    OverfitTrial trial(job());
    for (std::int64_t step = 0; step < kSteps; ++step) trial.step();
    return training::weights_hash(trial.model());
  }
};

TEST_F(Overfit, TakesTheStepsOfTraining) {
  options_.clip_norm = 0.5;
  OverfitTrial trial(job());
  for (std::int64_t step = 0; step < kSteps; ++step) trial.step();

  options_ = training::plain_recipe(options_, static_cast<std::int64_t>(trial.images().size()));
  Fold fold(job());
  fold.setup.model->train();
  fold.batches.training->start_epoch(0, trial.images());
  data::Batch batch;
  ASSERT_TRUE(fold.batches.training->next(batch));
  for (std::int64_t step = 0; step < kSteps; ++step) {
    fold.step.run(batch, {.step_in_epoch = step, .step = step},
                  training::StepRunner::GradientNorm::Skip);
  }
  EXPECT_EQ(training::weights_hash(trial.model()), fold.hash());
}

TEST_F(Overfit, AnotherStepGivesOtherWeights) {
  const std::string plain = hash_after_steps();
  options_.clip_norm = 1e-3;
  EXPECT_NE(hash_after_steps(), plain);
  options_.clip_norm = 0;
  // Left out, because they make overfitting harder on purpose:
  options_.augment = training::parse_augment("strong");
  options_.mixup = 0.4;
  EXPECT_EQ(hash_after_steps(), plain);
}

TEST_F(Overfit, KnowsWhenTheBatchIsOverfit) {
  options_.lr = 0.003;
  OverfitTrial trial(job());
  EXPECT_EQ(trial.images().size(), 16U);
  const double first = trial.step().loss;
  EXPECT_NEAR(first, std::log(3), 0.5);
  EXPECT_TRUE(trial.overfit(0.1 * first));
  EXPECT_LE(trial.last_loss(), 0.1 * first);
  EXPECT_EQ(trial.evaluation_accuracy(), 1);
}

TEST_F(Overfit, EndsWhereTheLossIsNotFinite) {
  options_.lr = 1e30;
  options_.optimizer = training::OptimizerKind::Sgd;
  OverfitTrial trial(job());
  trial.step();
  EXPECT_FALSE(trial.overfit(0.1));
  EXPECT_TRUE(std::isnan(trial.last_loss()));
  EXPECT_LT(trial.steps(), 10);
}

TEST_F(Overfit, APartOfABatchIsNoSmallerThanInTraining) {
  options_.batch_size = 32;
  options_.accumulate = 4;
  EXPECT_EQ(training::plain_recipe(options_, 16).accumulate, 2);  // of 8 images
  options_.batch_size = 8;
  options_.accumulate = 1;
  EXPECT_EQ(training::plain_recipe(options_, 16).accumulate, 1);
  options_.batch_size = 256;
  options_.accumulate = 4;
  EXPECT_EQ(training::plain_recipe(options_, 16).accumulate, 1);
}

}  // namespace
}  // namespace hanok::test
