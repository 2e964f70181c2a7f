#include "hanok/nn/schedule.h"

#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/reduce_on_plateau.h"
#include "tests/golden/golden.h"

namespace hanok::nn {
namespace {

using golden::Json;

std::vector<std::unique_ptr<Schedule>> list(std::unique_ptr<Schedule> a,
                                            std::unique_ptr<Schedule> b,
                                            std::unique_ptr<Schedule> c = nullptr) {
  std::vector<std::unique_ptr<Schedule>> result;
  for (auto* each : {&a, &b, &c}) {
    if (*each != nullptr) result.push_back(std::move(*each));
  }
  return result;
}

std::unique_ptr<Schedule> make(const Json& run) {
  const std::string kind = run.at("kind");
  if (kind == "cosine") return make_cosine(run.at("total"), run.at("final"));
  if (kind == "one_cycle") {
    return make_one_cycle(run.at("total"), run.at("warm"), run.at("div"), run.at("final_div"));
  }
  if (kind == "step") return make_step(3, 0.5);
  if (kind == "multi_step") return make_multi_step({2, 5, 5, 9}, 0.3);
  if (kind == "exponential") return make_exponential(0.8);
  if (kind == "cosine_restarts") return make_cosine_restarts(4, 1, 0.05);
  if (kind == "cosine_restarts_growing") return make_cosine_restarts(2, 2);
  if (kind == "linear_warm_up") return make_linear_warm_up(4, 0.25);
  if (kind == "chained") {
    return make_chained(list(make_linear_warm_up(4, 0.25), make_exponential(0.9)));
  }
  if (kind == "sequential") {
    return make_sequential(list(make_linear_warm_up(3, 0.1), make_cosine(5), make_exponential(0.5)),
                           {3, 8});
  }
  throw std::runtime_error("no such schedule here: " + kind);
}

TEST(Schedule, FactorsEqualPyTorch) {
  const Json content = golden::load("nn_schedules.json");
  ASSERT_GE(content.at("runs").size(), 14U);
  for (const auto& [name, run] : content.at("runs").items()) {
    SCOPED_TRACE(name);
    const auto schedule = make(run);
    for (std::size_t step = 0; step < run.at("rates").size(); ++step) {
      const double expected = run.at("rates")[step];
      EXPECT_NEAR(schedule->factor(static_cast<std::int64_t>(step)), expected, 1e-8) << step;
    }
  }
}

ReduceOnPlateau::Options plateau_options(const Json& o) {
  ReduceOnPlateau::Options options;
  options.smaller_is_better = o.at("mode") == "min";
  options.factor = o.at("factor");
  options.patience = o.at("patience");
  options.threshold = o.value("threshold", 1e-4);
  options.cooldown = o.value("cooldown", std::int64_t{0});
  options.minimum_factor = o.value("min_lr", 0.0);
  return options;
}

TEST(ReduceOnPlateau, RatesEqualPyTorch) {
  const Json content = golden::load("nn_schedules.json");
  ASSERT_GE(content.at("plateaus").size(), 4U);
  for (const auto& [name, run] : content.at("plateaus").items()) {
    SCOPED_TRACE(name);
    ReduceOnPlateau plateau(plateau_options(run.at("options")));
    const auto optimizer = make_sgd({{"", {Tensor::ones({1})}, 1.0, -1}}, {});
    for (std::size_t i = 0; i < run.at("figures").size(); ++i) {
      const double before = plateau.factor();
      const bool reduced = plateau.observe(run.at("figures")[i]);
      EXPECT_EQ(reduced, plateau.factor() < before);
      plateau.apply(*optimizer);
      EXPECT_NEAR(optimizer->learning_rate(), run.at("rates")[i].get<double>(), 1e-9) << i;
      // Saving and loading the state at any point changes nothing.
      ReduceOnPlateau copy(plateau_options(run.at("options")));
      copy.load_state(plateau.state());
      plateau = copy;
    }
    EXPECT_LT(plateau.factor(), 1);
  }
}

TEST(ReduceOnPlateau, RefusesWhatCannotBe) {
  EXPECT_THROW(ReduceOnPlateau({.factor = 1}), ValueError);
  EXPECT_THROW(ReduceOnPlateau({.factor = 0}), ValueError);
  EXPECT_THROW(ReduceOnPlateau({.patience = -1}), ValueError);
  EXPECT_THROW(ReduceOnPlateau({.cooldown = -1}), ValueError);
  State newer = ReduceOnPlateau({}).state();
  newer.integers["version"] = 2;
  ReduceOnPlateau plateau({});
  EXPECT_THROW(plateau.load_state(newer), ValueError);
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
  schedule->apply(*optimizer, 5);  // a function of the step only, not of earlier calls
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
  EXPECT_THROW(make_step(0), ValueError);
  EXPECT_THROW(make_multi_step({5, 2}), ValueError);
  EXPECT_THROW(make_exponential(-1), ValueError);
  EXPECT_THROW(make_cosine_restarts(0), ValueError);
  EXPECT_THROW(make_linear_warm_up(0), ValueError);
  EXPECT_THROW(make_sequential(list(make_constant(), make_constant()), {}), ValueError);
  EXPECT_THROW(make_sequential(list(make_constant(), make_constant()), {0}), ValueError);
  EXPECT_THROW(make_one_cycle(0), ValueError);
  EXPECT_THROW(make_one_cycle(10, 1.5), ValueError);
  EXPECT_THROW(make_one_cycle(10, 0.3, 0), ValueError);
  EXPECT_THROW(make_one_cycle(10)->factor(11), ValueError);
  EXPECT_THROW(make_one_cycle(10)->factor(-1), ValueError);
}

}  // namespace
}  // namespace hanok::nn
