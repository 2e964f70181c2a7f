// A node keeps alive only what the requested gradients will read.
#include <algorithm>

#include "hanok/engine/storage.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

struct Case {
  const char* what;
  Op op;
  std::vector<Shape> inputs;
  std::size_t trained;            // the one input that needs a gradient
  std::vector<std::size_t> kept;  // others that its gradient reads
};

std::vector<Case> cases() {
  const Shape map{2, 4, 5, 5};
  const auto conv = [](const auto& x) { return ops::conv2d(x[0], x[1], x[2]); };
  const auto linear = [](const auto& x) { return ops::linear(x[0], x[1], x[2]); };
  const auto norm = [](bool training) {
    return [training](const std::vector<Tensor>& x) {
      ops::BatchNormState state;
      state.weight = x[1];
      state.bias = x[2];
      state.running_mean = new_zeros({4});
      state.running_var = new_ones({4});
      state.training = training;
      return ops::batch_norm(x[0], state);
    };
  };
  // Inputs: x, weight, gamma, beta, residual.
  const auto fused = [](bool training) {
    return [training](const std::vector<Tensor>& x) {
      ops::BatchNormState state;
      state.weight = x[2];
      state.bias = x[3];
      state.running_mean = new_zeros({6});
      state.running_var = new_ones({6});
      state.training = training;
      return ops::conv_bn_act(x[0], {x[1], {}, {}, 1}, state, x.size() > 4 ? x[4] : Tensor());
    };
  };
  const std::vector<Shape> conv_inputs = {map, {6, 4, 3, 3}, {6}};
  const std::vector<Shape> linear_inputs = {{3, 4}, {6, 4}, {6}};
  const std::vector<Shape> norm_inputs = {map, {4}, {4}};
  const std::vector<Shape> fused_inputs = {map, {6, 4, 3, 3}, {6}, {6}, {2, 6, 3, 3}};
  const std::vector<Shape> plain_inputs = {map, {6, 4, 3, 3}, {6}, {6}};
  return {
      {"add", [](const auto& x) { return ops::add(x[0], x[1]); }, {map, map}, 0, {}},
      {"mul", [](const auto& x) { return ops::mul(x[0], x[1]); }, {map, map}, 0, {1}},
      {"div, numerator", [](const auto& x) { return ops::div(x[0], x[1]); }, {map, map}, 0, {1}},
      {"div, denominator", [](const auto& x) { return ops::div(x[0], x[1]); }, {map, map}, 1, {}},
      {"matmul", [](const auto& x) { return ops::matmul(x[0], x[1]); }, {{3, 4}, {4, 5}}, 1, {0}},
      {"linear, input", linear, linear_inputs, 0, {1}},
      {"linear, weight", linear, linear_inputs, 1, {0}},
      {"linear, bias", linear, linear_inputs, 2, {}},
      {"conv2d, input", conv, conv_inputs, 0, {1}},
      {"conv2d, weight", conv, conv_inputs, 1, {0}},
      {"conv2d, bias", conv, conv_inputs, 2, {}},
      {"batch_norm, input", norm(true), norm_inputs, 0, {1}},
      {"batch_norm, weight", norm(true), norm_inputs, 1, {0}},
      {"batch_norm, bias", norm(true), norm_inputs, 2, {}},
      {"frozen batch_norm, input", norm(false), norm_inputs, 0, {1}},
      {"frozen batch_norm, bias", norm(false), norm_inputs, 2, {}},
      {"conv_bn_act, input", fused(true), fused_inputs, 0, {1, 2}},
      {"conv_bn_act, weight", fused(true), fused_inputs, 1, {0, 2}},
      {"conv_bn_act, gamma", fused(true), fused_inputs, 2, {}},
      {"conv_bn_act, beta", fused(true), fused_inputs, 3, {}},
      {"conv_bn_act, residual", fused(true), fused_inputs, 4, {}},
      {"folded conv_bn_act, weight", fused(false), fused_inputs, 1, {0, 2}},
      {"folded conv_bn_act, beta", fused(false), fused_inputs, 3, {}},
      {"conv_bn_act without residual, beta", fused(true), plain_inputs, 3, {2}},
      {"where",
       [](const auto& x) { return ops::where(new_ones({5}, DType::U8), x[0], x[1]); },
       {map, map},
       0,
       {}},
      {"concat", [](const auto& x) { return ops::concat(x, 1); }, {map, map}, 1, {}},
  };
}

TEST(SavedTensors, AreOnlyThoseThatTheGradientsReadAndGoWithTheWalk) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.what);
    std::vector<Tensor> inputs;
    std::vector<std::weak_ptr<Storage>> alive;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      inputs.push_back(to_tensor(random_array(c.inputs[i], static_cast<std::uint32_t>(i + 1))));
      inputs.back().set_requires_grad(i == c.trained);
      alive.emplace_back(inputs.back().storage());
    }
    const Tensor y = c.op(inputs);
    inputs.clear();
    const auto expect_alive = [&](const std::vector<std::size_t>& kept, const char* when) {
      for (std::size_t i = 0; i < alive.size(); ++i) {
        const bool expected = i == c.trained || std::count(kept.begin(), kept.end(), i) > 0;
        EXPECT_EQ(!alive[i].expired(), expected) << "input " << i << " " << when;
      }
    };
    expect_alive(c.kept, "after the forward pass");
    y.backward(new_ones(y.shape()));
    expect_alive({}, "after the backward pass");
  }
}

// ReLU's gate is computed again from the convolution's output, so only the next op needs y.
TEST(SavedTensors, OfConvBnActWithoutAResidualDoNotHoldItsOutput) {
  for (const bool with_residual : {false, true}) {
    Tensor weight = to_tensor(random_array({6, 4, 3, 3}, 1)).set_requires_grad(true);
    const Tensor x = to_tensor(random_array({2, 4, 5, 5}, 2));
    ops::BatchNormState state;
    state.training = true;
    Tensor y = ops::conv_bn_act(x, {weight, {}, {}, 1}, state,
                                with_residual ? new_ones({2, 6, 3, 3}) : Tensor());
    const std::weak_ptr<Storage> output = y.storage();
    const Tensor pooled = ops::max_pool2d(y, 2, 2, {});  // keeps indices only
    y = Tensor();
    EXPECT_EQ(output.expired(), !with_residual);
    ops::sum(pooled).backward();
    EXPECT_TRUE(output.expired());
  }
}

/// conv_bn_act, and a convolution that saves its output for a weight gradient.
struct Chain {
  Tensor x = to_tensor(random_array({2, 3, 6, 6}, 1));
  Tensor first = to_tensor(random_array({4, 3, 3, 3}, 2)).set_requires_grad(true);
  Tensor gamma = to_tensor(random_array({4}, 3)).set_requires_grad(true);
  Tensor beta = to_tensor(random_array({4}, 4)).set_requires_grad(true);
  Tensor second = to_tensor(random_array({5, 4, 3, 3}, 5)).set_requires_grad(true);

  Tensor inner() const {
    ops::BatchNormState state;
    state.training = true;
    state.weight = gamma;
    state.bias = beta;
    return ops::conv_bn_act(x, {first, {}, {}, 1}, state);
  }
  Tensor outer(const Tensor& y) const { return ops::conv2d(y, second); }
  std::vector<Tensor> gradients() const {
    return {first.grad(), gamma.grad(), beta.grad(), second.grad()};
  }
};

TEST(SavedTensors, AreComputedAgainWhereTheirRecipeIsKept) {
  const Chain kept;
  const Chain again;
  const Tensor y = kept.inner();
  kept.outer(y).backward(new_ones({2, 5, 2, 2}));
  std::weak_ptr<Storage> output;
  Tensor z;
  {
    const Tensor inner = again.inner();
    output = inner.storage();
    z = again.outer(inner);
  }
  EXPECT_TRUE(output.expired());
  z.backward(new_ones({2, 5, 2, 2}));
  for (std::size_t i = 0; i < 4; ++i) {
    expect_same_bits(again.gradients()[i], kept.gradients()[i], "gradient " + std::to_string(i));
  }
}

TEST(SavedTensors, OverwrittenBeforeOrAfterTheyWereSavedAreNotComputedAgain) {
  const Chain before;
  Tensor y = before.inner();
  y.copy_from(new_ones(y.shape()));
  before.outer(y).backward(new_ones({2, 5, 2, 2}));  // dw sums over ones
  for (const float value : before.second.grad().to_vector()) EXPECT_EQ(value, 2 * 2 * 2);

  const Chain after;
  y = after.inner();
  const Tensor z = after.outer(y);
  y.copy_from(new_ones(y.shape()));
  EXPECT_THROW(z.backward(new_ones(z.shape())), AutogradError);

  Chain moved;  // what the recomputation reads was overwritten
  const Tensor w = moved.outer(moved.inner());
  moved.beta.copy_from(new_ones({4}));
  EXPECT_THROW(w.backward(new_ones(w.shape())), AutogradError);
}

// Two branches read one output; only one of them is walked back at first.
TEST(SavedTensors, AreNotOverwrittenByTheNodeThatMadeThem) {
  const Chain chain;
  const Chain expected;
  const Tensor y = chain.inner();
  const Tensor kept = y.clone();
  Tensor branch = chain.outer(y);
  const Tensor other = ops::conv2d(y, chain.second);
  branch.backward(new_ones(branch.shape()));
  expect_same_bits(y.detach(), kept, "y");
  expected.outer(expected.inner()).backward(new_ones(branch.shape()));
  for (std::size_t i = 0; i < 4; ++i) {
    expect_same_bits(chain.gradients()[i], expected.gradients()[i],
                     "gradient " + std::to_string(i));
  }
}

}  // namespace
}  // namespace hanok::testing
