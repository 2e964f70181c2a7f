#include "hanok/nn/ema.h"

#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/layers.h"
#include "tests/golden/golden.h"

namespace hanok::nn {
namespace {

using golden::Json;

void set_weight(Linear& net, int step, const Json& spec) {
  net.weight.data().copy_from(golden::tensor("ema/" + std::to_string(step), spec));
}

TEST(Ema, AveragesEqualPyTorch) {
  const Json json = golden::load("nn_gradients.json").at("ema");
  Linear net(5, 4);
  set_weight(net, 0, json.at("weight"));
  Ema ema(net, json.at("decay"));
  for (int step = 1; step <= json.at("steps").get<int>(); ++step) {
    set_weight(net, step, json.at("weight"));
    ema.update();
  }
  const EmaScope scope(ema);
  EXPECT_TRUE(golden::is_near("ema/average", net.weight.data().detach(), json.at("average"), 1e-6));
}

TEST(Ema, SwappingTwiceIsAsNeverAndKeepsIdentity) {
  Linear net(3, 2);
  Ema ema(net, 0.5);
  const auto before = net.weight.data().to_vector();
  net.weight.data().copy_from(Tensor::full({2, 3}, 8));
  ema.update();
  const TensorImpl* id = net.weight.data().id();
  {
    const EmaScope scope(ema);
    EXPECT_TRUE(ema.swapped());
    EXPECT_EQ(net.weight.data().id(), id);
    EXPECT_FLOAT_EQ(net.weight.data().to_vector()[0], (before[0] + 8) / 2);
    EXPECT_THROW(ema.update(), ValueError);
    EXPECT_THROW(ema.state(), ValueError);
  }
  EXPECT_EQ(net.weight.data().to_vector(), std::vector<float>(6, 8));
  EXPECT_TRUE(net.weight.requires_grad());
}

TEST(Ema, AveragesRunningStatisticsAndCopiesCounters) {
  BatchNorm2d bn(1);
  Ema ema(bn, 0.75);
  bn.running_mean.data().copy_from(Tensor::full({1}, 4));
  bn.num_batches_tracked.data().copy_from(Tensor::full({}, 9, {DType::I64}));
  ema.update();
  const EmaScope scope(ema);
  EXPECT_FLOAT_EQ(bn.running_mean.data().to_vector()[0], 1);
  EXPECT_EQ(bn.num_batches_tracked.data().item(), 9);
}

TEST(Ema, AStateRoundTripContinuesWithTheSameBits) {
  Linear net(4, 3);
  Ema ema(net, 0.9), other(net, 0.9);
  net.weight.data().copy_from(Tensor::full({3, 4}, 2));
  ema.update();
  const State state = ema.state();
  other.load_state(state);
  ema.update();
  other.update();
  EXPECT_EQ(ema.state().tensor("average.weight").to_vector(),
            other.state().tensor("average.weight").to_vector());
  // The snapshot is a copy.
  EXPECT_NE(state.tensor("average.weight").to_vector(),
            ema.state().tensor("average.weight").to_vector());
}

TEST(Ema, RefusesWhatCannotBe) {
  Linear net(4, 3), other(4, 2);
  EXPECT_THROW(Ema(net, 1), ValueError);
  EXPECT_THROW(Ema(net, -0.1), ValueError);
  Ema ema(net), wrong(other);
  EXPECT_THROW(ema.load_state(wrong.state()), ShapeError);
  EXPECT_THROW(ema.load_state(State{}), ValueError);
}

}  // namespace
}  // namespace hanok::nn
