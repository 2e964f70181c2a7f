// Blocks that are computed a second time in the backward pass: the same bits, less memory.
#include "hanok/engine/recompute.h"

#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/transaction.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"
#include "hanok/nn/stages.h"

namespace hanok::test {
namespace {

Tensor noise(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed);
  return random_normal(shape, 0, 1, generator);
}

using ::testing::ElementsAreArray;

struct Result {
  std::vector<float> logits, gradients, state;
  std::size_t peak = 0;
};

/// Forward and backward of `model`, the first `recomputed` of its blocks computed twice.
Result train(nn::StagedModule& model, const Tensor& images, std::size_t recomputed) {
  Allocator& allocator = allocator_of(Device::cpu());
  model.zero_grad();
  allocator.reset_peak();
  const std::size_t before = allocator.statistics().in_use;
  Result result;
  {
    StepTransaction transaction;
    Tensor y = images;
    const std::vector<nn::Block> blocks = model.blocks();
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      y = i < recomputed ? recompute(y, blocks[i]) : blocks[i](y);
    }
    result.logits = y.to_vector();
    ops::sum(ops::square(y)).backward();
    transaction.commit();
  }
  result.peak = allocator.statistics().peak - before;
  for (const Tensor& parameter : model.parameters()) {
    for (const float value : parameter.grad().to_vector()) result.gradients.push_back(value);
  }
  for (const nn::NamedTensor& buffer : model.named_buffers()) {
    for (const float value : buffer.tensor.to_vector()) result.state.push_back(value);
  }
  return result;
}

class Recompute : public ::testing::TestWithParam<const char*> {};

TEST_P(Recompute, GivesTheSameBitsInLessMemory) {
  const std::unique_ptr<nn::Module> start = nn::make_model(GetParam(), 5);
  const Tensor images = noise({4, 3, 64, 64}, 1);
  const auto run = [&](std::size_t recomputed) {
    const std::unique_ptr<nn::Module> copy = start->clone();
    auto& model = dynamic_cast<nn::StagedModule&>(*copy);
    model.train();
    // Dropout, in the last block, draws the same numbers each time.
    Generator::global().begin_step(0, 0);
    return train(model, images, recomputed);
  };
  run(0);  // whatever is made once
  const Result kept = run(0);
  const std::size_t blocks = dynamic_cast<nn::StagedModule&>(*start).blocks().size();
  ASSERT_GT(blocks, 5U);
  for (const std::size_t recomputed : {std::size_t{1}, std::size_t{3}, blocks - 1}) {
    const Result again = run(recomputed);
    EXPECT_THAT(again.logits, ElementsAreArray(kept.logits)) << recomputed;
    EXPECT_TRUE(again.gradients == kept.gradients) << recomputed;
    EXPECT_TRUE(again.state == kept.state) << recomputed;
  }
  EXPECT_LT(run(blocks - 1).peak, kept.peak);
}

INSTANTIATE_TEST_SUITE_P(Models, Recompute,
                         ::testing::Values("resnet18", "resnet50", "mobilenet_v2",
                                           "mobilenet_v3_small", "efficientnet_lite0"),
                         [](const auto& info) { return std::string(info.param); });

TEST(RecomputeOf, AFrozenBlockIsTheBlockItself) {
  int runs = 0;
  const Tensor y = recompute(Tensor::ones({2}), [&](const Tensor& x) {
    ++runs;
    return ops::affine(x, 2, 0);
  });
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(runs, 1);
}

TEST(RecomputeOf, RunsOnceMoreInTheBackwardPass) {
  int runs = 0;
  Tensor x = Tensor::ones({2}).set_requires_grad(true);
  const Tensor y = recompute(x, [&](const Tensor& input) {
    ++runs;
    return ops::square(input);
  });
  EXPECT_EQ(runs, 1);
  ops::sum(y).backward();
  EXPECT_EQ(runs, 2);
  EXPECT_THAT(x.grad().to_vector(), ElementsAreArray({2.0F, 2.0F}));
  EXPECT_THROW(ops::sum(y).backward(), AutogradError);
}

TEST(RecomputeOf, ABlockThatDrawsGetsTheSameNumbersAgain) {
  Tensor x = Tensor::ones({64}).set_requires_grad(true);
  const Tensor y = recompute(
      x, [](const Tensor& input) { return ops::square(ops::dropout(input, 0.5F, true)); });
  const Tensor after = ops::dropout(Tensor::ones({64}), 0.5F, true);
  ops::sum(y).backward();
  // d(4 x^2 m)/dx = 8 m with m = 1 where y is 4.
  for (const std::size_t i : {std::size_t{0}, std::size_t{17}, std::size_t{63}}) {
    EXPECT_EQ(x.grad().to_vector()[i], 2 * y.to_vector()[i]);
  }
  EXPECT_NE(ops::dropout(Tensor::ones({64}), 0.5F, true).to_vector(), after.to_vector());
}

}  // namespace
}  // namespace hanok::test
