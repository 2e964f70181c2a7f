#include "hanok/nn/activations.h"

#include <gtest/gtest.h>

#include "hanok/engine/ops.h"
#include "hanok/nn/layers.h"

namespace hanok::nn {
namespace {

Tensor input() {
  return Tensor::from_vector(std::vector<float>{-7, -3, -1, -0.5F, 0, 0.5F, 2, 3, 6.5F}, {3, 3});
}

TEST(Activations, CallTheirOpsPrintAndClone) {
  const auto expect = [](Module& layer, const Tensor& expected, const std::string& text) {
    EXPECT_EQ(layer(input()).to_vector(), expected.to_vector());
    EXPECT_EQ(layer.to_string(), text);
    EXPECT_EQ((*layer.clone())(input()).to_vector(), expected.to_vector());
  };
  const Tensor x = input();
  ReLU relu;
  expect(relu, ops::relu(x), "ReLU()");
  ReLU6 relu6;
  expect(relu6, ops::minimum(ops::relu(x), Tensor::full({1}, 6)), "ReLU6()");
  LeakyReLU leaky(0.25F);
  expect(leaky, ops::leaky_relu(x, 0.25F), "LeakyReLU(negative_slope=0.25)");
  PReLU prelu;
  expect(prelu, ops::leaky_relu(x, 0.25F), "PReLU(num_parameters=1)");
  Sigmoid sigmoid;
  expect(sigmoid, ops::sigmoid(x), "Sigmoid()");
  Tanh tanh;
  expect(tanh, ops::tanh(x), "Tanh()");
  SiLU silu;
  expect(silu, ops::silu(x), "SiLU()");
  GELU gelu;
  expect(gelu, ops::gelu(x), "GELU(approximate='none')");
  Hardswish hardswish;
  expect(hardswish, ops::hardswish(x), "Hardswish()");
  Hardsigmoid hardsigmoid;
  expect(hardsigmoid, ops::hardsigmoid(x), "Hardsigmoid()");
  Identity identity;
  expect(identity, x, "Identity()");
}

std::vector<float> derivative(Module& layer, const std::vector<float>& at) {
  Tensor x = Tensor::from_vector(at, {static_cast<std::int64_t>(at.size())});
  x.set_requires_grad(true);
  ops::sum(layer(x)).backward();
  return x.grad().to_vector();
}

TEST(Activations, HaveNoGradientAtTheirBounds) {
  ReLU relu;
  EXPECT_EQ(derivative(relu, {0, 1}), (std::vector<float>{0, 1}));
  ReLU6 relu6;
  EXPECT_EQ(derivative(relu6, {0, 3, 6}), (std::vector<float>{0, 1, 0}));
  Hardtanh hardtanh;
  EXPECT_EQ(derivative(hardtanh, {-1, 0, 1}), (std::vector<float>{0, 1, 0}));
}

// Weights of zero: every value before the activation is the batch norm's bias, 0.
TEST(Activations, HaveNoGradientAtTheirBoundsWhenFused) {
  for (const bool six : {false, true}) {
    for (const bool training : {false, true}) {
      for (const bool hooked : {false, true}) {
        Sequential layers;
        layers.append(std::make_unique<Conv2d>(
            Conv2dOptions{.in_channels = 1, .out_channels = 1, .bias = false}));
        layers.append(std::make_unique<BatchNorm2d>(1));
        if (six) {
          layers.append(std::make_unique<ReLU6>());
        } else {
          layers.append(std::make_unique<ReLU>());
        }
        layers.train(training);
        if (hooked) {  // not fused
          layers[2].register_forward_hook([](Module&, const Tensor&, const Tensor&) {});
        }
        dynamic_cast<Conv2d&>(layers[0]).weight.data().mutable_data<float>()[0] = 0;
        ops::sum(layers(Tensor::ones({2, 1, 2, 2}))).backward();
        EXPECT_EQ(dynamic_cast<BatchNorm2d&>(layers[1]).bias.grad().item(), 0)
            << "six " << six << " training " << training << " hooked " << hooked;
      }
    }
  }
}

}  // namespace
}  // namespace hanok::nn
