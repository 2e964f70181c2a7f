#include "hanok/apps/statistics/bootstrap.h"

#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

#include "hanok/kernels/base/error.h"

namespace hanok::statistics {
namespace {

/// `groups` groups of `size` equal samples; every third group is predicted wrongly.
Predictions clustered(int groups, int size) {
  Predictions predictions;
  predictions.classes = 2;
  for (int group = 0; group < groups; ++group) {
    for (int i = 0; i < size; ++i) {
      predictions.labels.push_back(group % 2);
      predictions.predicted.push_back(group % 3 == 0 ? 1 - group % 2 : group % 2);
      predictions.groups.push_back("person" + std::to_string(group));
    }
  }
  return predictions;
}

double width(const Interval& interval) { return interval.high - interval.low; }

TEST(Bootstrap, PercentilesAreInterpolatedAsNumpyDoes) {
  // numpy.quantile([1, 2, 4, 8], [0.1, 0.9])
  const Interval interval = percentile_interval({8, 1, 4, 2}, 0.8);
  EXPECT_DOUBLE_EQ(interval.low, 1.3);
  EXPECT_DOUBLE_EQ(interval.high, 6.8);
}

TEST(Bootstrap, ValuesThatAreNoNumbersAreLeftOut) {
  const Interval interval = percentile_interval({NAN, 3, NAN, 3}, 0.95);
  EXPECT_DOUBLE_EQ(interval.low, 3);
  EXPECT_DOUBLE_EQ(interval.high, 3);
  EXPECT_TRUE(std::isnan(percentile_interval({NAN}, 0.95).low));
}

TEST(Bootstrap, IntervalOfAShareIsTheBinomialsWhereSamplesAreIndependent) {
  // 200 of 600 wrong: standard error sqrt(2/3 * 1/3 / 600) = 0.01925, so +-0.0377 at 95%.
  const Interval accuracy = score_intervals(clustered(600, 1), {.draws = 4000, .seed = 1}).accuracy;
  EXPECT_NEAR(accuracy.low, 2.0 / 3 - 0.0377, 0.004);
  EXPECT_NEAR(accuracy.high, 2.0 / 3 + 0.0377, 0.004);
}

TEST(Bootstrap, ScoresOfEachDrawAreThoseOfItsConfusionMatrix) {
  Predictions predictions = clustered(30, 2);
  predictions.classes = 4;  // two of them do not occur
  for (std::size_t i = 0; i < predictions.labels.size(); i += 7) predictions.predicted[i] = 2;
  const BootstrapOptions options{.draws = 40};
  std::vector<double> macro_f1(40);
  std::vector<double> accuracy(40);
  std::vector<double> precision(40);
  const auto use = [&](std::size_t draw, const std::vector<std::size_t>& drawn) {
    nn::ConfusionMatrix matrix(4);
    for (const std::size_t i : drawn) matrix.add(predictions.labels[i], predictions.predicted[i]);
    macro_f1[draw] = matrix.macro_f1();
    accuracy[draw] = matrix.accuracy();
    precision[draw] = matrix.per_class()[1].precision;
  };
  for_each_draw(predictions.groups, use, options);
  const ScoreIntervals scores = score_intervals(predictions, options);
  EXPECT_EQ(scores.macro_f1.low, percentile_interval(macro_f1, 0.95).low);
  EXPECT_EQ(scores.macro_f1.high, percentile_interval(macro_f1, 0.95).high);
  EXPECT_EQ(scores.accuracy.low, percentile_interval(accuracy, 0.95).low);
  EXPECT_EQ(scores.classes[1].precision.low, percentile_interval(precision, 0.95).low);
}

TEST(Bootstrap, EqualPhotographsOfOneGroupNarrowNothing) {
  const BootstrapOptions options{.draws = 1000, .seed = 3};
  const ScoreIntervals one = score_intervals(clustered(60, 1), options);
  const ScoreIntervals ten = score_intervals(clustered(60, 10), options);
  EXPECT_DOUBLE_EQ(width(one.macro_f1), width(ten.macro_f1));
  Predictions ungrouped = clustered(60, 10);
  for (std::size_t i = 0; i < ungrouped.groups.size(); ++i) {
    ungrouped.groups[i] = std::to_string(i);
  }
  EXPECT_LT(width(score_intervals(ungrouped, options).macro_f1), 0.5 * width(ten.macro_f1));
}

TEST(Bootstrap, ScoresOfADrawAreThoseOfItsSamples) {
  const Predictions predictions = clustered(40, 3);
  const BootstrapOptions options{.draws = 200, .seed = 7, .confidence = 0.9};
  const auto macro_f1 = [&predictions](const std::vector<std::size_t>& drawn) {
    nn::ConfusionMatrix matrix(2);
    for (const std::size_t i : drawn) matrix.add(predictions.labels[i], predictions.predicted[i]);
    return matrix.macro_f1();
  };
  const Interval expected = bootstrap_interval(predictions.groups, macro_f1, options);
  const ScoreIntervals intervals = score_intervals(predictions, options);
  EXPECT_EQ(intervals.macro_f1.low, expected.low);
  EXPECT_EQ(intervals.macro_f1.high, expected.high);
  ASSERT_EQ(intervals.classes.size(), 2u);
  EXPECT_LT(intervals.classes[0].recall.low, intervals.classes[0].recall.high);
}

TEST(Bootstrap, SeedDecidesTheDraws) {
  const Predictions predictions = clustered(30, 2);
  const auto low = [&predictions](std::uint64_t seed) {
    return macro_f1_interval(predictions, {.draws = 50, .seed = seed}).low;
  };
  EXPECT_EQ(low(1), low(1));
  EXPECT_NE(low(1), low(2));
}

TEST(Bootstrap, RejectsWhatHasNoInterval) {
  EXPECT_THROW(score_intervals({.classes = 2}), ValueError);
  EXPECT_THROW(score_intervals({.labels = {2}, .predicted = {0}, .groups = {"a"}, .classes = 2}),
               ValueError);
  EXPECT_THROW(score_intervals(clustered(4, 1), {.draws = 0}), ValueError);
  EXPECT_THROW(score_intervals(clustered(4, 1), {.confidence = 1}), ValueError);
  Predictions uneven = clustered(4, 1);
  uneven.groups.pop_back();
  EXPECT_THROW(score_intervals(uneven), ValueError);
}

}  // namespace
}  // namespace hanok::statistics
