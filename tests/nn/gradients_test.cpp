#include "hanok/nn/gradients.h"

#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "tests/golden/golden.h"

namespace hanok::nn {
namespace {

using golden::Json;

struct Pair {
  Tensor a, b;
  std::vector<Tensor> all() const { return {a, b}; }
};

// Two parameters with the golden's gradients.
Pair make_pair_of(const Json& content) {
  const auto parameter = [&](const char* key) {
    const Tensor gradient =
        golden::tensor(std::string("clip/") + key, content.at("gradients").at(key));
    Tensor result = Tensor::zeros(gradient.shape());
    result.set_requires_grad(true);
    result.set_grad(gradient);
    return result;
  };
  return {parameter("a"), parameter("b")};
}

void expect_clipped(const std::string& name, const Pair& pair, const Json& content) {
  const Json& expected = content.at("clipped").at(name);
  EXPECT_TRUE(golden::is_near("clip/" + name + "/a", pair.a.grad(), expected.at("a"), 1e-6));
  EXPECT_TRUE(golden::is_near("clip/" + name + "/b", pair.b.grad(), expected.at("b"), 1e-6));
}

TEST(Gradients, ClippingByNormEqualsPyTorch) {
  const Json content = golden::load("nn_gradients.json");
  for (const auto& [name, limit] : {std::pair<std::string, double>{"norm", 2.5},
                                    std::pair<std::string, double>{"norm_unreached", 1e3}}) {
    const Pair pair = make_pair_of(content);
    const double norm = content.at("clipped").at(name).at("norm");
    EXPECT_NEAR(gradient_norm(pair.all()).item(), norm, 1e-6 * norm);
    EXPECT_NEAR(clip_gradient_norm(pair.all(), limit).item(), norm, 1e-6 * norm);
    expect_clipped(name, pair, content);
    EXPECT_LE(gradient_norm(pair.all()).item(), limit);
  }
}

TEST(Gradients, ClippingByValueEqualsPyTorch) {
  const Json content = golden::load("nn_gradients.json");
  const Pair pair = make_pair_of(content);
  clip_gradient_value(pair.all(), 0.75);
  expect_clipped("value", pair, content);
}

TEST(Gradients, ParametersWithoutAGradientCountNothing) {
  const Json content = golden::load("nn_gradients.json");
  const Pair pair = make_pair_of(content);
  Tensor without = Tensor::ones({3});
  const double norm = gradient_norm(pair.all()).item();
  EXPECT_EQ(gradient_norm({pair.a, without, pair.b}).item(), norm);
  clip_gradient_value({pair.a, without}, 1);
  EXPECT_FALSE(without.grad().defined());
}

TEST(Gradients, RefuseWhatCannotBe) {
  const Pair pair = make_pair_of(golden::load("nn_gradients.json"));
  EXPECT_THROW(clip_gradient_norm(pair.all(), 0), ValueError);
  EXPECT_THROW(clip_gradient_value(pair.all(), -1), ValueError);
  EXPECT_THROW(gradient_norm({}), ValueError);
  EXPECT_THROW(clip_gradient_norm({Tensor::ones({1})}, 1), ValueError);
}

}  // namespace
}  // namespace hanok::nn
