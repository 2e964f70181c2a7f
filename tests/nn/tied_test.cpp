// Tied parameters: two members that are one tensor, as PyTorch's `head.weight = embed.weight`.
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/engine/ops.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/containers.h"
#include "hanok/nn/ema.h"
#include "hanok/nn/gradients.h"
#include "hanok/nn/layers.h"
#include "hanok/nn/optim.h"

namespace hanok::nn {
namespace {

using testing::ElementsAre;

class Tied : public Module {
 public:
  Tied() { head->weight.tie_to(embed->weight); }
  Tensor forward(const Tensor& x) override { return head(embed(x)); }
  std::unique_ptr<Module> clone() const override { return clone_as<Tied>(); }
  std::string type_name() const override { return "Tied"; }

  Child<Embedding> embed{this, "embed", 4, 2};
  Child<Linear> head{this, "head", 2, 4};
};

bool is_tied(const Tied& net) {
  return net.head->weight.data().id() == net.embed->weight.data().id();
}

Tensor loss_of(Module& net) {
  const Tensor indices = Tensor::from_vector(std::vector<std::int64_t>{0, 3, 1}, {3});
  return ops::sum(ops::square(net(indices)));
}

TEST(TiedParameters, AreListedOnceUnderTheirFirstName) {
  Tied net;
  std::vector<std::string> names;
  for (const NamedTensor& each : net.named_parameters()) names.push_back(each.name);
  EXPECT_THAT(names, ElementsAre("embed.weight", "head.bias"));
  EXPECT_EQ(net.parameters().size(), 2U);
  EXPECT_THAT(net.to_string(/*parameter_counts=*/true), testing::StartsWith("Tied(  # 12 param"));
}

TEST(TiedParameters, AreTrainedAsOne) {
  Tied net;
  // The gradient is the sum over both uses: a central difference of the loss sees both.
  loss_of(net).backward();
  Tensor weight = net.embed->weight.data();
  const double slope = weight.grad().to_vector()[0];
  const auto at = [&](float step) {
    weight.mutable_data<float>()[0] += step;
    const double loss = loss_of(net).item();
    weight.mutable_data<float>()[0] -= step;
    return loss;
  };
  EXPECT_NEAR(slope, (at(0.01F) - at(-0.01F)) / 0.02, 1e-2 * std::abs(slope) + 1e-3);

  const auto optimizer = make_sgd({{"all", net.parameters()}}, {.learning_rate = 0.1});
  const auto before = weight.to_vector(), gradient = weight.grad().to_vector();
  optimizer->step();
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_FLOAT_EQ(weight.to_vector()[i], before[i] - 0.1F * gradient[i]);
  }
  net.zero_grad();
  weight.set_grad(Tensor::ones({4, 2}));
  EXPECT_FLOAT_EQ(static_cast<float>(gradient_norm(net.parameters()).item()), std::sqrt(8.0F));
}

TEST(TiedParameters, StayTiedInAClone) {
  Tied net;
  Sequential outer;
  outer.append(net.clone());
  outer.append(std::make_unique<Linear>(4, 4));
  dynamic_cast<Linear&>(outer[1]).weight.tie_to(dynamic_cast<Linear&>(outer[1]).weight);
  for (const std::unique_ptr<Module>& copy : {outer.clone(), outer[0].clone()}) {
    const auto* container = dynamic_cast<Sequential*>(copy.get());
    auto& tied = dynamic_cast<Tied&>(container != nullptr ? (*container)[0] : *copy);
    EXPECT_TRUE(is_tied(tied));
    EXPECT_NE(tied.embed->weight.data().id(), net.embed->weight.data().id());
    EXPECT_EQ(tied.embed->weight.data().to_vector(), net.embed->weight.data().to_vector());
    EXPECT_TRUE(tied.head->weight.requires_grad());
  }
}

TEST(TiedParameters, StayTiedAcrossTheModulesOfAContainer) {
  Sequential layers;
  layers.append(std::make_unique<Linear>(3, 3));
  layers.append(std::make_unique<Linear>(3, 3));
  dynamic_cast<Linear&>(layers[1]).weight.tie_to(dynamic_cast<Linear&>(layers[0]).weight);
  const auto copy = layers.clone();
  EXPECT_EQ(copy->parameters().size(), 3U);
  copy->to(Device::cpu());
  EXPECT_EQ(copy->parameters().size(), 3U);
}

TEST(TiedParameters, AreAveragedAndSwappedOnce) {
  Tied net;
  Tensor weight = net.embed->weight.data();
  weight.copy_from(Tensor::full({4, 2}, 1));
  Ema ema(net, 0.5);
  weight.copy_from(Tensor::full({4, 2}, 3));
  ema.update();
  {
    const EmaScope scope(ema);
    EXPECT_EQ(weight.to_vector(), std::vector<float>(8, 2));
  }
  EXPECT_EQ(weight.to_vector(), std::vector<float>(8, 3));
  Ema restored(net, 0.5);
  restored.load_state(ema.state());
  const EmaScope scope(restored);
  EXPECT_EQ(weight.to_vector(), std::vector<float>(8, 2));
}

TEST(TiedParameters, AreFrozenUnderEitherName) {
  for (const char* name : {"embed", "head.weight"}) {
    Tied net;
    EXPECT_EQ(net.freeze(name), 1);
    EXPECT_FALSE(net.embed->weight.requires_grad());
    EXPECT_FALSE(net.head->weight.requires_grad());
    EXPECT_TRUE(net.embed->is_frozen());
    EXPECT_FALSE(net.head->is_frozen()) << "its bias is free";
    EXPECT_EQ(net.freeze("head.bias"), 1);
    EXPECT_TRUE(net.head->is_frozen());
    EXPECT_EQ(net.unfreeze("head"), 2);
    EXPECT_FALSE(net.embed->is_frozen());
    EXPECT_TRUE(net.embed->weight.requires_grad());
  }
}

TEST(TiedParameters, AreInAStateDictUnderBothNamesAndComeBackTied) {
  Tied net, other;
  const StateDict dict = net.state_dict();
  EXPECT_TRUE(dict.contains("embed.weight"));
  EXPECT_TRUE(dict.contains("head.weight"));
  other.load_state_dict(dict);
  EXPECT_TRUE(is_tied(other));
  EXPECT_EQ(other.head->weight.data().to_vector(), net.embed->weight.data().to_vector());
}

TEST(TiedParameters, MustHaveOneShape) {
  Linear a(2, 3), b(3, 2);
  EXPECT_THROW(a.weight.tie_to(b.weight), ValueError);
  Linear without(2, 3, /*bias=*/false);
  EXPECT_THROW(a.bias.tie_to(without.bias), ValueError);
}

}  // namespace
}  // namespace hanok::nn
