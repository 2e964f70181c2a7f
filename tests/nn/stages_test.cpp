// Models in stages: the stages compose to the model, and a frozen prefix is found.
#include "hanok/nn/stages.h"

#include <gtest/gtest.h>

#include "hanok/engine/autograd.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"

namespace hanok::nn {
namespace {

Tensor images(std::int64_t count, std::int64_t side) {
  std::vector<float> values(static_cast<std::size_t>(count * 3 * side * side));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = 0.01F * static_cast<float>(static_cast<int>(i * 31 % 211) - 105);
  }
  return Tensor::from_vector(values, {count, 3, side, side});
}

class Stages : public ::testing::TestWithParam<const char*> {};

TEST_P(Stages, FromAnyCutGiveTheModelsBits) {
  const NoGrad no_grad;
  const auto model = make_model(GetParam(), 5, 32);
  model->eval();
  auto* staged = dynamic_cast<StagedModule*>(model.get());
  ASSERT_NE(staged, nullptr);
  const std::size_t count = staged->stages().size();
  const Tensor x = images(2, 32);
  const std::vector<float> whole = (*model)(x).to_vector();
  for (std::size_t cut = 0; cut <= count; ++cut) {
    const Tensor features = staged->forward_stages(x, 0, cut);
    EXPECT_EQ(staged->forward_stages(features, cut, count).to_vector(), whole) << cut;
  }
  EXPECT_THROW(staged->forward_stages(x, 1, count + 1), ValueError);
  EXPECT_THROW(staged->forward_stages(x, 2, 1), ValueError);
}

TEST_P(Stages, HoldEveryChildWithParameters) {
  const auto model = make_model(GetParam(), 5, 32);
  auto* staged = dynamic_cast<StagedModule*>(model.get());
  std::size_t parameters = 0;
  for (const Stage& stage : staged->stages()) {
    for (const ChildSlot* slot : stage.children) parameters += slot->module()->parameters().size();
  }
  EXPECT_EQ(parameters, model->parameters().size());
}

TEST_P(Stages, CountTheFrozenOnesAtTheStart) {
  const auto model = make_model(GetParam(), 5, 32);
  auto* staged = dynamic_cast<StagedModule*>(model.get());
  EXPECT_EQ(staged->frozen_stages(), 0U);
  const std::vector<Stage> stages = staged->stages();
  const auto freeze = [&](std::size_t stage) {
    for (const ChildSlot* slot : stages[stage].children) model->freeze(slot->name());
  };
  for (std::size_t i = 0; i + 1 < stages.size(); ++i) {
    freeze(i);
    EXPECT_EQ(staged->frozen_stages(), i + 1);
  }
  model->freeze("*");
  EXPECT_EQ(staged->frozen_stages(), stages.size() - 1);  // the head always counts as trained
  model->unfreeze(stages[0].children[0]->name());
  EXPECT_EQ(staged->frozen_stages(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Models, Stages,
                         ::testing::Values("resnet18", "resnet50", "mobilenet_v2",
                                           "mobilenet_v3_small", "lenet", "mlp"));

}  // namespace
}  // namespace hanok::nn
