// Whole networks against PyTorch's double-precision results (tests/golden/nn_*.json): logits, every
// parameter's gradient, running statistics, and ten steps of SGD and AdamW.
#include <algorithm>
#include <gtest/gtest.h>
#include <map>

#include "hanok/nn/layers.h"
#include "hanok/nn/models/registry.h"
#include "hanok/nn/models/resnet.h"
#include "hanok/nn/models/small.h"
#include "hanok/nn/optim.h"
#include "tests/golden/golden.h"

namespace hanok::nn {
namespace {

using golden::Json;

constexpr double kTolerance = 1e-4;

void fill(Module& module, const std::string& prefix) {
  for (const auto& [name, tensor] : module.state_dict()) {
    Tensor target = tensor;
    if (name.ends_with("num_batches_tracked")) {
      target.copy_from(Tensor::zeros({}, {DType::I64}));
    } else {
      golden::fill_parameter(target, name, prefix + name);
    }
  }
}

std::unique_ptr<ResNet> formula_resnet18(const Json& json) {
  auto net = resnet18(json.at("classes"));
  fill(*net, json.at("prefix"));
  return net;
}

Tensor images_of(const Json& json) {
  return golden::tensor(json.at("prefix").get<std::string>() + "images", json.at("images"));
}

Tensor labels_of(const Json& json) {
  const std::int64_t batch = json.at("images").at("shape")[0];
  return Tensor::from_vector(
      golden::integers(json.at("prefix").get<std::string>() + "labels", batch, json.at("classes")),
      {batch});
}

double norm_of(const Tensor& a, const Tensor& minus = {}) {
  const auto values = a.to_vector();
  const auto others = minus.defined() ? minus.to_vector() : std::vector<float>(values.size());
  double squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = static_cast<double>(values[i]) - others[i];
    squares += difference * difference;
  }
  return std::sqrt(squares);
}

void expect_forward_and_gradients(Module& net, const Json& json) {
  const std::string prefix = json.at("prefix");
  net.train(json.at("training"));
  Tensor images = images_of(json);
  images.set_requires_grad(true);
  const Tensor logits = net(images);
  EXPECT_TRUE(golden::is_near(prefix + "logits", logits.detach(), json.at("logits"), kTolerance));
  const Tensor loss = ops::cross_entropy(logits, labels_of(json));
  EXPECT_NEAR(loss.item(), json.at("loss").get<double>(), kTolerance);
  loss.backward();
  EXPECT_TRUE(golden::is_near(prefix + "images#gradient", images.grad(), json.at("images_gradient"),
                              kTolerance));
  const auto parameters = net.named_parameters();
  ASSERT_EQ(parameters.size(), json.at("gradients").size());
  for (const auto& [name, parameter] : parameters) {
    EXPECT_TRUE(golden::is_near(prefix + name + "#gradient", parameter.grad(),
                                json.at("gradients").at(name), kTolerance));
  }
}

TEST(GoldenModels, LeNetLogitsAndGradientsEqualPyTorch) {
  const Json json = golden::load("nn_lenet.json");
  LeNet net(json.at("classes"), 1, 32);
  fill(net, json.at("prefix"));
  expect_forward_and_gradients(net, json);
}

TEST(GoldenModels, ResNet18TrainingEqualsPyTorch) {
  const Json json = golden::load("nn_resnet18_train.json");
  expect_forward_and_gradients(*formula_resnet18(json), json);
}

TEST(GoldenModels, ResNet18EvaluationEqualsPyTorch) {
  const Json json = golden::load("nn_resnet18_eval.json");
  expect_forward_and_gradients(*formula_resnet18(json), json);
}

TEST(GoldenModels, CloneComputesTheSame) {
  const Json json = golden::load("nn_resnet18_eval.json");
  const auto copy = formula_resnet18(json)->clone();
  expect_forward_and_gradients(*copy, json);
}

TEST(GoldenModels, RunningStatisticsEqualPyTorch) {
  const Json json = golden::load("nn_resnet18_buffers.json");
  const auto net = formula_resnet18(json);
  const Tensor images = images_of(json);
  for (int step = 0; step < json.at("steps").get<int>(); ++step) (*net)(images);
  const auto buffers = net->named_buffers();
  ASSERT_EQ(buffers.size(), json.at("buffers").size());
  for (const auto& [name, buffer] : buffers) {
    if (name.ends_with("num_batches_tracked")) {
      EXPECT_EQ(buffer.item(), json.at("steps").get<int>()) << name;
      continue;
    }
    EXPECT_TRUE(golden::is_near(json.at("prefix").get<std::string>() + name, buffer,
                                json.at("buffers").at(name), kTolerance));
  }
}

class FurtherModels : public testing::TestWithParam<const char*> {};

TEST_P(FurtherModels, LogitsAndGradientNormsEqualTheReference) {
  const Json json = golden::load(std::string("nn_") + GetParam() + ".json");
  const std::string prefix = json.at("prefix");
  std::unique_ptr<Module> net;
  {
    const WithoutInit without_init;
    net = make_model(GetParam(), json.at("classes"), 32);
  }
  fill(*net, prefix);
  net->eval();
  if (json.at("gradient_norms").empty()) net->freeze("*");
  const Tensor logits = (*net)(images_of(json));
  EXPECT_TRUE(golden::is_near(prefix + "logits", logits.detach(), json.at("logits"), kTolerance));
  if (!logits.requires_grad()) return;
  logits.backward(golden::tensor(prefix + "logits#gradient", logits.shape(),
                                 json.at("images").at("spread"), json.at("images").at("bits")));
  std::size_t compared = 0;
  for (const auto& [name, parameter] : net->named_parameters()) {
    if (!parameter.requires_grad()) continue;
    const double expected = json.at("gradient_norms").at(name);
    EXPECT_NEAR(norm_of(parameter.grad()), expected, kTolerance * expected) << name;
    ++compared;
  }
  EXPECT_EQ(compared, json.at("gradient_norms").size());
}

INSTANTIATE_TEST_SUITE_P(All, FurtherModels,
                         testing::Values("resnet34", "resnet50", "resnet101", "wide_resnet50_2",
                                         "resnext50_32x4d", "mobilenet_v2", "mobilenet_v3_small",
                                         "efficientnet_b0", "tf_efficientnet_b0",
                                         "efficientnet_lite0", "convnext_tiny", "vgg16_bn"),
                         [](const auto& info) { return std::string(info.param); });

/// Switches dropout and stochastic depth off; their probabilities, in the order of modules().
std::vector<double> switch_drops_off(Module& net) {
  std::vector<double> probabilities;
  for (Module* module : net.modules()) {
    auto* dropout = dynamic_cast<Dropout*>(module);
    auto* depth = dynamic_cast<StochasticDepth*>(module);
    if (dropout == nullptr && depth == nullptr) continue;
    probabilities.push_back(static_cast<double>(dropout != nullptr ? dropout->p : depth->p));
    module->eval();
  }
  return probabilities;
}

class LaterModels : public testing::TestWithParam<const char*> {};

TEST_P(LaterModels, TrainingWithoutDropsEqualsTheReference) {
  const Json json = golden::load(std::string("nn_") + GetParam() + "_train.json");
  const std::string prefix = json.at("prefix");
  const auto net = make_model(GetParam(), json.at("classes"), json.at("images").at("shape")[2]);
  fill(*net, prefix);
  const std::vector<double> drops = switch_drops_off(*net);
  ASSERT_EQ(drops.size(), json.at("drops").size());
  for (std::size_t i = 0; i < drops.size(); ++i) {
    EXPECT_NEAR(drops[i], json.at("drops")[i].get<double>(), 1e-6) << "drop " << i;
  }
  const Tensor logits = (*net)(images_of(json));
  EXPECT_TRUE(golden::is_near(prefix + "logits", logits.detach(), json.at("logits"), kTolerance));
  const Tensor loss = ops::cross_entropy(logits, labels_of(json));
  EXPECT_NEAR(loss.item(), json.at("loss").get<double>(), kTolerance);
  loss.backward();
  const auto norms = json.at("gradient_norms").get<std::map<std::string, double>>();
  double largest = 0;
  for (const auto& [name, norm] : norms) largest = std::max(largest, norm);
  const auto parameters = net->named_parameters();
  ASSERT_EQ(parameters.size(), norms.size());
  for (const auto& [name, parameter] : parameters) {
    // If the gradient is only rounding noise, it is compared relative to the others.
    EXPECT_NEAR(norm_of(parameter.grad()), norms.at(name),
                kTolerance * norms.at(name) + 1e-6 * largest)
        << name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, LaterModels,
                         testing::Values("mobilenet_v3_small", "efficientnet_b0",
                                         "tf_efficientnet_b0", "efficientnet_lite0",
                                         "convnext_tiny"),
                         [](const auto& info) { return std::string(info.param); });

// Runs the golden's steps on its one batch and checks the losses; `start` gets the initial values
// of the parameters.
void train(ResNet& net, Optimizer& optimizer, const Json& json, std::vector<Tensor>& start) {
  for (const Tensor& parameter : net.parameters()) start.push_back(parameter.clone());
  const Tensor images = images_of(json), labels = labels_of(json);
  for (const auto& expected : json.at("losses")) {
    optimizer.zero_grad();
    const Tensor loss = ops::cross_entropy(net(images), labels);
    EXPECT_NEAR(loss.item(), expected.get<double>(), kTolerance);
    loss.backward();
    optimizer.step();
  }
}

// PyTorch's single precision is within 3e-5 (SGD) and 2e-4 (AdamW) of double, relative to the
// distance that a parameter has moved; a wrong term in the update exceeds this by far.
constexpr double kMovedTolerance = 1e-3;

TEST(GoldenModels, TenSgdStepsEqualPyTorch) {
  const Json json = golden::load("nn_resnet18_sgd.json");
  const Json& o = json.at("optimizer");
  const auto net = formula_resnet18(json);
  SgdOptions options;
  options.learning_rate = o.at("learning_rate");
  options.momentum = o.at("momentum");
  options.weight_decay = o.at("weight_decay");
  options.nesterov = o.at("nesterov");
  const auto optimizer = make_sgd({{"all", net->parameters(), -1, -1}}, options);
  std::vector<Tensor> start;
  train(*net, *optimizer, json, start);
  const auto parameters = net->named_parameters();
  ASSERT_EQ(parameters.size(), json.at("parameters").size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& [name, parameter] = parameters[i];
    EXPECT_TRUE(golden::is_near(json.at("prefix").get<std::string>() + name, parameter.detach(),
                                json.at("parameters").at(name), kTolerance));
    const double moved = json.at("moved").at(name);
    EXPECT_NEAR(norm_of(parameter, start[i]), moved, kMovedTolerance * moved) << name;
  }
}

TEST(GoldenModels, TenAdamWStepsEqualPyTorch) {
  const Json json = golden::load("nn_resnet18_adamw.json");
  const Json& o = json.at("optimizer");
  const auto net = formula_resnet18(json);
  AdamOptions options;
  options.learning_rate = o.at("learning_rate");
  options.beta1 = o.at("beta1");
  options.beta2 = o.at("beta2");
  options.epsilon = o.at("epsilon");
  options.weight_decay = o.at("weight_decay");
  const auto optimizer = make_adamw({{"all", net->parameters(), -1, -1}}, options);
  std::vector<Tensor> start;
  train(*net, *optimizer, json, start);
  const auto parameters = net->named_parameters();
  ASSERT_EQ(parameters.size(), json.at("norms").size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& [name, parameter] = parameters[i];
    const double norm = json.at("norms").at(name), moved = json.at("moved").at(name);
    EXPECT_NEAR(norm_of(parameter), norm, kTolerance * norm) << name;
    EXPECT_NEAR(norm_of(parameter, start[i]), moved, kMovedTolerance * moved) << name;
  }
}

}  // namespace
}  // namespace hanok::nn
