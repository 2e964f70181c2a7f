#include "hanok/nn/optim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "tests/golden/golden.h"

namespace hanok::nn {
namespace {

using golden::Json;
using testing::HasSubstr;

Tensor parameter(std::vector<float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::from_vector(values, {count}).set_requires_grad(true);
}

void set_grad(Tensor& parameter, float value) {
  parameter.set_grad(Tensor::full(parameter.shape(), static_cast<double>(value)));
}

std::unique_ptr<Optimizer> make(const std::string& kind, const Json& o,
                                std::vector<ParameterGroup> groups) {
  if (kind == "SGD") {
    SgdOptions options;
    options.learning_rate = o.at("lr");
    options.momentum = o.value("momentum", 0.0);
    options.dampening = o.value("dampening", 0.0);
    options.weight_decay = o.value("weight_decay", 0.0);
    options.nesterov = o.value("nesterov", false);
    return make_sgd(std::move(groups), options);
  }
  if (kind == "RMSprop") {
    RmsPropOptions options;
    options.learning_rate = o.at("lr");
    options.alpha = o.value("alpha", 0.99);
    options.epsilon = o.value("eps", 1e-8);
    options.momentum = o.value("momentum", 0.0);
    options.weight_decay = o.value("weight_decay", 0.0);
    return make_rmsprop(std::move(groups), options);
  }
  AdamOptions options;
  options.learning_rate = o.at("lr");
  if (o.contains("betas")) {
    options.beta1 = o.at("betas")[0];
    options.beta2 = o.at("betas")[1];
  }
  options.epsilon = o.value("eps", 1e-8);
  options.weight_decay = o.value("weight_decay", 0.0);
  return kind == "Adam" ? make_adam(std::move(groups), options)
                        : make_adamw(std::move(groups), options);
}

// The gradient of a step of a golden run.
Tensor golden_gradient(const std::string& name, std::size_t step, const Json& spec) {
  return golden::tensor("optim/" + name + "/gradient" + std::to_string(step), spec);
}

TEST(Optimizer, StepsEqualPyTorch) {
  const Json content = golden::load("nn_optimizers.json");
  ASSERT_GE(content.at("runs").size(), 8U);
  for (const auto& [name, run] : content.at("runs").items()) {
    SCOPED_TRACE(name);
    Tensor p = golden::tensor("optim/" + name + "/start", content.at("start"));
    p.set_requires_grad(true);
    const auto optimizer = make(run.at("kind"), run.at("options"), {{"", {p}, -1, -1}});
    EXPECT_EQ(optimizer->type_name(), run.at("kind"));
    for (std::size_t step = 0; step < run.at("after").size(); ++step) {
      p.set_grad(golden_gradient(name, step, content.at("start")));
      optimizer->step();
      EXPECT_TRUE(golden::is_near("optim/" + name + "/after" + std::to_string(step), p.detach(),
                                  run.at("after")[step], 1e-6));
    }
    EXPECT_EQ(optimizer->steps(), content.at("steps"));
  }
}

TEST(Optimizer, AStateRoundTripContinuesWithTheSameBits) {
  const Json content = golden::load("nn_optimizers.json");
  for (const auto& [name, run] : content.at("runs").items()) {
    SCOPED_TRACE(name);
    const auto start = [&, &run_name = name] {
      Tensor p = golden::tensor("optim/" + run_name + "/start", content.at("start"));
      return p.set_requires_grad(true);
    };
    const auto steps = [&, &run_name = name](Tensor& p, Optimizer& optimizer, std::size_t from,
                                             std::size_t to) {
      for (std::size_t step = from; step < to; ++step) {
        p.set_grad(golden_gradient(run_name, step, content.at("start")));
        optimizer.step();
      }
    };
    Tensor unbroken = start(), first = start();
    const auto whole = make(run.at("kind"), run.at("options"), {{"", {unbroken}, -1, -1}});
    steps(unbroken, *whole, 0, 5);

    const auto before = make(run.at("kind"), run.at("options"), {{"", {first}, -1, -1}});
    before->set_learning_rate(0, before->base_learning_rate(0));
    steps(first, *before, 0, 2);
    const State state = before->state();
    Tensor second = first.detach().clone();
    second.set_requires_grad(true);
    steps(first, *before, 2, 3);  // the snapshot must not change
    const auto after = make(run.at("kind"), run.at("options"), {{"", {second}, -1, -1}});
    after->load_state(state);
    EXPECT_EQ(after->steps(), 2);
    steps(second, *after, 2, 5);
    EXPECT_EQ(second.to_vector(), unbroken.to_vector());
  }
}

TEST(Optimizer, LearningRatesAreRestored) {
  Tensor a = parameter({1}), b = parameter({1});
  const auto groups = [&] {
    return std::vector<ParameterGroup>{{"head", {a}, 0.5, -1}, {"body", {b}, -1, -1}};
  };
  const auto optimizer = make_sgd(groups(), {.learning_rate = 0.1});
  optimizer->set_learning_rate(0, 0.03);
  const auto other = make_sgd(groups(), {.learning_rate = 0.7});
  other->load_state(optimizer->state());
  EXPECT_EQ(other->learning_rate(0), 0.03);
  EXPECT_EQ(other->base_learning_rate(0), 0.5);
  EXPECT_EQ(other->learning_rate(1), 0.1);
  EXPECT_EQ(other->base_learning_rate(1), 0.1);
}

TEST(Optimizer, GroupsHaveTheirOwnRateAndDecay) {
  Tensor a = parameter({1}), b = parameter({1});
  const auto optimizer = make_sgd({{"a", {a}, 0.5, 0.0}, {"b", {b}, -1, -1}},
                                  {.learning_rate = 0.25, .weight_decay = 1});
  set_grad(a, 1);
  set_grad(b, 1);
  optimizer->step();
  EXPECT_FLOAT_EQ(a.to_vector()[0], 1 - 0.5F);
  EXPECT_FLOAT_EQ(b.to_vector()[0], 1 - 0.25F * (1 + 1));
  optimizer->set_learning_rate(1, 0);
  optimizer->step();
  EXPECT_FLOAT_EQ(b.to_vector()[0], 0.5F);
}

TEST(Optimizer, LeavesAloneWhatHasNoGradientOrNeedsNone) {
  Tensor with = parameter({1}), without = parameter({2}), frozen = parameter({3});
  const auto optimizer = make_adamw({{"", {with, without, frozen}, -1, -1}},
                                    {.learning_rate = 0.1, .weight_decay = 0.5});
  set_grad(with, 1);
  set_grad(frozen, 1);
  frozen.set_requires_grad(false);
  optimizer->step();
  EXPECT_NE(with.to_vector()[0], 1);
  EXPECT_EQ(without.to_vector()[0], 2);
  EXPECT_EQ(frozen.to_vector()[0], 3);
}

// Adam corrects the bias of a parameter's moments by the parameter's own number of updates, as
// PyTorch does.
TEST(Optimizer, AParameterThatJoinsLaterStartsAtItsOwnFirstStep) {
  Tensor early = parameter({1}), late = parameter({1});
  const auto optimizer = make_adam({{"", {early, late}, -1, -1}}, {.learning_rate = 0.1});
  for (int i = 0; i < 5; ++i) {
    set_grad(early, 1);
    optimizer->step();
  }
  set_grad(late, 1);
  optimizer->step();
  EXPECT_NEAR(late.to_vector()[0], 0.9F, 1e-6);  // the first Adam step has length learning_rate

  Tensor early2 = parameter({1}), late2 = parameter({1});
  const auto restored = make_adam({{"", {early2, late2}, -1, -1}}, {.learning_rate = 0.1});
  early2.copy_from(early);
  late2.copy_from(late);
  restored->load_state(optimizer->state());
  for (auto* each : {&early, &late, &early2, &late2}) set_grad(*each, 0.5F);
  optimizer->step();
  restored->step();
  EXPECT_EQ(early2.to_vector(), early.to_vector());
  EXPECT_EQ(late2.to_vector(), late.to_vector());
}

TEST(Optimizer, ZeroGradClearsAllGroups) {
  Tensor a = parameter({1}), b = parameter({1});
  const auto optimizer = make_sgd({{"", {a}, -1, -1}, {"", {b}, -1, -1}}, {});
  set_grad(a, 1);
  set_grad(b, 1);
  optimizer->zero_grad();
  optimizer->step();
  EXPECT_EQ(a.to_vector()[0], 1);
  EXPECT_EQ(b.to_vector()[0], 1);
}

TEST(Optimizer, UpdatesKeepTheParametersIdentityAndBumpItsVersion) {
  Tensor p = parameter({1, 2, 3});
  const TensorImpl* id = p.id();
  const std::uint64_t version = p.version();
  const auto optimizer = make_sgd({{"", {p}, -1, -1}}, {.learning_rate = 0.1});
  set_grad(p, 1);
  optimizer->step();
  EXPECT_EQ(p.id(), id);
  EXPECT_GT(p.version(), version);
}

TEST(Optimizer, RefusesAnotherOptimisersState) {
  Tensor p = parameter({1, 2});
  const auto sgd = make_sgd({{"", {p}, -1, -1}}, {.momentum = 0.9});
  set_grad(p, 1);
  sgd->step();
  const State state = sgd->state();
  Tensor q = parameter({5, 5, 5}), r = parameter({7});
  const auto message = [&](Optimizer& optimizer, const State& given) -> std::string {
    try {
      optimizer.load_state(given);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing thrown";
  };
  EXPECT_THAT(message(*make_adam({{"", {p}, -1, -1}}, {}), state),
              HasSubstr("state is of SGD, this is Adam"));
  EXPECT_THAT(message(*make_sgd({{"", {q}, -1, -1}}, {.momentum = 0.9}), state),
              HasSubstr("has shape [2], its parameter [3]"));
  EXPECT_THAT(message(*make_sgd({{"", {q, r}, -1, -1}}, {}), state), HasSubstr("has 1 parameters"));
  EXPECT_THAT(message(*make_sgd({{"", {q}, -1, -1}, {"", {r}, -1, -1}}, {}), state),
              HasSubstr("state has 1 groups"));
  State newer = state;
  newer.integers["version"] = 99;
  EXPECT_THAT(message(*sgd, newer), HasSubstr("version 99"));
  EXPECT_EQ(sgd->steps(), 1);
}

TEST(Optimizer, DefaultsArePyTorchs) {
  EXPECT_EQ(SgdOptions{}.learning_rate, 1e-3);
  EXPECT_EQ(AdamOptions{}.learning_rate, 1e-3);
  EXPECT_EQ(RmsPropOptions{}.learning_rate, 1e-2);
  // Without a gradient to follow, only the decay moves a parameter.
  Tensor adam = parameter({1}), adamw = parameter({1}), without = parameter({1});
  const auto step = [](Tensor& p, const auto& make, const AdamOptions& options) {
    const auto optimizer = make({ParameterGroup{"", {p}}}, options);
    set_grad(p, 0);
    optimizer->step();
    return p.to_vector()[0];
  };
  EXPECT_EQ(step(adam, make_adam, {.learning_rate = 0.1}), 1);
  EXPECT_FLOAT_EQ(step(adamw, make_adamw, {.learning_rate = 0.1}), 0.999F);
  EXPECT_EQ(step(without, make_adamw, {.learning_rate = 0.1, .weight_decay = 0}), 1);
}

TEST(Optimizer, AGroupThatDoesNotExistIsAValueError) {
  Tensor p = parameter({1});
  const auto optimizer = make_sgd({{"", {p}}}, {});
  EXPECT_THROW(optimizer->set_learning_rate(1, 0.1), ValueError);
  EXPECT_THROW(optimizer->learning_rate(1), ValueError);
  EXPECT_THROW(optimizer->base_learning_rate(9), ValueError);
  EXPECT_THROW(optimizer->group(2), ValueError);
}

TEST(Optimizer, RefusesWhatCannotBe) {
  Tensor p = parameter({1});
  const auto one = [&] { return std::vector<ParameterGroup>{{"", {p}, -1, -1}}; };
  EXPECT_THROW(make_sgd({}, {}), ValueError);
  EXPECT_THROW(make_sgd({{"", {}, -1, -1}}, {}), ValueError);
  EXPECT_THROW(make_sgd({{"", {p, p}, -1, -1}}, {}), ValueError);
  EXPECT_THROW(make_sgd({{"", {Tensor()}, -1, -1}}, {}), ValueError);
  EXPECT_THROW(make_sgd({{"", {p.clone()}, -1, -1}}, {}), ValueError);
  EXPECT_THROW(make_sgd(one(), {.learning_rate = -1}), ValueError);
  EXPECT_THROW(make_sgd(one(), {.weight_decay = -1}), ValueError);
  EXPECT_THROW(make_sgd(one(), {.nesterov = true}), ValueError);
  EXPECT_THROW(make_adam(one(), {.beta1 = 1}), ValueError);
  EXPECT_THROW(make_adamw(one(), {.epsilon = -1}), ValueError);
  EXPECT_THROW(make_rmsprop(one(), {.alpha = 1}), ValueError);
  EXPECT_THROW(make_rmsprop(one(), {.momentum = -1}), ValueError);
  EXPECT_THROW(make_adamw(one(), {})->set_learning_rate(0, -1), ValueError);
}

}  // namespace
}  // namespace hanok::nn
