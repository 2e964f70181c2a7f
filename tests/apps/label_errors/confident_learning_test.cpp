#include "hanok/apps/label_errors/confident_learning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "tests/golden/golden.h"

namespace hanok::label_errors {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Pointwise;

OutOfFold data_of(const golden::Json& json) {
  OutOfFold data{.classes = json.at("classes"), .labels = json.at("labels"), .probabilities = {}};
  data.probabilities = json.at("probabilities").get<std::vector<float>>();
  return data;
}

TEST(ConfidentLearning, EqualsCleanlab) {
  for (const golden::Json& json : golden::load("apps_label_errors.json").at("cases")) {
    SCOPED_TRACE(json.at("name").get<std::string>());
    const OutOfFold data = data_of(json);
    const auto near = [](const golden::Json& list) {
      return Pointwise(DoubleNear(1e-6), list.get<std::vector<double>>());
    };
    EXPECT_THAT(class_thresholds(data), near(json.at("thresholds")));
    EXPECT_THAT(self_confidence(data), near(json.at("self_confidence")));
    EXPECT_THAT(normalised_margin(data), near(json.at("normalised_margin")));
    const ConfidentJoint joint = confident_joint(data);
    for (std::size_t k = 0; k < joint.counts.size(); ++k) {
      EXPECT_THAT(joint.counts[k], near(json.at("counts")[k]));
      // cleanlab rounds to whole images.
      EXPECT_THAT(
          joint.calibrated[k],
          Pointwise(DoubleNear(1.0), json.at("calibrated_rounded")[k].get<std::vector<double>>()));
    }
    EXPECT_EQ(estimated_errors(joint), json.at("errors").get<std::int64_t>());
    EXPECT_EQ(joint.off_diagonal, json.at("off_diagonal").get<std::vector<std::int64_t>>());
    // The ranking: of equal order where scores differ by more than their rounding.
    const std::vector<std::int64_t> order = ranked(normalised_margin(data));
    const auto scores = json.at("normalised_margin").get<std::vector<double>>();
    for (std::size_t i = 1; i < order.size(); ++i) {
      EXPECT_LE(scores[static_cast<std::size_t>(order[i - 1])],
                scores[static_cast<std::size_t>(order[i])] + 2e-6);
    }
  }
}

TEST(ConfidentLearning, RowsOfTheCalibratedJointAddUpToTheLabels) {
  const OutOfFold data{.classes = 2,
                       .labels = {0, 0, 0, 1},
                       .probabilities = {0.9F, 0.1F, 0.8F, 0.2F, 0.1F, 0.9F, 0.2F, 0.8F}};
  const ConfidentJoint joint = confident_joint(data);
  EXPECT_DOUBLE_EQ(joint.calibrated[0][0] + joint.calibrated[0][1], 3);
  EXPECT_DOUBLE_EQ(joint.calibrated[1][0] + joint.calibrated[1][1], 1);
  EXPECT_THAT(joint.off_diagonal, ElementsAre(2));
  EXPECT_EQ(joint.suggestion[2], 1);
}

TEST(ConfidentLearning, AClassWithoutImagesIsNeverCounted) {
  const OutOfFold data{
      .classes = 3, .labels = {0, 1}, .probabilities = {0.6F, 0.2F, 0.2F, 0.1F, 0.1F, 0.8F}};
  EXPECT_DOUBLE_EQ(class_thresholds(data)[2], 1);
  EXPECT_EQ(confident_joint(data).counts[1][2], 0);
}

TEST(ConfidentLearning, TiesKeepTheOrderOfTheImages) {
  EXPECT_THAT(ranked({0.5, 0.1, 0.5, 0.1}), ElementsAre(1, 3, 0, 2));
}

TEST(ConfidentLearning, RefusesWhatIsNoProbability) {
  OutOfFold data{.classes = 2, .labels = {0}, .probabilities = {NAN, 0.5F}};
  EXPECT_THROW(check(data), ValueError);
  data.probabilities = {1.5F, 0.5F};
  EXPECT_THROW(check(data), ValueError);
  data.probabilities = {0.5F};
  EXPECT_THROW(check(data), ValueError);
  data = {.classes = 2, .labels = {2}, .probabilities = {0.5F, 0.5F}};
  EXPECT_THROW(check(data), ValueError);
  data = {.classes = 1, .labels = {0}, .probabilities = {1.0F}};
  EXPECT_THROW(check(data), ValueError);
}

}  // namespace
}  // namespace hanok::label_errors
