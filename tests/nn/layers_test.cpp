// Layers: each calls its op with its own arguments, prints and initialises as PyTorch does, clones,
// and rejects invalid sizes. golden_ops_test.cpp checks the ops' values.
#include "hanok/nn/layers.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/engine/autograd.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/activations.h"
#include "hanok/nn/convolutions.h"
#include "hanok/nn/norms.h"

namespace hanok::nn {
namespace {

using testing::HasSubstr;

Tensor image() {
  std::vector<float> values(2 * 4 * 7 * 6);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>((i * 37) % 101) / 50 - 1;
  }
  return Tensor::from_vector(values, {2, 4, 7, 6});
}

Conv2dOptions conv_options() {
  Conv2dOptions options;
  options.in_channels = 4;
  options.out_channels = 6;
  options.kernel_h = 3;
  options.kernel_w = 2;
  options.window = {2, 1, 1, 0, 1, 2};
  options.groups = 2;
  return options;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector(), y = b.to_vector();
  double worst = x.size() == y.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(x[i]) - y[i]));
  }
  return worst;
}

TEST(Layers, PrintAsPyTorch) {
  const auto text = [](const Module& module) { return module.to_string(); };
  EXPECT_EQ(text(Linear(3, 4, false)), "Linear(in_features=3, out_features=4, bias=False)");
  EXPECT_EQ(text(Conv2d(conv_options())),
            "Conv2d(4, 6, kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), "
            "groups=2)");
  Conv2dOptions plain;
  plain.in_channels = plain.out_channels = 2;
  plain.bias = false;
  EXPECT_EQ(text(Conv2d(plain)), "Conv2d(2, 2, kernel_size=(1, 1), stride=(1, 1), bias=False)");
  EXPECT_EQ(text(BatchNorm2d(64)),
            "BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)");
  EXPECT_EQ(text(BatchNorm1d(8, 1e-3, 0.01)),
            "BatchNorm1d(8, eps=0.001, momentum=0.01, affine=True, track_running_stats=True)");
  EXPECT_EQ(text(ReLU()), "ReLU()");
  EXPECT_EQ(text(MaxPool2d(3, 2, 1)),
            "MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False)");
  EXPECT_EQ(text(AvgPool2d(2, 2)), "AvgPool2d(kernel_size=2, stride=2, padding=0)");
  EXPECT_EQ(text(AdaptiveAvgPool2d(1, 1)), "AdaptiveAvgPool2d(output_size=(1, 1))");
  EXPECT_EQ(text(Dropout(0.5F)), "Dropout(p=0.5, inplace=False)");
  EXPECT_EQ(text(Flatten()), "Flatten(start_dim=1, end_dim=-1)");
  EXPECT_EQ(text(Sequential()), "Sequential()");
}

TEST(Layers, CallTheirOpsWithTheirArguments) {
  const Tensor x = image();
  Conv2d conv(conv_options());
  EXPECT_EQ(conv(x).to_vector(),
            ops::conv2d(x, conv.weight, conv.bias, conv.options.window, 2).to_vector());
  EXPECT_EQ(conv(x).shape(), (Shape{2, 6, 4, 4}));
  EXPECT_EQ(MaxPool2d(3, 2, 1)(x).to_vector(),
            ops::max_pool2d(x, 3, 3, {2, 2, 1, 1, 1, 1}).to_vector());
  EXPECT_EQ(AvgPool2d(3, 2, 1)(x).to_vector(),
            ops::avg_pool2d(x, 3, 3, {2, 2, 1, 1, 1, 1}).to_vector());
  EXPECT_EQ(AdaptiveAvgPool2d(3, 2)(x).shape(), (Shape{2, 4, 3, 2}));
  EXPECT_EQ(ReLU()(x).to_vector(), ops::relu(x).to_vector());
  EXPECT_EQ(Flatten()(x).to_vector(), x.to_vector());  // logical order, N,C,H,W
  EXPECT_EQ(Flatten(2, 3)(x).shape(), (Shape{2, 4, 42}));
  Linear linear(168, 5);
  EXPECT_EQ(linear(Flatten()(x)).shape(), (Shape{2, 5}));
}

TEST(Layers, DropoutActsOnlyInTraining) {
  Dropout dropout(0.5F);
  const Tensor x = Tensor::ones({1000});
  const auto values = dropout(x).to_vector();
  const auto zeros = std::count(values.begin(), values.end(), 0.0F);
  EXPECT_NEAR(static_cast<double>(zeros), 500, 70);
  EXPECT_EQ(std::count(values.begin(), values.end(), 2.0F), 1000 - zeros);
  dropout.eval();
  EXPECT_EQ(dropout(x).to_vector(), x.to_vector());
}

TEST(Layers, StartAsPyTorchStarts) {
  const Linear linear(400, 50);
  const Conv2d conv(conv_options());  // fan in 4/2 * 3 * 2 = 12
  for (const auto& [tensor, fan_in] : {std::pair{linear.weight.data(), 400.0},
                                       {linear.bias.data(), 400.0},
                                       {conv.weight.data(), 12.0},
                                       {conv.bias.data(), 12.0}}) {
    const double bound = 1 / std::sqrt(fan_in);
    double largest = 0;
    for (const float value : tensor.to_vector()) {
      largest = std::max(largest, std::abs(static_cast<double>(value)));
    }
    EXPECT_LE(largest, bound * (1 + 1e-6));
    EXPECT_GT(largest, bound * 0.5);
  }
  const BatchNorm2d bn(3);
  EXPECT_EQ(bn.weight.data().to_vector(), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(bn.bias.data().to_vector(), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(bn.running_mean.data().to_vector(), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(bn.running_var.data().to_vector(), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(bn.num_batches_tracked.data().dtype(), DType::I64);
}

TEST(Layers, BatchNormFollowsItsMode) {
  BatchNorm2d bn(4);
  bn(image());
  EXPECT_EQ(bn.num_batches_tracked.data().item(), 1);
  bn.eval();
  bn(image());
  EXPECT_EQ(bn.num_batches_tracked.data().item(), 1);
}

TEST(Layers, ConvBnActEqualsTheLayersOneAfterTheOther) {
  Conv2dOptions options;
  options.in_channels = options.out_channels = 4;
  options.kernel_h = options.kernel_w = 3;
  options.window.pad_h = options.window.pad_w = 1;
  options.bias = false;
  for (const bool training : {true, false}) {
    Conv2d conv(options);
    BatchNorm2d bn(4);
    bn.train(training);
    const auto copy = bn.clone();
    const Tensor x = image();
    const Tensor fused = conv_bn_act(x, conv, bn, x);
    const Tensor plain = ops::relu(ops::add((*copy)(conv(x)), x));
    EXPECT_LT(largest_difference(fused, plain), 1e-5);
    EXPECT_LT(largest_difference(bn.running_var, copy->named_buffers()[1].tensor), 1e-6);
    const Tensor no_relu = conv_bn_act(x, conv, bn, {}, Activation::None);
    EXPECT_LT(largest_difference(no_relu, (*copy)(conv(x))), 1e-5);
  }
}

TEST(Layers, HooksOnFusedLayersFireAndValuesStay) {
  Conv2dOptions options;
  options.in_channels = options.out_channels = 4;
  options.bias = false;
  Conv2d conv(options);
  BatchNorm2d bn(4);
  bn.eval();
  const Tensor x = image();
  const Tensor fused = conv_bn_act(x, conv, bn, x);
  Tensor seen;
  conv.register_forward_hook([&](Module&, const Tensor&, const Tensor& y) { seen = y; });
  const Tensor hooked = conv_bn_act(x, conv, bn, x);
  ASSERT_TRUE(seen.defined());
  EXPECT_EQ(seen.to_vector(), ops::conv2d(x, conv.weight).to_vector());
  EXPECT_LT(largest_difference(fused, hooked), 1e-5);
}

TEST(Sequential, RunsItsModulesInOrderUnderTheirNumbers) {
  Sequential net;
  net.append(std::make_unique<Linear>(3, 4));
  net.append(std::make_unique<ReLU>());
  net.append(std::make_unique<Linear>(4, 2));
  EXPECT_EQ(net.size(), 3U);
  EXPECT_EQ(net.named_parameters()[2].name, "2.weight");
  const Tensor x = Tensor::from_vector(std::vector<float>{1, -2, 3}, {1, 3});
  EXPECT_EQ(net(x).to_vector(), net[2](ops::relu(net[0](x))).to_vector());
  net[1].eval();
  net[2].freeze("bias");
  const auto copy = net.clone();
  EXPECT_EQ((*copy)(x).to_vector(), net(x).to_vector());
  EXPECT_FALSE(copy->get_submodule("1").is_training());
  EXPECT_TRUE(copy->get_submodule("0").is_training());
  EXPECT_FALSE(copy->named_parameters()[3].tensor.requires_grad());
  EXPECT_THROW(net[3], ValueError);
  EXPECT_THROW(net.append(nullptr), ValueError);
}

TEST(Sequential, FusesConvolutionBatchNormAndReluAndHooksStillFire) {
  Conv2dOptions options;
  options.in_channels = options.out_channels = 4;
  Sequential net;
  net.append(std::make_unique<Conv2d>(options));
  net.append(std::make_unique<BatchNorm2d>(4));
  net.append(std::make_unique<ReLU>());
  net.append(std::make_unique<Conv2d>(options));
  net.append(std::make_unique<BatchNorm2d>(4));
  net.eval();
  const Tensor plain = net[4](net[3](net[2](net[1](net[0](image())))));
  const Tensor fused = net(image());
  EXPECT_LT(largest_difference(fused, plain), 1e-5);
  std::vector<int> fired;
  for (int i = 0; i < 5; ++i) {
    net[static_cast<std::size_t>(i)].register_forward_hook(
        [&fired, i](Module&, const Tensor&, const Tensor&) { fired.push_back(i); });
  }
  EXPECT_EQ(net(image()).to_vector(), plain.to_vector());
  EXPECT_EQ(fired, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(Sequential, FusesMaxPoolingBehindReluAndHooksStillFire) {
  Conv2dOptions options;
  options.in_channels = options.out_channels = 4;
  Sequential net;
  net.append(std::make_unique<Conv2d>(options));
  net.append(std::make_unique<BatchNorm2d>(4));
  net.append(std::make_unique<ReLU>());
  net.append(std::make_unique<MaxPool2d>(2, 2));
  const Tensor fused = net(image());
  EXPECT_NE(graph_to_dot(fused).find("conv_bn_relu_max_pool2d"), std::string::npos);
  const Tensor plain = net[3](net[2](net[1](net[0](image()))));
  EXPECT_LT(largest_difference(fused, plain), 1e-5);
  int fired = 0;
  net[3].register_forward_hook([&](Module&, const Tensor&, const Tensor&) { ++fired; });
  EXPECT_LT(largest_difference(net(image()), plain), 1e-5);
  EXPECT_EQ(fired, 1);
}

TEST(Sequential, EmptyGivesItsInput) {
  Sequential net;
  EXPECT_EQ(net(image()).to_vector(), image().to_vector());
}

TEST(ModuleList, NumbersItsModulesAndDoesNotRun) {
  ModuleList list;
  list.append(std::make_unique<Linear>(3, 4));
  list.append(std::make_unique<ReLU>());
  EXPECT_EQ(list.size(), 2U);
  EXPECT_EQ(list.named_parameters()[0].name, "0.weight");
  EXPECT_EQ(list[1].type_name(), "ReLU");
  EXPECT_EQ(
      list.to_string(),
      "ModuleList(\n  (0): Linear(in_features=3, out_features=4, bias=True)\n  (1): ReLU()\n)");
  list[1].eval();
  const auto copy = list.clone();
  EXPECT_EQ(copy->to_string(), list.to_string());
  EXPECT_FALSE(copy->get_submodule("1").is_training());
  EXPECT_EQ(copy->named_parameters()[0].tensor.to_vector(), list[0].parameters()[0].to_vector());
  EXPECT_THROW(list(image()), ValueError);
  EXPECT_THROW(list[2], ValueError);
  EXPECT_THROW(list.append(nullptr), ValueError);
}

TEST(StochasticDepth, DropsWholeSamplesInTrainingOnly) {
  StochasticDepth layer(0.25F);
  EXPECT_EQ(layer.to_string(), "StochasticDepth(p=0.25, mode=row)");
  Tensor x = Tensor::ones({400, 3, 2, 1});
  x.set_requires_grad(true);
  const Tensor y = layer(x);
  ops::sum(y).backward();
  const auto values = y.to_vector();
  EXPECT_EQ(x.grad().to_vector(), values);  // the scale of each element
  int kept = 0;
  for (std::size_t n = 0; n < 400; ++n) {
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(values[6 * n + i], values[6 * n]);
    if (values[6 * n] == 0) continue;
    EXPECT_FLOAT_EQ(values[6 * n], 1 / 0.75F);
    ++kept;
  }
  EXPECT_NEAR(kept, 300, 45);  // five standard deviations
  layer.eval();
  EXPECT_EQ(layer(x).id(), x.id());
  StochasticDepth all(1);
  EXPECT_EQ(all(Tensor::ones({2, 2})).to_vector(), std::vector<float>(4));
  EXPECT_THROW(StochasticDepth(-0.1F), ValueError);
}

TEST(Layers, EveryLayerClonesToTheSame) {
  std::vector<std::unique_ptr<Module>> layers;
  layers.push_back(std::make_unique<Conv2d>(conv_options()));
  layers.push_back(std::make_unique<BatchNorm2d>(4, 1e-3, 0.2));
  layers.push_back(std::make_unique<ReLU>());
  layers.push_back(std::make_unique<MaxPool2d>(2, 1));
  layers.push_back(std::make_unique<AvgPool2d>(3, 2, 1));
  layers.push_back(std::make_unique<AdaptiveAvgPool2d>(2, 3));
  layers.push_back(std::make_unique<Dropout>(0.25F));
  layers.push_back(std::make_unique<Flatten>(2));
  layers.push_back(std::make_unique<Permute>(std::vector<int>{0, 2, 3, 1}));
  layers.push_back(std::make_unique<StochasticDepth>(0.5F));
  for (auto& layer : layers) {
    layer->eval();
    const auto copy = layer->clone();
    EXPECT_EQ(copy->to_string(), layer->to_string());
    EXPECT_EQ((*copy)(image()).to_vector(), (*layer)(image()).to_vector());
  }
}

TEST(Layers, AnAxisThatIsNotGivenIsAsTheOther) {
  const auto square = [](const Conv2dOptions& o) { return Conv2d(o).weight.data().shape(); };
  EXPECT_EQ(square({.in_channels = 1, .out_channels = 2, .kernel_h = 3}), (Shape{2, 1, 3, 3}));
  EXPECT_EQ(square({.in_channels = 1, .out_channels = 2, .kernel_w = 3}), (Shape{2, 1, 3, 3}));
  EXPECT_EQ(square({.in_channels = 1, .out_channels = 2}), (Shape{2, 1, 1, 1}));
  EXPECT_EQ(square({.in_channels = 1, .out_channels = 2, .kernel_h = 3, .kernel_w = 1}),
            (Shape{2, 1, 3, 1}));
  Conv2dOptions assigned{.in_channels = 1, .out_channels = 2};
  assigned.kernel_h = 5;
  EXPECT_EQ(square(assigned), (Shape{2, 1, 5, 5}));
  EXPECT_EQ(Conv2d(assigned).options.kernel_w, 5);

  const ConvTranspose2d transposed({.in_channels = 1,
                                    .out_channels = 1,
                                    .kernel_h = 3,
                                    .window = {.stride_h = 2, .pad_h = 1},
                                    .output_pad_h = 1});
  EXPECT_EQ(transposed.weight.data().shape(), (Shape{1, 1, 3, 3}));
  EXPECT_EQ(transposed.options.output_pad_w, 1);
  EXPECT_EQ(transposed.options.window, (Window2d{2, 2, 1, 1, 1, 1}));
  EXPECT_EQ((Window2d{.stride_h = 2, .stride_w = 1}), (Window2d{2, 1, 0, 0, 1, 1}));
  EXPECT_EQ((Window2d{.pad_w = 1, .dilation_h = 2}), (Window2d{1, 1, 0, 1, 2, 2}));
  const Upsample upsample({.out_h = 8});
  EXPECT_EQ(upsample.options.out_w, 8);
  const Tensor x = Tensor::ones({1, 1, 4, 4}), weight = Tensor::ones({1, 1, 3, 3});
  EXPECT_EQ(ops::conv_transpose2d(x, weight, {}, {.stride_h = 2}, 1, 1).shape(),
            (Shape{1, 1, 10, 10}));
}

TEST(Layers, BatchNorm1dTakesSequences) {
  BatchNorm1d norm(4);
  EXPECT_EQ(norm(ops::flatten(image(), 2)).shape(), (Shape{2, 4, 42}));
}

TEST(Layers, RefuseSizesThatCannotBe) {
  EXPECT_THROW(Linear(0, 3), ValueError);
  EXPECT_THROW(Linear(3, -1), ValueError);
  EXPECT_THROW(BatchNorm2d(0), ValueError);
  EXPECT_THROW(MaxPool2d(0, 1), ValueError);
  EXPECT_THROW(AvgPool2d(2, 0), ValueError);
  EXPECT_THROW(AdaptiveAvgPool2d(0, 1), ValueError);
  EXPECT_THROW(Dropout(1.5F), ValueError);
  Conv2dOptions options = conv_options();
  options.groups = 4;
  try {
    const Conv2d conv(options);
    FAIL() << "nothing thrown";
  } catch (const ValueError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("4 input and 6 output channels do not divide into 4 groups"));
  }
  options = conv_options();
  options.window.stride_w = 0;
  EXPECT_THROW(Conv2d{options}, ValueError);
  EXPECT_THROW(Embedding(0, 3), ValueError);
  EXPECT_THROW(Embedding(4, 3, 4), ValueError);
  EXPECT_THROW(Embedding(4, 3, -2), ValueError);
  EXPECT_THROW(Hardtanh(1, 1), ValueError);
  EXPECT_THROW(LayerNorm({}), ValueError);
  EXPECT_THROW(LayerNorm({3, 0}, 1e-5, /*affine=*/false), ValueError);
  EXPECT_THROW(LayerNorm2d(0), ValueError);
  EXPECT_THROW(GroupNorm(4, 6), ValueError);
  EXPECT_THROW(Upsample({0, 0, 0, UpsampleOptions::Mode::Nearest, false}), ValueError);
  EXPECT_THROW(Upsample({0, 0, -0.5, UpsampleOptions::Mode::Nearest, false}), ValueError);
  // No image of five rows is left.
  EXPECT_THROW(
      Upsample({0, 0, 0.1, UpsampleOptions::Mode::Nearest, false})(Tensor::zeros({1, 1, 5, 50})),
      ValueError);
  EXPECT_THROW(Upsample({4, 4, 2, UpsampleOptions::Mode::Nearest, false}), ValueError);
  EXPECT_THROW(Upsample({4, 4, 0, UpsampleOptions::Mode::Nearest, true}), ValueError);
  EXPECT_THROW(Conv1d({4, 6, 0, {}, 1, true}), ValueError);
  EXPECT_THROW(Conv1d({4, 6, 3, {}, 4, true}), ValueError);
  EXPECT_THROW(ConvTranspose2d({4, 6, 3, 0, {}, 0, 0, 1, true}), ValueError);
  EXPECT_THROW(ConvTranspose2d({4, 6, 3, 3, {}, 0, 0, 4, true}), ValueError);
}

TEST(Layers, RefuseInputsOfOtherSizes) {
  EXPECT_THROW(LayerNorm({5}, 1e-5, /*affine=*/false)(Tensor::ones({3, 4})), ShapeError);
  EXPECT_THROW(LayerNorm({3, 4, 5})(Tensor::ones({4, 5})), ShapeError);
  EXPECT_THROW(LayerNorm2d(3)(image()), ShapeError);
  EXPECT_THROW(GroupNorm(2, 6, 1e-5, /*affine=*/false)(image()), ShapeError);
  EXPECT_THROW(Linear(3, 2)(Tensor::ones({2, 2, 4})), ShapeError);
  const Tensor table = Tensor::zeros({3, 2});
  const Tensor row = Tensor::from_vector(std::vector<std::int64_t>{0}, {1});
  EXPECT_THROW(ops::embedding(row, table, 3), ValueError);
  EXPECT_THROW(ops::upsample_nearest2d(Tensor::zeros({1, 1, 2, 2}), 3, 3, -1), ValueError);
  EXPECT_THROW(Embedding(3, 2)(Tensor::from_vector(std::vector<std::int64_t>{3}, {1})), Error);
}

}  // namespace
}  // namespace hanok::nn
