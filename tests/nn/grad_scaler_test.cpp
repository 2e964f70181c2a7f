// Loss scaling without f16: scale, division and found(), on the CPU.
#include "hanok/nn/grad_scaler.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "hanok/engine/ops.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/optim.h"

namespace hanok::nn {
namespace {

Tensor parameter_of(const std::vector<float>& values) {
  Tensor p = Tensor::from_vector(values, {static_cast<std::int64_t>(values.size())});
  p.set_requires_grad(true);
  return p;
}

GradScalerOptions starting_at(double scale) {
  GradScalerOptions options;
  options.initial_scale = scale;
  return options;
}

TEST(GradScaler, GradientsAreThoseOfAnUnscaledLoss) {
  const auto gradient = [](bool scaled) {
    const Tensor p = parameter_of({1, -2, 3});
    const Tensor loss = ops::sum(ops::square(p));
    GradScaler scaler(Device::cpu());
    loss.backward(scaled ? scaler.scale() : Tensor());
    if (scaled) {
      EXPECT_EQ(p.grad().to_vector(), (std::vector<float>{131072, -262144, 393216}));
      scaler.unscale({p});
      EXPECT_EQ(scaler.found().item(), 0);
    }
    return p.grad().to_vector();
  };
  EXPECT_EQ(gradient(true), gradient(false));
}

/// Steps of SGD with momentum on given gradients; the second is infinite.
TEST(GradScaler, AnOverflowSkipsTheStepAndHalvesTheScale) {
  Tensor p = parameter_of({1, 2});
  const auto optimizer = make_adamw({{"all", {p}}}, {});
  GradScaler scaler(Device::cpu(), starting_at(8));
  optimizer->set_skip(scaler.found());
  std::vector<std::vector<float>> course;
  for (const float g : {0.5F, std::numeric_limits<float>::infinity(), 0.25F}) {
    p.set_grad(Tensor::from_vector(std::vector<float>{8 * g, 8}, {2}));
    scaler.unscale({p});
    optimizer->step();
    scaler.update();
    course.push_back(p.to_vector());
  }
  EXPECT_NE(course[0], (std::vector<float>{1, 2}));
  EXPECT_EQ(course[1], course[0]);
  EXPECT_NE(course[2], course[1]);
  EXPECT_EQ(scaler.scale().item(), 4);

  // A skipped step does not count for the optimiser: its bias correction has counted two.
  Tensor q = parameter_of({1, 2});
  const auto other = make_adamw({{"all", {q}}}, {});
  // At a scale of 4 the third gradient, computed for 8, counts twice.
  for (const auto& [a, b] : {std::pair(0.5F, 1.0F), std::pair(0.5F, 2.0F)}) {
    q.set_grad(Tensor::from_vector(std::vector<float>{a, b}, {2}));
    other->step();
  }
  EXPECT_EQ(p.to_vector(), q.to_vector());
  EXPECT_EQ(optimizer->state().integer("parameter.0.0.step"), 2);
}

TEST(GradScaler, EveryOptimiserLeavesASkippedStepOut) {
  using Make = std::unique_ptr<Optimizer> (*)(const std::vector<ParameterGroup>&);
  const std::vector<Make> all = {
      [](const std::vector<ParameterGroup>& groups) {
        return make_sgd(groups, {0.1, 0.9, 0.5, 0.01, false});
      },
      [](const std::vector<ParameterGroup>& groups) { return make_adam(groups, {}); },
      [](const std::vector<ParameterGroup>& groups) {
        RmsPropOptions options;
        options.momentum = 0.5;
        return make_rmsprop(groups, options);
      }};
  for (const Make make : all) {
    Tensor p = parameter_of({1, 2}), q = parameter_of({1, 2});
    const auto with_gap = make({{"all", {p}}}), without = make({{"all", {q}}});
    SCOPED_TRACE(with_gap->type_name());
    Tensor skip = Tensor::zeros({1});
    with_gap->set_skip(skip);
    // The first step that is not skipped is the optimiser's first.
    for (const float skipped : {1.0F, 0.0F, 1.0F, 0.0F}) {
      skip.copy_from(Tensor::full({1}, skipped));
      const float g = skipped != 0 ? std::numeric_limits<float>::quiet_NaN() : 0.5F;
      p.set_grad(Tensor::full({2}, g));
      with_gap->step();
      if (skipped != 0) continue;
      q.set_grad(Tensor::full({2}, g));
      without->step();
    }
    EXPECT_EQ(p.to_vector(), q.to_vector());
    EXPECT_NE(p.to_vector(), (std::vector<float>{1, 2}));
  }
}

TEST(GradScaler, GoesOnFromItsState) {
  GradScalerOptions options = starting_at(1024);
  options.rule.interval = 3;
  GradScaler first(Device::cpu(), options);
  const Tensor p = parameter_of({1});
  const auto step = [&p](GradScaler& scaler, float g) {
    Tensor gradient = Tensor::from_vector(std::vector<float>{g}, {1});
    Tensor parameter = p;
    parameter.set_grad(gradient);
    scaler.unscale({p});
    scaler.update();
  };
  step(first, std::numeric_limits<float>::quiet_NaN());
  step(first, 1);
  step(first, 1);
  EXPECT_EQ(first.scale().item(), 512);
  GradScaler second(Device::cpu(), options);
  second.load_state(first.state());
  for (GradScaler* scaler : {&first, &second}) {
    step(*scaler, 1);
    EXPECT_EQ(scaler->scale().item(), 1024);
  }
  State foreign = first.state();
  foreign.numbers["scale"] = 3;
  EXPECT_THROW(second.load_state(foreign), ValueError);
}

TEST(GradScaler, RefusesWhatWouldRound) {
  EXPECT_THROW(GradScaler(Device::cpu(), starting_at(1000)), ValueError);
  EXPECT_THROW(GradScaler(Device::cpu(), starting_at(0)), ValueError);
  GradScalerOptions options;
  options.rule.backoff = 2;
  EXPECT_THROW(GradScaler(Device::cpu(), options), ValueError);
  GradScaler scaler(Device::cpu());
  EXPECT_THROW(scaler.unscale({parameter_of({1})}), ValueError);  // no gradient
}

}  // namespace
}  // namespace hanok::nn
