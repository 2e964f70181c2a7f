// Which parts each network is cut into, and when they learn.
#include "hanok/apps/training/freezing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "hanok/apps/run/network.h"
#include "hanok/nn/models/registry.h"

namespace hanok::training {
namespace {

using ::testing::ElementsAre;

/// Names of the parts of --mode gradual, head first.
std::vector<std::string> parts_of(const std::string& model,
                                  const std::vector<std::int64_t>& hidden = {}) {
  const nn::WithoutInit without_init;
  const auto network = make_network(model, 3, 32, hidden);
  const FreezingPlan plan(*network, nn::head_name(model), {.mode = FreezingMode::Gradual});
  std::vector<std::string> names;
  for (const FreezingPlan::Part& part : plan.parts()) names.push_back(part.name);
  return names;
}

TEST(FreezingParts, AreBlocksOfEveryModelOfTheRegistry) {
  const std::map<std::string, std::size_t> counts = {{"resnet18", 6},
                                                     {"resnet34", 6},
                                                     {"resnet50", 6},
                                                     {"resnet101", 6},
                                                     {"wide_resnet50_2", 6},
                                                     {"resnext50_32x4d", 6},
                                                     {"mobilenet_v2", 20},
                                                     {"mobilenet_v3_small", 15},
                                                     {"efficientnet_b0", 10},
                                                     {"tf_efficientnet_b0", 10},
                                                     {"efficientnet_lite0", 10},
                                                     {"convnext_tiny", 9},
                                                     {"vgg16_bn", 8},
                                                     {"lenet", 5},
                                                     {"mlp", 2}};
  for (const std::string& model : nn::model_names()) {
    ASSERT_EQ(counts.count(model), 1U) << "count the blocks of " << model << " here";
    EXPECT_EQ(parts_of(model).size(), counts.at(model)) << model;
  }
}

TEST(FreezingParts, AreNamedAfterTheBlocks) {
  EXPECT_THAT(parts_of("resnet18"),
              ElementsAre("fc", "layer4", "layer3", "layer2", "layer1", "conv1+bn1"));
  EXPECT_THAT(parts_of("vgg16_bn"),
              ElementsAre("classifier.6", "classifier.3", "classifier.0", "features.34-41",
                          "features.24-31", "features.14-21", "features.7-11", "features.0-4"));
  EXPECT_THAT(parts_of("convnext_tiny"),
              ElementsAre("classifier.2", "features.7+classifier.0", "features.6", "features.5",
                          "features.4", "features.3", "features.2", "features.1", "features.0"));
  EXPECT_THAT(parts_of("lenet"), ElementsAre("fc3", "fc2", "fc1", "conv2", "conv1"));
  EXPECT_THAT(parts_of("mlp"), ElementsAre("head", "hidden.0"));
  const std::vector<std::string> mobilenet = parts_of("mobilenet_v2");
  EXPECT_EQ(mobilenet[0], "classifier.1");
  EXPECT_EQ(mobilenet[1], "features.18");
  EXPECT_EQ(mobilenet[19], "features.0");
  EXPECT_EQ(parts_of("mobilenet_v3_small")[1], "classifier.0");
}

TEST(FreezingParts, AreTheSameWithHiddenLayersBeforeTheHead) {
  for (const std::string& model : nn::model_names()) {
    EXPECT_EQ(parts_of(model, {8, 4}), parts_of(model)) << model;
  }
}

class EveryModel : public ::testing::TestWithParam<std::string> {
 protected:
  EveryModel() : model_(make(GetParam())), head_(nn::head_name(GetParam())) {}

  static std::unique_ptr<nn::Module> make(const std::string& name) {
    const nn::WithoutInit without_init;
    return nn::make_model(name, 3, 32);
  }

  std::unique_ptr<nn::Module> model_;
  std::string head_;
};

TEST_P(EveryModel, LearnsTheHeadAloneFirstWithFewEpochs) {
  const FreezingPlan plan(*model_, head_, {.mode = FreezingMode::Gradual, .epochs = 2});
  const std::int64_t of_head = trainable_parameters(*model_);
  EXPECT_TRUE(plan.apply(*model_, 1));
  const std::int64_t of_all = trainable_parameters(*model_);
  EXPECT_LT(of_head, of_all);
  model_->freeze("*");
  model_->unfreeze(head_);
  EXPECT_EQ(of_head, trainable_parameters(*model_));
}

TEST_P(EveryModel, LearnsMoreInEveryStageOfGradual) {
  const FreezingPlan counted(*model_, head_, {});
  const auto count = static_cast<std::int64_t>(counted.parts().size());
  const FreezingPlan plan(*model_, head_, {.mode = FreezingMode::Gradual, .epochs = 2 * count});
  std::int64_t before = 0;
  for (std::int64_t epoch = 0; epoch < 2 * count; ++epoch) {
    EXPECT_EQ(plan.apply(*model_, epoch), epoch % 2 == 0) << epoch;  // two epochs a stage
    const std::int64_t now = trainable_parameters(*model_);
    if (epoch % 2 == 0) {
      EXPECT_GT(now, before) << epoch;
    } else {
      EXPECT_EQ(now, before) << epoch;
    }
    before = now;
  }
  const FreezingPlan all(*model_, head_, {.mode = FreezingMode::Finetune});
  EXPECT_EQ(trainable_parameters(*model_), before);
}

TEST_P(EveryModel, FreesTheHeadFirstAndThenUpwardsOfTheStem) {
  const FreezingPlan plan(*model_, head_, {.mode = FreezingMode::Gradual, .epochs = 100});
  plan.apply(*model_, 0);
  for (const nn::NamedTensor& parameter : model_->named_parameters()) {
    EXPECT_EQ(parameter.tensor.requires_grad(), parameter.name.rfind(head_ + ".", 0) == 0)
        << parameter.name;
  }
  // Parameters are listed from the stem to the head: their parts never grow.
  std::size_t part = plan.parts().size();
  for (const nn::NamedTensor& parameter : model_->named_parameters()) {
    const std::size_t own = plan.part_of(parameter.name);
    EXPECT_LE(own, part) << parameter.name;
    part = own;
  }
  EXPECT_EQ(part, 0U);
}

TEST_P(EveryModel, ShowsItsStages) {
  const std::string table = stages_table(*model_, head_);
  const FreezingPlan plan(*model_, head_, {});
  for (const FreezingPlan::Part& part : plan.parts()) {
    EXPECT_THAT(table, ::testing::HasSubstr("  " + part.name + " ")) << table;
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, EveryModel, ::testing::ValuesIn(nn::model_names()),
                         [](const auto& each) { return each.param; });

TEST(FreezingPlan, OptimiserGroupsAreTheChildrenOfTheNetwork) {
  const auto model = nn::make_model("mobilenet_v2", 3, 32);
  const FreezingPlan plan(*model, "classifier.1", {});
  std::vector<std::string> names;
  std::vector<std::size_t> counts;
  for (const nn::ParameterGroup& group : plan.parameter_groups(*model)) {
    names.push_back(group.name);
    counts.push_back(group.parameters.size());
  }
  // What checkpoints of earlier versions hold.
  EXPECT_THAT(names, ElementsAre("classifier.1 (head)", "classifier", "features"));
  EXPECT_THAT(counts, ElementsAre(2U, 0U, 156U));
}

}  // namespace
}  // namespace hanok::training
