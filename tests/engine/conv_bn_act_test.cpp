// The fused op against what it means: activation(batch_norm(conv2d(x)) + residual).
#include <cmath>

#include "tests/engine/references.h"

namespace hanok::testing {
namespace {

struct Case {
  const char* what;
  Shape x, weight;
  Window2d window = {};
  std::int64_t groups = 1;
  bool bias = false, residual = false;
  Activation activation = Activation::Relu;
};

const Case kCases[] = {
    {"3x3", {2, 3, 5, 4}, {5, 3, 3, 3}, {1, 1, 1, 1, 1, 1}},
    {"3x3 strided, no activation",
     {2, 4, 5, 5},
     {7, 4, 3, 3},
     {2, 2, 1, 1, 1, 1},
     1,
     false,
     false,
     Activation::None},
    {"residual", {2, 3, 4, 3}, {5, 3, 3, 3}, {1, 1, 1, 1, 1, 1}, 1, false, true},
    {"residual and bias, no activation",
     {1, 3, 4, 4},
     {17, 3, 1, 1},
     {},
     1,
     true,
     true,
     Activation::None},
    {"relu6", {2, 3, 5, 4}, {5, 3, 3, 3}, {1, 1, 1, 1, 1, 1}, 1, false, true, Activation::Relu6},
    {"bias, groups", {2, 4, 4, 4}, {6, 2, 3, 3}, {1, 1, 0, 0, 1, 1}, 2, true, false},
};

constexpr double kEpsilon = 1e-5;

/// Inputs in the order x, weight, gamma, beta, then bias and residual where the case has them.
std::vector<Array> inputs_of(const Case& c) {
  const std::int64_t channels = c.weight[0];
  std::vector<Array> inputs = {random_array(c.x, 1), random_array(c.weight, 2),
                               random_array({channels}, 3, 0.5, 1.5), random_array({channels}, 4)};
  if (c.bias) inputs.push_back(random_array({channels}, 5));
  if (c.residual) {
    const Array y = reference_conv2d(inputs[0], inputs[1], nullptr, c.window, c.groups);
    inputs.push_back(random_array(y.shape, 6));
  }
  return inputs;
}

struct Operands {
  Tensor bias, residual;
  ops::BatchNormState bn;
};

Operands operands_of(const Case& c, const std::vector<Tensor>& in, bool training) {
  Operands operands;
  if (c.bias) operands.bias = in[4];
  if (c.residual) operands.residual = in.back();
  const std::int64_t channels = c.weight[0];
  operands.bn.weight = in[2];
  operands.bn.bias = in[3];
  operands.bn.running_mean = to_tensor(random_array({channels}, 7));
  operands.bn.running_var = to_tensor(random_array({channels}, 8, 0.5, 4));
  operands.bn.num_batches_tracked = new_zeros({}, DType::I64);
  operands.bn.training = training;
  return operands;
}

Tensor fused(const Case& c, const std::vector<Tensor>& in, const Operands& o) {
  return ops::conv_bn_act(in[0], {in[1], o.bias, c.window, c.groups}, o.bn, o.residual,
                          c.activation);
}

Tensor composed(const Case& c, const std::vector<Tensor>& in, const Operands& o) {
  Tensor y = ops::batch_norm(ops::conv2d(in[0], in[1], o.bias, c.window, c.groups), o.bn);
  if (c.residual) y = ops::add(y, o.residual);
  if (c.activation == Activation::Relu6) return ops::clamp(y, 0, 6);
  return c.activation == Activation::Relu ? ops::relu(y) : y;
}

Array reference(const Case& c, const std::vector<Array>& in, bool training) {
  const Array z = reference_conv2d(in[0], in[1], c.bias ? &in[4] : nullptr, c.window, c.groups);
  const std::int64_t channels = c.weight[0];
  const Moments moments = training ? reference_moments(z)
                                   : Moments{random_array({channels}, 7).values,
                                             random_array({channels}, 8, 0.5, 4).values};
  Array y = reference_normalise(z, moments, kEpsilon, &in[2], &in[3]);
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    if (c.residual) y.values[i] += in.back().values[i];
    if (c.activation == Activation::Relu) y.values[i] = std::max(y.values[i], 0.0);
    if (c.activation == Activation::Relu6) y.values[i] = std::clamp(y.values[i], 0.0, 6.0);
  }
  return y;
}

// A bias before a training batch norm has a gradient of exactly 0; what is computed is the rounding
// of a sum, which no relative bound can judge. So the training cases with a bias are compared with
// a reference in which only the others are inputs, and the bias's gradient is bounded absolutely.
TEST(ConvBnAct, TrainingMatchesReference) {
  for (const Case& c : kCases) {
    const std::vector<Array> all = inputs_of(c);
    const auto with_bias = [&](auto in, const auto& bias) {
      if (c.bias) in.insert(in.begin() + 4, bias);
      return in;
    };
    std::vector<Array> others = all;
    if (c.bias) others.erase(others.begin() + 4);
    check_op(
        c.what,
        [&](const std::vector<Tensor>& in) {
          const auto full = with_bias(in, c.bias ? to_tensor(all[4]) : Tensor());
          return fused(c, full, operands_of(c, full, true));
        },
        [&](const std::vector<Array>& in) {
          return reference(c, with_bias(in, c.bias ? all[4] : Array()), true);
        },
        others, {3e-6, 2e-5});
    if (!c.bias) continue;
    std::vector<Tensor> in;
    for (const Array& array : all) in.push_back(to_tensor(array));
    in[4].set_requires_grad(true);
    const Tensor y = fused(c, in, operands_of(c, in, true));
    y.backward(new_ones(y.shape()));
    for (const float value : in[4].grad().to_vector()) EXPECT_NEAR(value, 0, 1e-5);
  }
}

TEST(ConvBnAct, EvaluationMatchesReference) {
  for (const Case& c : kCases) {
    check_op(
        c.what,
        [&](const std::vector<Tensor>& in) { return fused(c, in, operands_of(c, in, false)); },
        [&](const std::vector<Array>& in) { return reference(c, in, false); }, inputs_of(c),
        // The folded shift beta - mean scale may cancel against the sum.
        {3e-6, 1e-5});
  }
}

/// Every subset of inputs may be frozen; the composition says which gradients there are and what.
TEST(ConvBnAct, EqualsTheCompositionForEverySubsetOfTrainedInputs) {
  for (const Case& c : kCases) {
    const std::vector<Array> arrays = inputs_of(c);
    for (const bool training : {true, false}) {
      for (std::uint32_t subset = 0; subset < (1U << arrays.size()); ++subset) {
        if (!test_device().is_cpu() && subset % 7 != 0) continue;  // the emulator is slow
        SCOPED_TRACE(std::string(c.what) + (training ? " training" : " evaluation") + ", trained " +
                     std::to_string(subset));
        const auto make = [&] {
          std::vector<Tensor> in;
          for (std::size_t i = 0; i < arrays.size(); ++i) {
            in.push_back(to_tensor(arrays[i]));
            in.back().set_requires_grad((subset >> i & 1U) != 0);
          }
          return in;
        };
        const std::vector<Tensor> a = make();
        const std::vector<Tensor> b = make();
        const Operands fused_operands = operands_of(c, a, training);
        const Operands composed_operands = operands_of(c, b, training);
        const Tensor y = fused(c, a, fused_operands);
        const Tensor expected = composed(c, b, composed_operands);
        expect_close(y, to_array(expected), 2e-6, "y");
        expect_close(fused_operands.bn.running_mean, to_array(composed_operands.bn.running_mean),
                     1e-6, "running_mean");
        expect_close(fused_operands.bn.running_var, to_array(composed_operands.bn.running_var),
                     1e-6, "running_var");
        ASSERT_EQ(y.requires_grad(), subset != 0);
        if (subset == 0) continue;
        const Tensor dy = to_tensor(random_array(y.shape(), 9));
        y.backward(dy);
        expected.backward(dy);
        for (std::size_t i = 0; i < a.size(); ++i) {
          ASSERT_EQ(a[i].grad().defined(), b[i].grad().defined()) << "input " << i;
          if (!a[i].grad().defined()) continue;
          const bool zero_gradient = training && c.bias && i == 4;
          if (zero_gradient) continue;
          expect_close(a[i].grad(), to_array(b[i].grad()), 1e-5, "gradient " + std::to_string(i));
        }
      }
    }
  }
}

TEST(ConvBnAct, BackwardLeavesTheCallersGradientAlone) {
  const Case& c = kCases[0];
  std::vector<Tensor> in;
  for (const Array& array : inputs_of(c)) in.push_back(to_tensor(array).set_requires_grad(true));
  const Tensor y = fused(c, in, operands_of(c, in, true));
  const Tensor dy = to_tensor(random_array(y.shape(), 10));
  const Tensor copy = dy.clone();
  y.backward(dy);
  expect_same_bits(dy, copy, "dy");
}

TEST(ConvBnAct, ErrorsNameTheOpAndAllShapes) {
  const Tensor x = new_zeros({2, 3, 4, 4});
  const ops::Conv2dArguments conv{new_zeros({5, 3, 3, 3}), {}, {}, 1};
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::conv_bn_act(x, conv, {}, new_zeros({2, 5, 4, 4}));
            }),
            "conv_bn_act: residual must have the convolution's shape [2,5,2,2] (input [2,3,4,4], "
            "weight [5,3,3,3], residual [2,5,4,4])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::BatchNormState bn;
              bn.bias = new_zeros({3});
              ops::conv_bn_act(x, conv, bn);
            }),
            "conv_bn_act: bias must be [5], one value a channel (input [2,3,4,4], bias [3])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::conv_bn_act(x, {new_zeros({5, 4, 3, 3}), {}, {}, 1}, {});
            }),
            "conv_bn_act: input has 3 channels, weight expects 4 (input [2,3,4,4], weight "
            "[5,4,3,3])");
}

}  // namespace
}  // namespace hanok::testing
