// Random forests, out-of-fold answers, chance and significance, ROC AUC.
#include "hanok/apps/statistics/out_of_fold.h"

#include <cmath>
#include <gtest/gtest.h>
#include <set>

#include "hanok/apps/statistics/roc.h"
#include "hanok/data/random.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "tests/golden/golden.h"

namespace hanok::statistics {
namespace {

data::RandomDraws draws(std::int64_t row) { return {5, RandomStream::Test, row, 0}; }

/// Rows with a class each, groups of two rows, imbalanced 8 : 3 : 1.
Target imbalanced(std::size_t rows) {
  Target target{.classes = 3};
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t place = i / 2 % 12;
    target.labels.push_back(place < 8 ? 0 : place < 11 ? 1 : 2);
    target.groups.push_back("g" + std::to_string(i / 2));
  }
  return target;
}

/// A column of noise and one that the class shifts to places in no order.
Columns informative(const Target& target) {
  Columns columns{.values = {{}, {}}};
  const float places[] = {0, 2, 1};
  for (std::size_t i = 0; i < target.labels.size(); ++i) {
    data::RandomDraws random = draws(static_cast<std::int64_t>(i));
    columns.values[0].push_back(random.unit());
    columns.values[1].push_back(places[target.labels[i]] + 0.9F * random.unit());
  }
  return columns;
}

Predictions answered(const Columns& columns, const Target& target) {
  const OutOfFold answers = predict_out_of_fold(columns, target, grouped_folds(target, 5, 1));
  Predictions predictions{.predicted = answers.predicted, .classes = target.classes};
  for (const std::size_t row : answers.rows) {
    predictions.labels.push_back(target.labels[row]);
    predictions.groups.push_back(target.groups[row]);
  }
  return predictions;
}

double macro_f1(const Predictions& predictions) {
  nn::ConfusionMatrix matrix(predictions.classes);
  for (std::size_t i = 0; i < predictions.labels.size(); ++i) {
    matrix.add(predictions.labels[i], predictions.predicted[i]);
  }
  return matrix.macro_f1();
}

TEST(OutOfFold, FindsRareClassesThatAColumnTells) {
  const Target target = imbalanced(480);
  const Predictions predictions = answered(informative(target), target);
  EXPECT_EQ(predictions.labels.size(), 480u);
  EXPECT_GT(macro_f1(predictions), 0.95);
  EXPECT_LT(p_value_of_macro_f1(predictions, 499, 0), 0.0021);
}

TEST(OutOfFold, NoiseIsNoBetterThanChance) {
  const Target target = imbalanced(480);
  Columns noise = informative(target);
  noise.values.pop_back();
  const Predictions predictions = answered(noise, target);
  EXPECT_NEAR(macro_f1(predictions), chance_macro_f1(predictions), 0.07);
  EXPECT_GT(p_value_of_macro_f1(predictions, 499, 0), 0.02);
}

TEST(OutOfFold, AColumnThatOnlyNamesTheGroupSaysNothingOfOtherGroups) {
  const Target target = imbalanced(480);
  Columns groups{.values = {{}}};
  for (std::size_t i = 0; i < 480; ++i) {
    groups.values[0].push_back(draws(static_cast<std::int64_t>(i / 2)).unit());
  }
  const Predictions predictions = answered(groups, target);
  EXPECT_LT(macro_f1(predictions), chance_macro_f1(predictions) + 0.07);
}

TEST(OutOfFold, FoldsKeepGroupsTogetherAndCoverAllRows) {
  const Target target = imbalanced(240);
  std::multiset<std::size_t> validated;
  for (const FoldRows& fold : grouped_folds(target, 5, 3)) {
    std::set<std::string> training;
    for (const std::size_t row : fold.training) training.insert(target.groups[row]);
    for (const std::size_t row : fold.validation) {
      EXPECT_EQ(training.count(target.groups[row]), 0u);
      validated.insert(row);
    }
  }
  EXPECT_EQ(validated.size(), 240u);
  EXPECT_EQ(std::set<std::size_t>(validated.begin(), validated.end()).size(), 240u);
}

TEST(OutOfFold, ChanceIsTheExpectationOverShuffledLabels) {
  Predictions predictions{.classes = 3};
  for (std::size_t i = 0; i < 600; ++i) {
    predictions.labels.push_back(i % 6 == 0 ? 2 : i % 2 == 0 ? 1 : 0);
    predictions.predicted.push_back(i % 5 == 0 ? 0 : i % 3 == 0 ? 1 : 2);
    predictions.groups.push_back(std::to_string(i));
  }
  double mean = 0;
  for (int draw = 0; draw < 300; ++draw) {
    Predictions shuffled = predictions;
    data::RandomDraws random = draws(draw);
    random.shuffle(shuffled.labels);
    mean += macro_f1(shuffled) / 300;
  }
  EXPECT_NEAR(chance_macro_f1(predictions), mean, 0.004);
  // Where a stratum is the label, everything is accounted for by it.
  predictions.predicted = predictions.labels;
  std::vector<std::string> stratum;
  for (const std::int64_t label : predictions.labels) stratum.push_back(std::to_string(label));
  EXPECT_DOUBLE_EQ(chance_macro_f1(predictions, stratum), 1);
}

TEST(OutOfFold, EqualPhotographsOfFewGroupsAreNoEvidence) {
  // Answers that are right in 4 of 5 groups of 100 equal photographs.
  Predictions predictions{.classes = 2};
  for (int i = 0; i < 500; ++i) {
    const int group = i / 100;
    predictions.labels.push_back(group % 2);
    predictions.predicted.push_back(group == 4 ? 1 : group % 2);
    predictions.groups.push_back(std::to_string(group));
  }
  EXPECT_GT(p_value_of_macro_f1(predictions, 999, 0), 0.1);
}

TEST(OutOfFold, SeveralAnswersShareTheirShuffles) {
  const Target target = imbalanced(480);
  const Predictions good = answered(informative(target), target);
  Predictions poor = good;
  for (std::size_t i = 0; i < poor.predicted.size(); ++i) {
    if (i % 3 != 0) poor.predicted[i] = static_cast<std::int64_t>(i % 2);
  }
  const Target rows{.labels = good.labels, .groups = good.groups, .classes = 3};
  const std::vector<double> together =
      p_values_of_macro_f1(rows, {good.predicted, poor.predicted}, 199, 4);
  EXPECT_EQ(together[0], p_value_of_macro_f1(good, 199, 4));
  EXPECT_EQ(together[1], p_value_of_macro_f1(poor, 199, 4));
  EXPECT_TRUE(p_values_of_macro_f1(rows, {}, 199, 4).empty());
  EXPECT_THROW(p_values_of_macro_f1(rows, {{0, 1}}, 9, 0), ValueError);
  EXPECT_THROW(p_values_of_macro_f1(rows, {std::vector<std::int64_t>(480, 3)}, 9, 0), ValueError);
}

TEST(OutOfFold, AnyNumberOfThreadsGivesTheSameBits) {
  const Target target = imbalanced(3000);  // several blocks of rows
  const Columns columns = informative(target);
  struct Results {
    std::vector<std::vector<double>> probabilities;
    std::vector<double> numbers;
    bool operator==(const Results&) const = default;
  };
  const auto results_with = [&](int threads) {
    set_num_threads(threads);
    int trees = 0;
    const OutOfFold answers = predict_out_of_fold(columns, target, grouped_folds(target, 3, 1),
                                                  {.trees = 7, .on_tree = [&trees] { ++trees; }});
    EXPECT_EQ(trees, 3 * 7);
    Predictions predictions{.predicted = answers.predicted, .classes = target.classes};
    Scored scored;
    for (std::size_t i = 0; i < answers.rows.size(); ++i) {
      predictions.labels.push_back(target.labels[answers.rows[i]]);
      predictions.groups.push_back(target.groups[answers.rows[i]]);
      scored.scores.push_back(answers.probabilities[i][1]);
      scored.positive.push_back(predictions.labels.back() == 1);
    }
    scored.groups = predictions.groups;
    int draws = 0;
    const BootstrapOptions bootstrap{.draws = 101, .on_draw = [&draws] { ++draws; }};
    const ScoreIntervals scores = score_intervals(predictions, bootstrap);
    EXPECT_EQ(draws, 101);
    const Interval auc = auc_interval(scored, {.draws = 101});
    for (std::size_t i = 0; i < predictions.predicted.size(); i += 2) {
      predictions.predicted[i] = static_cast<std::int64_t>(i / 2 % 3);
    }
    return Results{answers.probabilities,
                   {scores.macro_f1.low, scores.classes[2].f1.high, auc.low, auc.high,
                    p_value_of_macro_f1(predictions, 101, 0)}};
  };
  const int threads = num_threads();
  const Results one = results_with(1);
  const Results two = results_with(2);
  const Results three = results_with(3);
  set_num_threads(threads);
  EXPECT_TRUE(one == two);
  EXPECT_TRUE(one == three);
}

TEST(OutOfFold, HolmsCorrection) {
  // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
  const std::vector<double> corrected = holm({0.01, 0.04, 0.03, 0.005});
  const double expected[] = {0.03, 0.06, 0.06, 0.02};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(corrected[i], expected[i]);
}

TEST(RandomForest, TheSameSeedGivesTheSameProbabilities) {
  const Target target = imbalanced(240);
  const Columns columns = informative(target);
  std::vector<std::size_t> rows(240);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = i;
  const RandomForest first(columns, target.labels, 3, rows);
  const RandomForest second(columns, target.labels, 3, rows);
  const std::vector<double> p = first.predict(columns, 7);
  EXPECT_EQ(p, second.predict(columns, 7));
  EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-6);
}

TEST(RandomForest, RejectsWhatItCannotLearnFrom) {
  const Columns columns{.values = {{1, 2, NAN}}};
  EXPECT_THROW(RandomForest(columns, {0, 1, 0}, 2, {0, 1}), ValueError);
  EXPECT_THROW(RandomForest({}, {0, 1}, 2, {0, 1}), ValueError);
  EXPECT_THROW(RandomForest({.values = {{1, 2}}}, {0, 5}, 2, {0, 1}), ValueError);
}

TEST(RandomForest, CategoriesAreNumberedByFrequency) {
  EXPECT_EQ(categories({"b", "a", "c", "b"}), (std::vector<float>{0, 1, 2, 0}));
}

TEST(RocAuc, EqualsScikitLearnAndItsIntervalDeLongs) {
  for (const golden::Json& expected : golden::load("statistics.json").at("roc")) {
    Scored scored{.scores = expected.at("scores")};
    for (const int positive : expected.at("positive")) scored.positive.push_back(positive == 1);
    for (std::size_t i = 0; i < scored.scores.size(); ++i) {
      scored.groups.push_back(std::to_string(i));
    }
    EXPECT_NEAR(roc_auc(scored), expected.at("auc").get<double>(), 1e-12);
    const Interval interval = auc_interval(scored, {.draws = 4000});
    EXPECT_NEAR(interval.low, expected.at("delong")[0].get<double>(), 0.01);
    EXPECT_NEAR(interval.high, expected.at("delong")[1].get<double>(), 0.01);
  }
  EXPECT_TRUE(std::isnan(roc_auc({.scores = {1, 2}, .positive = {true, true}})));
  EXPECT_THROW(roc_auc({.scores = {1, 2}, .positive = {true}}), ValueError);
}

}  // namespace
}  // namespace hanok::statistics
