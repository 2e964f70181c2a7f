#include "nn/schedule.h"

#include <gtest/gtest.h>

#include "kernels/base/error.h"
#include "tests/golden/golden.h"

namespace hanok::nn {
namespace {

using golden::Json;

std::unique_ptr<Schedule> make(const Json& run) {
  if (run.at("kind") == "cosine") return make_cosine(run.at("total"), run.at("final"));
  return make_one_cycle(run.at("total"), run.at("warm"), run.at("div"), run.at("final_div"));
}

TEST(Schedule, FactorsEqualPyTorch) {
  const Json content = golden::load("nn_schedules.json");
  ASSERT_GE(content.at("runs").size(), 6U);
  for (const auto& [name, run] : content.at("runs").items()) {
    SCOPED_TRACE(name);
    const auto schedule = make(run);
    for (std::size_t step = 0; step < run.at("rates").size(); ++step) {
      const double expected = run.at("rates")[step];
      EXPECT_NEAR(schedule->factor(static_cast<std::int64_t>(step)), expected, 1e-8) << step;
    }
  }
}

TEST(Schedule, ConstantStaysAtOne) {
  EXPECT_EQ(make_constant()->factor(0), 1);
  EXPECT_EQ(make_constant()->factor(1000000), 1);
}

TEST(Schedule, ApplyScalesEachGroupsOwnBaseRate) {
  const auto optimizer =
      make_sgd({{"a", {Tensor::ones({1})}, 0.5, -1}, {"b", {Tensor::ones({1})}, -1, -1}},
               {.learning_rate = 0.1});
  const auto schedule = make_cosine(10);
  schedule->apply(*optimizer, 5);
  EXPECT_NEAR(optimizer->learning_rate(0), 0.25, 1e-12);
  EXPECT_NEAR(optimizer->learning_rate(1), 0.05, 1e-12);
  schedule->apply(*optimizer, 5);  // a function of the step, not of what was there before
  EXPECT_NEAR(optimizer->learning_rate(0), 0.25, 1e-12);
  EXPECT_EQ(optimizer->base_learning_rate(0), 0.5);
}

TEST(Schedule, OneCycleWithAPhaseOfNoLengthIsFinite) {
  EXPECT_NEAR(make_one_cycle(1)->factor(0), 4e-6,
              1e-12);                                // its one step is the last, as PyTorch says
  EXPECT_EQ(make_one_cycle(10, 0.1)->factor(0), 1);  // the warm-up ends at step 0
  EXPECT_NEAR(make_one_cycle(10, 1.0)->factor(9), 1, 1e-12);
}

TEST(Schedule, RefusesWhatCannotBe) {
  EXPECT_THROW(make_cosine(0), ValueError);
  EXPECT_THROW(make_cosine(10, -0.1), ValueError);
  EXPECT_THROW(make_one_cycle(0), ValueError);
  EXPECT_THROW(make_one_cycle(10, 1.5), ValueError);
  EXPECT_THROW(make_one_cycle(10, 0.3, 0), ValueError);
  EXPECT_THROW(make_one_cycle(10)->factor(11), ValueError);
  EXPECT_THROW(make_one_cycle(10)->factor(-1), ValueError);
}

}  // namespace
}  // namespace hanok::nn
