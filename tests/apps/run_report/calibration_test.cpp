// Reliability diagram and ECE: hand-made answers, and what NumPy and scikit-learn compute.
#include "hanok/apps/run_report/calibration.h"

#include <cmath>
#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "tests/golden/golden.h"

namespace hanok::run_report {
namespace {

TEST(Calibration, EqualsTheReference) {
  for (const golden::Json& expected : golden::load("run_report.json").at("calibration")) {
    SCOPED_TRACE(expected.at("name"));
    std::vector<ScoredAnswer> answers;
    for (std::size_t i = 0; i < expected.at("units").size(); ++i) {
      answers.push_back(
          {expected.at("units")[i].get<double>() / 1024, expected.at("right")[i].get<int>() == 1});
    }
    const Calibration actual = calibration(answers);
    EXPECT_NEAR(actual.ece, expected.at("ece").get<double>(), 1e-12);
    ASSERT_EQ(actual.bins.size(), expected.at("images").size());
    std::size_t filled = 0;
    for (std::size_t b = 0; b < actual.bins.size(); ++b) {
      const CalibrationBin& bin = actual.bins[b];
      EXPECT_EQ(bin.images, expected.at("images")[b].get<std::int64_t>()) << b;
      if (bin.images == 0) {
        EXPECT_TRUE(std::isnan(bin.accuracy));
        continue;
      }
      EXPECT_NEAR(bin.accuracy, expected.at("accuracy")[filled].get<double>(), 1e-12) << b;
      EXPECT_NEAR(bin.confidence, expected.at("confidence")[filled].get<double>(), 1e-12) << b;
      ++filled;
    }
    EXPECT_EQ(filled, expected.at("accuracy").size());
  }
}

TEST(Calibration, IsZeroWhenProbabilitiesAreRight) {
  const Calibration perfect =
      calibration({{0.75, true}, {0.75, true}, {0.75, true}, {0.75, false}});
  EXPECT_NEAR(perfect.ece, 0, 1e-15);
  EXPECT_NEAR(perfect.confidence, 0.75, 1e-15);
  const Calibration sure = calibration({{1.0, true}, {1.0, false}});
  EXPECT_NEAR(sure.ece, 0.5, 1e-15);
}

TEST(Calibration, EdgesBelongToTheLowerBin) {
  const Calibration result = calibration({{0, false}, {0.5, true}, {0.51, true}, {1, true}}, 2);
  EXPECT_EQ(result.bins[0].images, 2);
  EXPECT_EQ(result.bins[1].images, 2);
}

TEST(Calibration, RefusesWhatIsNoProbability) {
  EXPECT_THROW(calibration({}), ValueError);
  EXPECT_THROW(calibration({{0.5, true}}, 0), ValueError);
  EXPECT_THROW(calibration({{1.5, true}}), ValueError);
  EXPECT_THROW(calibration({{std::nan(""), true}}), ValueError);
}

}  // namespace
}  // namespace hanok::run_report
