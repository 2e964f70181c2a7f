#include "hanok/nn/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/containers.h"
#include "hanok/nn/layers.h"

namespace hanok::nn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Has all kinds of members: fixed and replaceable children, an empty slot, its own parameter and
// buffer.
class Net : public Module {
 public:
  Tensor forward(const Tensor& x) override {
    const Tensor y = bn(fc1(x));
    return ops::mul(head(ops::relu(y)), scale);
  }
  std::unique_ptr<Module> clone() const override { return clone_as<Net>(); }
  std::string type_name() const override { return "Net"; }

  Parameter scale{this, "scale", Tensor::ones({1})};
  Parameter shift{this, "shift", Tensor()};
  Buffer count{this, "count", Tensor::zeros({}, {DType::I64})};
  Child<Linear> fc1{this, "fc1", 4, 3};
  Child<BatchNorm1d> bn{this, "bn", 3};
  Child<Module> empty{this, "empty", nullptr};
  Child<Module> head{this, "head", std::make_unique<Linear>(3, 2)};
};

std::vector<std::string> names(const std::vector<NamedTensor>& entries) {
  std::vector<std::string> result;
  for (const NamedTensor& entry : entries) result.push_back(entry.name);
  return result;
}

std::vector<std::string> names(const StateDict& dict) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : dict) result.push_back(name);
  return result;
}

template <typename F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "nothing thrown";
}

Tensor input() {
  return Tensor::from_vector(std::vector<float>{1, 2, 3, 4, -1, 0, 2, 1, 0, 3, -2, 5}, {3, 4});
}

// ---- the registry ----

TEST(Module, RunningAnEmptySlotIsAnError) {
  Net net;
  const Tensor x = Tensor::ones({2, 4});
  EXPECT_EQ(message_of([&] { net.empty(x); }), "module: slot 'empty' is empty and cannot be run");
  net.replace_submodule("head", nullptr);
  EXPECT_THAT(message_of([&] { net(x); }), HasSubstr("slot 'head' is empty"));
  Sequential layers;
  layers.append(std::make_unique<ReLU>());
  layers.append(std::make_unique<ReLU>());
  layers.replace_submodule("1", nullptr);
  EXPECT_THAT(message_of([&] { layers(x); }), HasSubstr("slot '1' is empty"));
}

TEST(Module, ListsMembersInOrderOfDeclarationParentsFirst) {
  Net net;
  EXPECT_THAT(names(net.named_parameters()),
              ElementsAre("scale", "fc1.weight", "fc1.bias", "bn.weight", "bn.bias", "head.weight",
                          "head.bias"));
  EXPECT_THAT(names(net.named_buffers()),
              ElementsAre("count", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"));
  EXPECT_THAT(names(net.named_parameters("net")), testing::Contains("net.fc1.weight"));
  std::vector<std::string> modules;
  for (const auto& [name, module] : net.named_modules()) modules.push_back(name);
  EXPECT_THAT(modules, ElementsAre("", "fc1", "bn", "head"));
  EXPECT_EQ(net.modules().size(), 4U);
  EXPECT_EQ(net.children().size(), 4U);
  EXPECT_EQ(net.parameters().size(), 7U);
}

TEST(Module, ParametersNeedGradientsAndBuffersDoNot) {
  Net net;
  for (const Tensor& parameter : net.parameters()) EXPECT_TRUE(parameter.requires_grad());
  for (const auto& [name, buffer] : net.named_buffers()) EXPECT_FALSE(buffer.requires_grad());
}

TEST(Module, ReplacingAChildIsOneAssignmentAndNamesFollow) {
  Net net;
  net.head = std::make_unique<Linear>(3, 18);
  EXPECT_EQ(net.state_dict().at("head.weight").shape(), (Shape{18, 3}));
  EXPECT_EQ(net(input()).shape(), (Shape{3, 18}));
  auto two = std::make_unique<Sequential>();
  two->append(std::make_unique<Linear>(3, 5));
  two->append(std::make_unique<Linear>(5, 2));
  net.head = std::move(two);
  EXPECT_THAT(names(net.named_parameters()), testing::Contains("head.1.weight"));
  EXPECT_EQ(net(input()).shape(), (Shape{3, 2}));
}

TEST(Module, ASlotRefusesAModuleOfAnotherType) {
  Net net;
  EXPECT_THAT(message_of([&] { net.fc1.replace(std::make_unique<ReLU>()); }),
              HasSubstr("slot 'fc1' cannot hold a ReLU"));
  net.fc1.replace(std::make_unique<Linear>(4, 3));
  net.empty.replace(std::make_unique<ReLU>());
  EXPECT_EQ(net.modules().size(), 5U);
  net.empty.replace(nullptr);
  EXPECT_FALSE(net.empty);
}

TEST(Module, RefusesNamesThatAreTakenEmptyOrDotted) {
  Net net;
  EXPECT_THAT(message_of([&] { Parameter again(&net, "fc1", Tensor::ones({1})); }),
              HasSubstr("two members are named 'fc1'"));
  EXPECT_THROW(Buffer(&net, "", Tensor::ones({1})), ValueError);
  EXPECT_THROW(Child<ReLU>(&net, "a.b"), ValueError);
  EXPECT_EQ(net.parameters().size(), 7U);
}

TEST(Module, GetSubmoduleGoesDownThePathAndSuggestsNearNames) {
  Net net;
  EXPECT_EQ(&net.get_submodule("fc1"), &*net.fc1);
  EXPECT_EQ(&net.get_submodule(""), &net);
  EXPECT_THAT(message_of([&] { net.get_submodule("fc2"); }), HasSubstr("near: fc1"));
}

TEST(Module, ReplaceSubmoduleGoesDownThePath) {
  Net net;
  auto two = std::make_unique<Sequential>();
  two->append(std::make_unique<Linear>(3, 5));
  two->append(std::make_unique<Linear>(5, 2));
  net.replace_submodule("head", std::move(two));
  net.replace_submodule("head.1", std::make_unique<Linear>(5, 9));
  EXPECT_EQ(net(input()).shape(), (Shape{3, 9}));
  EXPECT_THAT(message_of([&] { net.replace_submodule("heat", nullptr); }), HasSubstr("near: head"));
  EXPECT_THAT(message_of([&] { net.replace_submodule("fc1", std::make_unique<ReLU>()); }),
              HasSubstr("cannot hold a ReLU"));
  EXPECT_THROW(net.replace_submodule("nowhere.0", nullptr), ValueError);
}

// ---- modes ----

TEST(Module, TrainAndEvalReachAllChildren) {
  Net net;
  net.eval();
  for (Module* module : net.modules()) EXPECT_FALSE(module->is_training());
  net.train();
  for (Module* module : net.modules()) EXPECT_TRUE(module->is_training());
}

TEST(Module, TrainingDropsThePackedWeightsOfEvaluationUnlessTheyAreFrozen) {
  const auto packed_bytes = [] {
    const auto by_tag = allocator_of(Device::cpu()).statistics().in_use_by_tag;
    const auto found = by_tag.find("packed weights");
    return found == by_tag.end() ? 0 : found->second;
  };
  const std::size_t before = packed_bytes();
  Sequential model;
  Conv2dOptions conv;
  conv.in_channels = 32;
  conv.out_channels = 32;
  conv.kernel_h = conv.kernel_w = 3;
  model.append(std::make_unique<Conv2d>(conv));
  model.append(std::make_unique<Conv2d>(conv));
  model.freeze("0.*");
  model.eval();
  {
    const NoGrad no_grad;
    model(Tensor::ones({4, 32, 12, 12}));
  }
  const std::size_t evaluated = packed_bytes() - before;
  EXPECT_GE(evaluated, 2 * 36 * 32 * 32 * sizeof(float));  // F(4x4) packs of both weights
  model.train();
  EXPECT_EQ(packed_bytes() - before, evaluated / 2);  // the pack of the frozen weight
  model.unfreeze("*");
  model.train();
  EXPECT_EQ(packed_bytes(), before);
}

TEST(Module, ApplyVisitsChildrenBeforeParents) {
  Net net;
  std::vector<std::string> seen;
  net.apply([&](Module& module) { seen.push_back(module.type_name()); });
  EXPECT_THAT(seen, ElementsAre("Linear", "BatchNorm1d", "Linear", "Net"));
}

TEST(Module, ZeroGradDropsGradients) {
  Net net;
  ops::sum(net(input())).backward();
  EXPECT_TRUE(net.fc1->weight.grad().defined());
  net.zero_grad();
  for (const Tensor& parameter : net.parameters()) {
    const Tensor grad = parameter.grad();
    if (!grad.defined()) continue;
    for (const float value : grad.to_vector()) EXPECT_EQ(value, 0);
  }
}

TEST(Module, ToKeepsTheIdentityOfParameters) {
  Net net;
  const TensorImpl* before = net.fc1->weight.data().id();
  const auto values = net.fc1->weight.data().to_vector();
  net.to(Device::cpu());
  EXPECT_EQ(net.fc1->weight.data().id(), before);
  EXPECT_EQ(net.fc1->weight.data().to_vector(), values);
  EXPECT_TRUE(net.fc1->weight.requires_grad());
}

// ---- freezing ----

TEST(Module, FreezeStopsGradientsAndRunningStatistics) {
  Net net;
  EXPECT_EQ(net.freeze("bn"), 2);
  EXPECT_TRUE(net.bn->is_frozen());
  EXPECT_FALSE(net.bn->state().training);
  net.train();
  EXPECT_FALSE(net.bn->state().training);
  const auto mean = net.bn->running_mean.data().to_vector();
  ops::sum(net(input())).backward();
  EXPECT_FALSE(net.bn->weight.grad().defined());
  EXPECT_TRUE(net.fc1->weight.grad().defined());
  EXPECT_EQ(net.bn->running_mean.data().to_vector(), mean);
  EXPECT_EQ(net.bn->num_batches_tracked.data().item(), 0);

  EXPECT_EQ(net.unfreeze("bn.*"), 2);
  EXPECT_TRUE(net.bn->state().training);
  ops::sum(net(input())).backward();
  EXPECT_TRUE(net.bn->weight.grad().defined());
  EXPECT_EQ(net.bn->num_batches_tracked.data().item(), 1);
}

TEST(Module, SettingRequiresGradByHandDoesNotFreeze) {
  Net net;
  net.bn->weight.set_requires_grad(false);
  net.bn->bias.set_requires_grad(false);
  EXPECT_FALSE(net.bn->is_frozen());
  EXPECT_TRUE(net.bn->state().training);
  net(input());
  EXPECT_EQ(net.bn->num_batches_tracked.data().item(), 1);
}

TEST(Module, ABatchNormIsFrozenOnlyWithAllItsParameters) {
  Net net;
  net.freeze("*.weight");
  EXPECT_FALSE(net.bn->is_frozen());
  EXPECT_FALSE(net.bn->weight.requires_grad());
  net.freeze("*.bias");
  EXPECT_TRUE(net.bn->is_frozen());
  EXPECT_FALSE(net.is_frozen());  // scale is not frozen
  net.freeze("scale");
  EXPECT_TRUE(net.is_frozen());
  net.bn->weight.set_requires_grad(true);  // set directly: it trains again, so it is not frozen
  EXPECT_FALSE(net.bn->is_frozen());
}

TEST(Module, AModuleWithoutParametersIsNotFrozen) {
  Net net;
  net.empty = std::make_unique<ReLU>();
  net.freeze("*");
  EXPECT_FALSE(net.empty->is_frozen());
  EXPECT_TRUE(net.is_frozen());
}

TEST(Module, AGlobThatMatchesNothingIsAnErrorWithNearNames) {
  Net net;
  EXPECT_THAT(message_of([&] { net.freeze("fc2.weight"); }), HasSubstr("fc1.weight"));
  EXPECT_THAT(message_of([&] { net.unfreeze("nothing*"); }), HasSubstr("unfreeze: no parameter"));
  // A prefix of a name does not match.
  EXPECT_THROW(net.freeze("fc"), ValueError);
  for (const Tensor& parameter : net.parameters()) EXPECT_TRUE(parameter.requires_grad());
}

TEST(Module, AFrozenPrefixRecordsNoGraph) {
  Net net;
  net.freeze("*");
  EXPECT_FALSE(net(input()).requires_grad());
  net.unfreeze("head");
  EXPECT_TRUE(net(input()).requires_grad());
}

// ---- state ----

TEST(Module, StateDictListsParametersThenBuffersOfEachModule) {
  Net net;
  EXPECT_THAT(names(net.state_dict()),
              ElementsAre("scale", "count", "fc1.weight", "fc1.bias", "bn.weight", "bn.bias",
                          "bn.running_mean", "bn.running_var", "bn.num_batches_tracked",
                          "head.weight", "head.bias"));
}

TEST(Module, LoadingAStateDictGivesTheSameOutputs) {
  Net a, b;
  a(input());  // updates running statistics
  a.eval();
  b.eval();
  const TensorImpl* identity = b.fc1->weight.data().id();
  b.load_state_dict(a.state_dict());
  EXPECT_EQ(a(input()).to_vector(), b(input()).to_vector());
  EXPECT_EQ(b.fc1->weight.data().id(), identity);
  EXPECT_EQ(b.bn->num_batches_tracked.data().item(), 1);
  // The values are copied: both modules are independent.
  a.scale.data().mutable_data<float>()[0] += 1;
  EXPECT_NE(a(input()).to_vector(), b(input()).to_vector());
}

TEST(Module, LoadReportsEverythingAtOnceAndLeavesTheModuleUntouched) {
  Net net;
  const auto before = net.fc1->bias.data().to_vector();
  StateDict dict = Net().state_dict();
  dict.erase("fc1.weight");
  dict.erase("scale");
  dict.erase("head.bias");
  dict.insert("fc1.weigth", Tensor::zeros({3, 4}));
  dict.insert("head.bias", Tensor::zeros({5}));
  dict.erase("bn.running_var");
  dict.insert("bn.running_var", Tensor::zeros({3}, {DType::F64}));
  const std::string message = message_of([&] { net.load_state_dict(dict); });
  EXPECT_THAT(message, HasSubstr("2 missing, 1 unexpected and 2 mismatched"));
  EXPECT_THAT(message, HasSubstr("missing: fc1.weight (near: fc1.weigth)"));
  EXPECT_THAT(message, HasSubstr("missing: scale"));
  EXPECT_THAT(message, HasSubstr("unexpected: fc1.weigth (near: fc1.weight)"));
  EXPECT_THAT(message, HasSubstr("mismatch: head.bias: found f32 [5], expected f32 [2]"));
  EXPECT_THAT(message, HasSubstr("mismatch: bn.running_var: found f64 [3], expected f32 [3]"));
  EXPECT_EQ(net.fc1->bias.data().to_vector(), before);
}

TEST(Module, NotStrictAllowsMissingAndUnexpectedButNoMismatch) {
  Net net;
  StateDict dict;
  dict.insert("fc1.bias", Tensor::full({3}, 7));
  dict.insert("other", Tensor::zeros({1}));
  const LoadReport report = net.load_state_dict(dict, /*strict=*/false);
  EXPECT_EQ(report.missing.size(), 9U);  // all but fc1.bias and num_batches_tracked
  EXPECT_THAT(report.unexpected, ElementsAre("other"));
  EXPECT_EQ(net.fc1->bias.data().to_vector(), (std::vector<float>{7, 7, 7}));
  dict.insert("head.bias", Tensor::zeros({9}));
  EXPECT_THROW(net.load_state_dict(dict, /*strict=*/false), ValueError);
}

TEST(Module, OldFilesWithoutNumBatchesTrackedLoad) {
  Net net;
  StateDict dict = Net().state_dict();
  dict.erase("bn.num_batches_tracked");
  const LoadReport report = net.load_state_dict(dict);
  EXPECT_TRUE(report.missing.empty());
}

TEST(Module, CloneIsDeepAndKeepsValuesModesAndStructure) {
  Net net;
  net.head = std::make_unique<Linear>(3, 7);
  net.freeze("bn");
  net.scale.set_requires_grad(false);
  net(input());
  net.eval();
  const auto copy = net.clone();
  EXPECT_EQ((*copy)(input()).to_vector(), net(input()).to_vector());
  EXPECT_FALSE(copy->is_training());
  EXPECT_TRUE(copy->get_submodule("bn").is_frozen());
  EXPECT_FALSE(copy->named_parameters()[0].tensor.requires_grad());
  EXPECT_TRUE(copy->named_parameters()[1].tensor.requires_grad());
  EXPECT_EQ(names(copy->state_dict()), names(net.state_dict()));
  copy->named_parameters()[0].tensor.mutable_data<float>()[0] += 1;  // scale
  EXPECT_NE((*copy)(input()).to_vector(), net(input()).to_vector());
}

TEST(Module, CloneDrawsNoRandomNumbers) {
  Net net;
  Generator::global().set_seed(5);
  const auto first = Linear(3, 3).weight.data().to_vector();
  Generator::global().set_seed(5);
  net.clone();
  EXPECT_EQ(Linear(3, 3).weight.data().to_vector(), first);
}

// ---- hooks ----

TEST(Module, ForwardHooksSeeInputAndOutputUntilRemoved) {
  Net net;
  std::vector<std::string> calls;
  const auto record = [&](const char* label) {
    return [&calls, label](Module& module, const Tensor& x, const Tensor& y) {
      calls.push_back(label + module.type_name() + x.shape().to_string() + y.shape().to_string());
    };
  };
  const int first = net.head->register_forward_hook(record("a "));
  net.head->register_forward_hook(record("b "));
  net(input());
  EXPECT_THAT(calls, ElementsAre("a Linear[3,3][3,2]", "b Linear[3,3][3,2]"));
  net.head->remove_forward_hook(first);
  net(input());
  EXPECT_EQ(calls.size(), 3U);
  EXPECT_THAT(message_of([&] { net.head->remove_forward_hook(first); }),
              HasSubstr("no forward hook"));
  EXPECT_FALSE(net.head->clone()->has_forward_hooks());
}

TEST(Module, AHookMayRemoveItself) {
  ReLU relu;
  int calls = 0;
  int id = 0;
  id = relu.register_forward_hook([&](Module& module, const Tensor&, const Tensor&) {
    ++calls;
    module.remove_forward_hook(id);
  });
  relu(input());
  relu(input());
  EXPECT_EQ(calls, 1);
}

// ---- printing ----

TEST(Module, PrintsTheTreeThatPyTorchPrints) {
  Net net;
  std::ostringstream out;
  out << net;
  EXPECT_EQ(
      out.str(),
      "Net(\n"
      "  (fc1): Linear(in_features=4, out_features=3, bias=True)\n"
      "  (bn): BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)\n"
      "  (head): Linear(in_features=3, out_features=2, bias=True)\n"
      ")");
}

TEST(Module, PrintsParameterCountsOnRequest) {
  Net net;
  net.head = std::make_unique<Linear>(3, 500);
  net.freeze("fc1.weight");
  const std::string text = net.to_string(/*parameter_counts=*/true);
  EXPECT_THAT(text, HasSubstr("Net(  # 2,022 parameters, 12 frozen\n"));
  EXPECT_THAT(text, HasSubstr("bias=True)  # 2,000 parameters\n"));
  EXPECT_THAT(net.to_string(), Not(HasSubstr("#")));
}

}  // namespace
}  // namespace hanok::nn
