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

}  // namespace
}  // namespace hanok::nn
