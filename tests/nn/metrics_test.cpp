#include "hanok/nn/metrics.h"

#include <gtest/gtest.h>
#include <numeric>

#include "hanok/kernels/base/error.h"
#include "tests/golden/golden.h"

namespace hanok::nn {
namespace {

using golden::Json;

// The same labels as in make_nn.py: half of the predictions equal the truth where possible.
ConfusionMatrix confusion_of(const std::string& name, const Json& run) {
  const std::int64_t count = run.at("count"), classes = run.at("classes");
  const auto truth_map = run.at("truth_map").get<std::vector<std::int64_t>>();
  const auto guess_map = run.at("guess_map").get<std::vector<std::int64_t>>();
  const auto draw = [&](const char* what, std::int64_t limit) {
    return golden::integers("scores/" + name + "/" + what, count, limit);
  };
  const auto truth = draw("truth", classes), guess = draw("guess", classes),
             follow = draw("follow", 2);
  ConfusionMatrix matrix(classes);
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const std::int64_t t = truth_map[static_cast<std::size_t>(truth[i])];
    std::int64_t g = guess_map[static_cast<std::size_t>(guess[i])];
    const bool may = std::find(guess_map.begin(), guess_map.end(), t) != guess_map.end();
    if (follow[i] == 1 && may) g = t;
    matrix.add(t, g);
  }
  return matrix;
}

TEST(ConfusionMatrix, ScoresEqualScikitLearn) {
  const Json content = golden::load("nn_scores.json");
  ASSERT_GE(content.at("runs").size(), 7U);
  for (const auto& [name, run] : content.at("runs").items()) {
    SCOPED_TRACE(name);
    const ConfusionMatrix matrix = confusion_of(name, run);
    EXPECT_EQ(matrix.total(), run.at("count").get<std::int64_t>());
    EXPECT_NEAR(matrix.accuracy(), run.at("accuracy").get<double>(), 1e-8);
    EXPECT_NEAR(matrix.macro_f1(), run.at("macro_f1").get<double>(), 1e-8);
    EXPECT_NEAR(matrix.macro_precision(), run.at("macro_precision").get<double>(), 1e-8);
    EXPECT_NEAR(matrix.macro_recall(), run.at("macro_recall").get<double>(), 1e-8);
    const auto scores = matrix.per_class();
    for (std::int64_t c = 0; c < matrix.classes(); ++c) {
      const auto i = static_cast<std::size_t>(c);
      EXPECT_NEAR(scores[i].precision, run.at("precision")[i].get<double>(), 1e-8) << c;
      EXPECT_NEAR(scores[i].recall, run.at("recall")[i].get<double>(), 1e-8) << c;
      EXPECT_NEAR(scores[i].f1, run.at("f1")[i].get<double>(), 1e-8) << c;
      EXPECT_EQ(scores[i].support, run.at("support")[i].get<std::int64_t>()) << c;
      for (std::int64_t p = 0; p < matrix.classes(); ++p) {
        EXPECT_EQ(matrix.count(c, p), run.at("confusion")[i][static_cast<std::size_t>(p)]);
      }
    }
  }
}

TEST(ConfusionMatrix, MergingPartsEqualsTheWhole) {
  ConfusionMatrix whole(3), first(3), second(3);
  for (int i = 0; i < 30; ++i) {
    whole.add(i % 3, (i / 4) % 3);
    (i < 13 ? first : second).add(i % 3, (i / 4) % 3);
  }
  first.merge(second);
  EXPECT_EQ(first.total(), 30);
  EXPECT_EQ(first.macro_f1(), whole.macro_f1());
  EXPECT_EQ(first.accuracy(), whole.accuracy());
}

TEST(ConfusionMatrix, AddsSeveralAtOnce) {
  ConfusionMatrix matrix(2);
  matrix.add(0, 1, 5);
  matrix.add(0, 0, 3);
  EXPECT_EQ(matrix.count(0, 1), 5);
  EXPECT_DOUBLE_EQ(matrix.accuracy(), 3.0 / 8.0);
}

TEST(ConfusionMatrix, IsZeroWithoutSamples) {
  const ConfusionMatrix matrix(4);
  EXPECT_EQ(matrix.total(), 0);
  EXPECT_EQ(matrix.accuracy(), 0);
  EXPECT_EQ(matrix.macro_f1(), 0);
}

TEST(ConfusionMatrix, RefusesWhatCannotBe) {
  EXPECT_THROW(ConfusionMatrix(0), ValueError);
  ConfusionMatrix matrix(3);
  EXPECT_THROW(matrix.add(3, 0), ValueError);
  EXPECT_THROW(matrix.add(0, -1), ValueError);
  EXPECT_THROW(matrix.add(0, 0, -1), ValueError);
  EXPECT_THROW(matrix.merge(ConfusionMatrix(2)), ShapeError);
  EXPECT_EQ(matrix.total(), 0);
}

}  // namespace
}  // namespace hanok::nn
