// Comparisons of runs: SciPy's intervals, and records made by hand.
#include "hanok/apps/run_report/comparison.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "tests/golden/golden.h"

namespace hanok::run_report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Comparison, QuantilesAndPairedIntervalsEqualTheReference) {
  const golden::Json expected = golden::load("run_report.json");
  for (const golden::Json& pair : expected.at("t_quantiles")) {
    EXPECT_NEAR(t_quantile(pair[0].get<std::int64_t>()), pair[1].get<double>(), 1e-4) << pair[0];
  }
  for (const golden::Json& of : expected.at("differences")) {
    const ScoreDifference actual = paired_difference(of.at("a").get<std::vector<double>>(),
                                                     of.at("b").get<std::vector<double>>(),
                                                     of.at("tested_over_trained").get<double>());
    EXPECT_NEAR(actual.mean, of.at("mean").get<double>(), 1e-12);
    EXPECT_NEAR(actual.low, of.at("low").get<double>(), 1e-4);
    EXPECT_NEAR(actual.high, of.at("high").get<double>(), 1e-4);
  }
}

TEST(Comparison, PairingFindsWhatTheSpreadOfFoldsHides) {
  const std::vector<double> a = {0.60, 0.70, 0.80, 0.90};
  const std::vector<double> b = {0.62, 0.72, 0.82, 0.921};
  EXPECT_TRUE(paired_difference(a, b, 1.0 / 3).beyond_spread());
  EXPECT_EQ(paired_difference(a, b, 1.0 / 3).better, 4);
  EXPECT_FALSE(unpaired_difference(a, b, 1.0 / 3).beyond_spread());
  EXPECT_NEAR(unpaired_difference(a, b, 1.0 / 3).mean, 0.02025, 1e-12);
}

TEST(Comparison, OneFoldHasNoSpread) {
  const ScoreDifference one = paired_difference({0.5}, {0.9}, 0.25);
  EXPECT_TRUE(std::isnan(one.low));
  EXPECT_FALSE(one.beyond_spread());
  EXPECT_THROW(paired_difference({0.5}, {0.5, 0.6}, 0.25), ValueError);
  EXPECT_THROW(unpaired_difference({}, {0.5}, 0.25), ValueError);
}

/// A run of `folds` folds over 40 images a fold of two classes. In fold k `wrong[k]` images of each
/// class are taken for the other.
struct Made {
  std::string name;
  std::vector<int> wrong;
  std::uint64_t seed = 0;
};
RunRecord made(const Made& made) {
  RunRecord run;
  run.path = "/runs/" + made.name;
  run.name = made.name;
  run.options.seed = made.seed;
  run.data.dataset.class_names = {"cat", "dog"};
  run.data.folds = run.data.fold_count = static_cast<int>(made.wrong.size());
  run.data.repeats.resize(1);
  for (int k = 0; k < run.data.folds; ++k) {
    run.planned.push_back(k);
    training::FoldResult fold(2);
    fold.fold = k;
    for (int i = 0; i < 40; ++i) {
      const std::int64_t label = i % 2;
      const bool wrong = i / 2 < made.wrong[static_cast<std::size_t>(k)];
      const std::int64_t answer = wrong ? 1 - label : label;
      const std::string path = std::to_string(k) + "_" + std::to_string(i);
      run.data.dataset.samples.push_back({.path = path, .label = label, .group = path});
      run.data.repeats[0].push_back(k);
      fold.confusion.add(label, answer);
      run.predictions.push_back({.path = path,
                                 .group = path,
                                 .fold = k,
                                 .label = label,
                                 .answer = answer,
                                 .probabilities = {0.5F, 0.5F}});
    }
    run.folds.push_back(fold);
  }
  return run;
}

TEST(Comparison, SaysWhetherTheDifferenceExceedsTheSpread) {
  const RunRecord good = made({"good", {1, 2, 1, 2, 1}});
  const RunRecord bad = made({"bad", {6, 7, 6, 7, 7}});
  const RunRecord equal = made({"equal", {2, 1, 1, 1, 2}});
  EXPECT_EQ(basis_of(bad, good), Basis::SameFolds);
  const std::string clear = verdict(bad, good, NAN);
  EXPECT_THAT(clear, HasSubstr("good is better by 0.26"));
  EXPECT_THAT(clear, HasSubstr("more than the spread of the folds"));
  EXPECT_THAT(clear, HasSubstr("paired over 5 folds; good is ahead in 5 of 5 folds"));
  EXPECT_THAT(clear, HasSubstr("another --seed moves the score is unknown"));
  const std::string same = verdict(good, equal, NAN);
  EXPECT_THAT(same, HasSubstr("does not exceed the spread of the folds"));
  EXPECT_THAT(same, HasSubstr("take them as equally good"));
}

TEST(Comparison, WeighsTheSpreadOfSeeds) {
  const std::vector<RunRecord> runs = {made({"seed0", {2, 2, 2}, 0}), made({"seed1", {3, 3, 3}, 1}),
                                       made({"other", {2, 2, 2}, 0})};
  std::vector<RunRecord> different = runs;
  different[2].options.epochs = 99;
  EXPECT_EQ(seeds_of_one_recipe(different), (std::vector<std::vector<std::size_t>>{{0, 1}}));
  EXPECT_NEAR(seed_deviation(different), 0.05 / std::sqrt(2), 1e-9);
  EXPECT_TRUE(std::isnan(seed_deviation({different[0], different[2]})));
  std::vector<RunRecord> repeated = {different[0], different[0]};
  EXPECT_TRUE(seeds_of_one_recipe(repeated).empty());  // one seed twice
  repeated[1].options.seed = 5;
  repeated[1].data.dataset.samples.front().path = "other data";
  EXPECT_TRUE(seeds_of_one_recipe(repeated).empty());
  const RunRecord bad = made({"bad", {6, 6, 7}});
  EXPECT_THAT(verdict(bad, runs[0], 0.001), HasSubstr("unlikely to be chance"));
  EXPECT_THAT(verdict(bad, runs[0], 0.5), HasSubstr("may still be chance"));
}

TEST(Comparison, NamesOtherFoldsAndOtherData) {
  const RunRecord a = made({"a", {1, 2, 1}});
  RunRecord b = made({"b", {1, 2, 1}});
  std::swap(b.data.repeats[0].front(), b.data.repeats[0].back());
  EXPECT_EQ(basis_of(a, b), Basis::SameImages);
  EXPECT_THAT(describe_basis(a, b), HasSubstr("--folds-file /runs/a/folds.csv"));
  EXPECT_FALSE(difference(a, b).paired);

  b.data.dataset.samples.front().label = 1;
  EXPECT_EQ(basis_of(a, b), Basis::OtherData);
  EXPECT_THAT(verdict(a, b, NAN), HasSubstr("120 of them in both, 1 of these with another label"));
  b.data.dataset.class_names = {"cat", "cow"};
  EXPECT_THAT(verdict(a, b, NAN), HasSubstr("different classes"));
}

TEST(Comparison, OfOneFoldComesFromItsImages) {
  const RunRecord a = made({"a", {9}});
  const RunRecord b = made({"b", {1}});
  const ScoreDifference d = difference(a, b);
  EXPECT_TRUE(d.of_images);
  EXPECT_TRUE(d.beyond_spread());
  EXPECT_LT(d.low, 0.4);
  EXPECT_GT(d.high, 0.4);
  EXPECT_THAT(verdict(a, b, NAN), HasSubstr("in the one fold that both have done, more than"));
}

TEST(Comparison, CountsWhoWasRight) {
  const RightAnswers answers = right_answers(
      {{"g", 0, 0, 0}, {"g", 1, 1, 0}, {"h", 1, 0, 1}, {"h", 0, 1, 1}, {"h", 0, 0, 0}});
  EXPECT_EQ(answers.both, 2);
  EXPECT_EQ(answers.only_a, 1);
  EXPECT_EQ(answers.only_b, 1);
  EXPECT_EQ(answers.neither, 1);
}

TEST(Comparison, RunsThatAreNotDoneAreSaidToBe) {
  RunRecord a = made({"a", {1, 2}});
  const RunRecord b = made({"b", {1, 2}});
  a.folds.clear();
  EXPECT_THAT(verdict(a, b, NAN), HasSubstr("no finished fold in common"));
}

TEST(Comparison, ListsOptionsThatDifferAndMatter) {
  RunRecord a = made({"a", {1}});
  RunRecord b = made({"b", {1}});
  b.options.lr = 0.5;
  b.options.threads = 7;
  const std::vector<DifferingOption> options = differing_options({a, b});
  ASSERT_EQ(options.size(), 1U);
  EXPECT_EQ(options[0].name, "lr");
  EXPECT_EQ(options[0].values, (std::vector<std::string>{"0.001", "0.5"}));
}

}  // namespace
}  // namespace hanok::run_report
