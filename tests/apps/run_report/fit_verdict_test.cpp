// Over- and underfitting: made-up curves, each of one kind.
#include "hanok/apps/run_report/fit_verdict.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hanok::run_report {
namespace {

using ::testing::HasSubstr;
using training::EpochMetrics;

struct Curves {
  std::vector<double> loss, val_loss;
  double accuracy = 0.9, val_accuracy = 0.88;
};

/// The epoch of the lowest validation loss is the one that is kept.
std::vector<EpochMetrics> epochs_of(const Curves& curves) {
  std::vector<EpochMetrics> epochs;
  double lowest = INFINITY;
  for (std::size_t i = 0; i < curves.loss.size(); ++i) {
    EpochMetrics epoch;
    epoch.epoch = static_cast<std::int64_t>(i) + 1;
    epoch.loss = curves.loss[i];
    epoch.val_loss = curves.val_loss[i];
    epoch.accuracy = curves.accuracy;
    epoch.val_accuracy = curves.val_accuracy;
    epoch.best = epoch.val_loss < lowest;
    lowest = std::min(lowest, epoch.val_loss);
    epochs.push_back(epoch);
  }
  return epochs;
}

const double kGuessing = std::log(3);  // three classes of equal size

FoldFit judged(const Curves& curves) { return judge_fold(epochs_of(curves), kGuessing); }

TEST(FitVerdict, OverfittingIsAFallingTrainingLossBesideARisingValidationLoss) {
  const FoldFit fit = judged({{1.0, 0.6, 0.4, 0.2, 0.1}, {0.9, 0.6, 0.5, 0.6, 0.8}});
  EXPECT_EQ(fit.fit, Fit::Overfitting);
  EXPECT_EQ(fit.lowest_epoch, 3);
  EXPECT_EQ(fit.kept_epoch, 3);
  const std::string sentence = judge_run({fit}).sentence;
  EXPECT_THAT(sentence, HasSubstr("overfits"));
  EXPECT_THAT(sentence, HasSubstr("after epoch 3"));
  EXPECT_THAT(sentence, HasSubstr("from 0.400 to 0.100"));
  EXPECT_THAT(sentence, HasSubstr("from 0.500 to 0.800"));
}

TEST(FitVerdict, ARiseOfBothLossesIsNoOverfitting) {
  EXPECT_EQ(judged({{0.6, 0.3, 0.3, 0.5}, {0.6, 0.35, 0.4, 0.5}}).fit, Fit::Fine);
}

TEST(FitVerdict, ARiseBelowTheThresholdIsNoise) {
  EXPECT_EQ(judged({{0.6, 0.3, 0.25, 0.2}, {0.6, 0.35, 0.36, 0.36}}).fit, Fit::Fine);
}

TEST(FitVerdict, UnderfittingIsTwoHighLosses) {
  const FoldFit fit = judged({{1.10, 1.09, 1.08, 1.08}, {1.10, 1.085, 1.09, 1.09}});
  EXPECT_EQ(fit.fit, Fit::Underfitting);
  EXPECT_THAT(judge_run({fit}).sentence, HasSubstr("underfits"));
  EXPECT_THAT(judge_run({fit}).sentence, HasSubstr("ended at 1.080"));
}

TEST(FitVerdict, AFallAtTheEndIsStillLearning) {
  const FoldFit fit = judged({{1.0, 0.8, 0.6, 0.5}, {1.0, 0.8, 0.65, 0.55}});
  EXPECT_EQ(fit.fit, Fit::StillLearning);
  EXPECT_THAT(judge_run({fit}).sentence, HasSubstr("from 0.800 to 0.550"));
  EXPECT_THAT(judge_run({fit}).sentence, HasSubstr("More --epochs"));
}

TEST(FitVerdict, FlatCurvesThatAreLowAreFine) {
  const FoldFit fit = judged({{0.9, 0.4, 0.3, 0.3, 0.3}, {0.8, 0.4, 0.33, 0.325, 0.33}});
  EXPECT_EQ(fit.fit, Fit::Fine);
  EXPECT_THAT(judge_run({fit}).sentence, HasSubstr("neither over- nor underfits"));
}

TEST(FitVerdict, AGapOfAccuraciesIsMemorising) {
  const FoldFit fit = judged({{0.9, 0.2, 0.05, 0.05, 0.05}, {0.8, 0.6, 0.6, 0.6, 0.6}, 0.99, 0.75});
  EXPECT_EQ(fit.fit, Fit::Memorising);
  EXPECT_THAT(judge_run({fit}).sentence, HasSubstr("a gap of 0.240"));
}

TEST(FitVerdict, TwoEpochsOrLossesThatAreNoNumbersAreNotJudged) {
  EXPECT_EQ(judged({{1.0, 0.5}, {1.0, 0.5}}).fit, Fit::Unknown);
  EXPECT_EQ(judged({{1.0, 0.5, 0.4}, {1.0, NAN, 0.5}}).fit, Fit::Unknown);
  EXPECT_EQ(judged({}).fit, Fit::Unknown);
  EXPECT_THAT(judge_run({}).sentence, HasSubstr("cannot be judged"));
}

TEST(FitVerdict, OfARunIsThatOfMostFoldsAndSaysOfHowMany) {
  const FoldFit over = judged({{1.0, 0.6, 0.4, 0.2}, {0.9, 0.5, 0.6, 0.8}});
  const FoldFit fine = judged({{0.9, 0.4, 0.3, 0.3}, {0.8, 0.33, 0.33, 0.33}});
  EXPECT_EQ(judge_run({over, fine, over}).fit, Fit::Overfitting);
  EXPECT_THAT(judge_run({over, fine, over}).sentence, HasSubstr("in 2 of 3 folds"));
  EXPECT_EQ(judge_run({fine, over}).fit, Fit::Overfitting);
  EXPECT_EQ(judge_run({fine, fine, over}).fit, Fit::Fine);
}

TEST(FitVerdict, GuessingLossIsTheEntropyOfTheShares) {
  EXPECT_NEAR(guessing_loss({5, 5}), std::log(2), 1e-12);
  EXPECT_NEAR(guessing_loss({7, 0}), 0, 1e-12);
  EXPECT_NEAR(guessing_loss({3, 1}), -(0.75 * std::log(0.75) + 0.25 * std::log(0.25)), 1e-12);
}

}  // namespace
}  // namespace hanok::run_report
