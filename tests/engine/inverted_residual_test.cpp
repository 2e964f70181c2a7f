// MobileNetV2's block as one op against conv_bn_act for one layer after the other.
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/kernels/base/error.h"
#include "tests/engine/kernel_counter.h"
#include "tests/engine/references.h"

namespace hanok::testing {
namespace {

struct Case {
  Shape x;
  std::int64_t hidden, out_channels, stride;
  bool expands, residual;
};

const Case kCases[] = {
    {{2, 8, 14, 14}, 24, 8, 1, true, true},
    {{3, 8, 9, 10}, 40, 12, 2, true, false},
    {{2, 16, 7, 8}, 16, 9, 1, false, false},
};

ops::ConvNorm make_layer(const Shape& weight, const Window2d& window, std::int64_t groups,
                         std::uint64_t seed) {
  const std::int64_t channels = weight[0];
  ops::ConvNorm layer;
  layer.conv = {to_tensor(random_array(weight, seed)), {}, window, groups};
  layer.bn.weight = to_tensor(random_array({channels}, seed + 1, 0.5, 1.5));
  layer.bn.bias = to_tensor(random_array({channels}, seed + 2, -1, 3));
  layer.bn.running_mean = to_tensor(random_array({channels}, seed + 3));
  layer.bn.running_var = to_tensor(random_array({channels}, seed + 4, 0.5, 4));
  layer.bn.training = false;
  return layer;
}

std::vector<ops::ConvNorm> layers_of(const Case& c) {
  std::vector<ops::ConvNorm> layers;
  if (c.expands) layers.push_back(make_layer({c.hidden, c.x[1], 1, 1}, {}, 1, 10));
  layers.push_back(make_layer({c.hidden, 1, 3, 3}, {c.stride, c.stride, 1, 1, 1, 1}, c.hidden, 20));
  layers.push_back(make_layer({c.out_channels, c.hidden, 1, 1}, {}, 1, 30));
  return layers;
}

Tensor one_by_one(Tensor x, const std::vector<ops::ConvNorm>& layers, bool residual) {
  const Tensor input = x;
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
    x = ops::conv_bn_act(x, layers[i].conv, layers[i].bn, {}, Activation::Relu6);
  }
  return ops::conv_bn_act(x, layers.back().conv, layers.back().bn, residual ? input : Tensor(),
                          Activation::None);
}

TEST(InvertedResidual, SameBitsAsOneLayerAfterTheOther) {
  for (const Case& c : kCases) {
    const std::vector<ops::ConvNorm> layers = layers_of(c);
    const Tensor x = to_tensor(random_array(c.x, 1));
    if (!x.device().is_cpu()) {
      EXPECT_FALSE(ops::fuses_inverted_residual(x, layers, c.residual));
      continue;
    }
    ASSERT_TRUE(ops::fuses_inverted_residual(x, layers, c.residual));
    const KernelCounter counter;
    const Tensor y = ops::inverted_residual(x, layers, c.residual);
    EXPECT_EQ(counter["inverted_residual"], 1);
    EXPECT_EQ(counter["conv2d_forward"], 0);
    EXPECT_EQ(y.to_vector(), one_by_one(x, layers, c.residual).to_vector());
  }
}

// TensorFlow's padding is one row on either side at stride 1, and at stride 2 where the sides are
// odd; the kernel supports no other.
TEST(InvertedResidual, FusesSamePaddingWhereItIsOnEitherSide) {
  for (const std::int64_t stride : {1, 2}) {
    for (const std::int64_t size : {9, 10}) {
      const Case c{{2, 8, size, size}, 24, 8, stride, true, false};
      std::vector<ops::ConvNorm> layers = layers_of(c);
      layers[1].conv.window.pad_h = layers[1].conv.window.pad_w = 0;
      for (ops::ConvNorm& layer : layers) layer.conv.padding = ops::Padding::Same;
      const Tensor x = to_tensor(random_array(c.x, 1));
      const bool fuses = x.device().is_cpu() && (stride == 1 || size % 2 == 1);
      ASSERT_EQ(ops::fuses_inverted_residual(x, layers, c.residual), fuses) << stride << size;
      if (!fuses) continue;
      const Tensor y = ops::inverted_residual(x, layers, c.residual);
      EXPECT_EQ(y.to_vector(), one_by_one(x, layers, c.residual).to_vector());
    }
  }
}

TEST(InvertedResidual, LeavesRecordedAndTrainingLayersToTheOtherOps) {
  const Case& c = kCases[0];
  const Tensor x = to_tensor(random_array(c.x, 1));
  for (int which = 0; which < 4; ++which) {
    std::vector<ops::ConvNorm> layers = layers_of(c);
    if (which == 0) layers[1].conv.weight.set_requires_grad(true);
    if (which == 1) layers[0].bn.bias.set_requires_grad(true);
    if (which == 2) layers[2].bn.training = true;
    if (which == 3) layers[1].conv.window.pad_h = 2;
    EXPECT_FALSE(ops::fuses_inverted_residual(x, layers, c.residual)) << which;
    EXPECT_THROW(ops::inverted_residual(x, layers, c.residual), ValueError) << which;
  }
}

// A folded batch norm is kept; whatever it was computed from may change, be replaced or shared.
TEST(InvertedResidual, SeesEveryChangeOfABatchNorm) {
  const Case& c = kCases[0];
  const Tensor x = to_tensor(random_array(c.x, 1));
  if (!x.device().is_cpu()) GTEST_SKIP() << "nothing is kept there";
  ops::ConvNorm layer = make_layer({24, 8, 1, 1}, {}, 1, 10);
  const auto run = [&] {
    return ops::conv_bn_act(x, layer.conv, layer.bn, {}, Activation::Relu6).to_vector();
  };
  const auto expect_news = [&](const char* what, const auto& change) {
    const auto before = run();
    ASSERT_EQ(run(), before) << what;
    change();
    // The reference computes the composition, which keeps nothing.
    const Tensor z = ops::conv2d(x, layer.conv.weight, layer.conv.bias, layer.conv.window, 1);
    const auto want = ops::clamp(ops::batch_norm(z, layer.bn), 0, 6).to_vector();
    const auto after = run();
    ASSERT_NE(after, before) << what;
    for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(after[i], want[i], 1e-5) << what;
  };
  const auto overwrite = [](Tensor& x, std::uint64_t seed) {
    x.copy_from(to_tensor(random_array(x.shape(), seed, 0.5, 3)));
  };
  expect_news("gamma", [&] { overwrite(layer.bn.weight, 50); });
  expect_news("beta", [&] { overwrite(layer.bn.bias, 51); });
  expect_news("mean", [&] { overwrite(layer.bn.running_mean, 52); });
  expect_news("variance", [&] { overwrite(layer.bn.running_var, 53); });
  expect_news("another gamma", [&] { layer.bn.weight = to_tensor(random_array({24}, 54, 1, 2)); });
  expect_news("no beta", [&] { layer.bn.bias = {}; });
  expect_news("a bias", [&] { layer.conv.bias = to_tensor(random_array({24}, 55)); });
  expect_news("epsilon", [&] { layer.bn.epsilon = 0.5; });
}

}  // namespace
}  // namespace hanok::testing
