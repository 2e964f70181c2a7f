#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/init.h"
#include "hanok/nn/models/convnext.h"
#include "hanok/nn/models/efficientnet.h"
#include "hanok/nn/models/mobilenet.h"
#include "hanok/nn/models/registry.h"
#include "hanok/nn/models/resnet.h"
#include "hanok/nn/models/small.h"
#include "hanok/nn/norms.h"

namespace hanok::nn {
namespace {

using testing::HasSubstr;

std::int64_t parameter_count(Module& module) {
  std::int64_t count = 0;
  for (const Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

TEST(ResNet18, HasTorchvisionsNamesAndSizes) {
  const auto net = resnet18();
  const StateDict dict = net->state_dict();
  EXPECT_EQ(dict.size(), 122U);
  EXPECT_EQ(parameter_count(*net), 11689512);
  EXPECT_EQ(dict.begin()->first, "conv1.weight");
  EXPECT_EQ((dict.end() - 1)->first, "fc.bias");
  EXPECT_EQ(dict.at("conv1.weight").shape(), (Shape{64, 3, 7, 7}));
  EXPECT_EQ(dict.at("layer2.0.downsample.0.weight").shape(), (Shape{128, 64, 1, 1}));
  EXPECT_EQ(dict.at("layer2.0.downsample.1.num_batches_tracked").shape(), Shape{});
  EXPECT_EQ(dict.at("layer4.1.bn2.running_var").shape(), (Shape{512}));
  EXPECT_EQ(dict.at("fc.weight").shape(), (Shape{1000, 512}));
  EXPECT_FALSE(dict.contains("layer1.0.downsample.0.weight"));
}

// Numbers of parameters and state_dict entries of torchvision's models (of timm's, where
// torchvision has none).
TEST(Registry, ModelsHaveTorchvisionsSizes) {
  struct Size {
    const char* name;
    std::int64_t parameters;
    std::size_t entries;
  };
  const WithoutInit without_init;
  for (const Size& size :
       {Size{"resnet34", 21797672, 218}, Size{"resnet50", 25557032, 320},
        Size{"resnet101", 44549160, 626}, Size{"wide_resnet50_2", 68883240, 320},
        Size{"resnext50_32x4d", 25028904, 320}, Size{"mobilenet_v2", 3504872, 314},
        Size{"mobilenet_v3_small", 2542856, 244}, Size{"efficientnet_b0", 5288548, 360},
        Size{"tf_efficientnet_b0", 5288548, 360}, Size{"efficientnet_lite0", 4652008, 296},
        Size{"convnext_tiny", 28589128, 182}, Size{"vgg16_bn", 138365992, 97}}) {
    const auto net = make_model(size.name, 1000);
    EXPECT_EQ(parameter_count(*net), size.parameters) << size.name;
    EXPECT_EQ(net->state_dict().size(), size.entries) << size.name;
  }
}

TEST(ResNet18, StartsAsTorchvisionDoes) {
  const auto net = resnet18(18);
  const auto values = net->layer3->get_submodule("0.conv2").parameters()[0].to_vector();
  double squares = 0;
  for (const float v : values) squares += static_cast<double>(v) * v;
  const double variance = squares / static_cast<double>(values.size());
  EXPECT_NEAR(variance, 2.0 / (256 * 9), 0.01 * 2.0 / (256 * 9));  // fan out
  for (const float v : net->fc->parameters()[0].to_vector()) {
    EXPECT_LE(std::abs(v), 1 / std::sqrt(512.0F) * 1.000001F);
  }
}

TEST(ResNet18, ReplacingTheHeadChangesLogitsAndNames) {
  const auto net = resnet18();
  net->fc = std::make_unique<Linear>(512, 18);
  net->eval();
  const NoGrad no_grad;
  const Tensor images = Tensor::ones({1, 3, 32, 32});
  EXPECT_EQ((*net)(images).shape(), (Shape{1, 18}));
  EXPECT_EQ(net->forward_features(images).shape(), (Shape{1, 512}));
  EXPECT_EQ(net->state_dict().at("fc.weight").shape(), (Shape{18, 512}));
  EXPECT_EQ(net->clone()->state_dict().at("fc.weight").shape(), (Shape{18, 512}));
}

TEST(ResNet18, FreezingTheBodyLeavesOnlyTheHeadInTheGraph) {
  const auto net = resnet18(3);
  EXPECT_EQ(net->freeze("*"), 62);
  EXPECT_EQ(net->unfreeze("fc"), 2);
  const auto mean = net->bn1->running_mean.data().to_vector();
  const Tensor logits = (*net)(Tensor::ones({2, 3, 32, 32}));
  ops::sum(logits).backward();
  for (const auto& [name, parameter] : net->named_parameters()) {
    EXPECT_EQ(parameter.grad().defined(), name.starts_with("fc.")) << name;
  }
  EXPECT_EQ(net->bn1->running_mean.data().to_vector(), mean);
}

TEST(ResNet18, HooksSeeFusedLayersToo) {
  const auto net = resnet18(3);
  net->eval();
  const NoGrad no_grad;
  std::map<std::string, Shape> seen;
  for (const char* path : {"conv1", "layer2.0.downsample.0", "layer4.1.bn2", "layer3", "fc"}) {
    net->get_submodule(path).register_forward_hook(
        [&seen, path](Module&, const Tensor&, const Tensor& y) { seen[path] = y.shape(); });
  }
  (*net)(Tensor::ones({1, 3, 64, 64}));
  EXPECT_EQ(seen["conv1"], (Shape{1, 64, 32, 32}));
  EXPECT_EQ(seen["layer2.0.downsample.0"], (Shape{1, 128, 8, 8}));
  EXPECT_EQ(seen["layer4.1.bn2"], (Shape{1, 512, 2, 2}));
  EXPECT_EQ(seen["layer3"], (Shape{1, 256, 4, 4}));
  EXPECT_EQ(seen["fc"], (Shape{1, 3}));
}

TEST(ResNet18, PrintsItsTree) {
  const std::string text = resnet18()->to_string(/*parameter_counts=*/true);
  EXPECT_THAT(text, HasSubstr("ResNet(  # 11,689,512 parameters\n"
                              "  (conv1): Conv2d(3, 64, kernel_size=(7, 7), stride=(2, 2), "
                              "padding=(3, 3), bias=False)  # 9,408 parameters\n"));
  EXPECT_THAT(text, HasSubstr("\n      (downsample): Sequential(  # 8,448 parameters\n"
                              "        (0): Conv2d(64, 128, kernel_size=(1, 1), stride=(2, 2), "
                              "bias=False)  # 8,192 parameters\n"));
}

TEST(ResNet, RefusesStagesThatCannotBe) {
  ResNetOptions options;
  options.blocks = {2, 2, 2};
  EXPECT_THROW(ResNet{options}, ValueError);
  options.blocks = {2, 2, 0, 2};
  EXPECT_THROW(ResNet{options}, ValueError);
  options.blocks = {1, 1, 1, 1};
  options.groups = 32;
  EXPECT_THROW(ResNet{options}, ValueError);
}

TEST(Registry, EveryModelRunsAndItsHeadIsWhereItSays) {
  const NoGrad no_grad;
  const WithoutInit without_init;  // values do not matter here
  for (const ModelInfo& info : models()) {
    SCOPED_TRACE(info.name);
    const std::int64_t size = std::max<std::int64_t>(info.min_image_size, 32);
    const auto net = make_model(info.name, 5, size);
    net->eval();
    EXPECT_EQ((*net)(Tensor::ones({1, 3, size, size})).shape(), (Shape{1, 5}));
    const auto* head = dynamic_cast<Linear*>(&net->get_submodule(info.head));
    ASSERT_NE(head, nullptr);
    EXPECT_EQ(head->out_features, 5);
    EXPECT_EQ(head->in_features, info.head_features);
    EXPECT_EQ(head_name(info.name), info.head);
    net->replace_submodule(info.head, std::make_unique<Flatten>());
    EXPECT_EQ(net->get_submodule(info.head).type_name(), "Flatten");
  }
}

// The names that torchvision's weight files use.
TEST(Registry, LaterModelsHaveTorchvisionsNames) {
  const WithoutInit without_init;
  const auto shape_of = [](const char* model, const char* name) {
    return make_model(model, 1000)->state_dict().at(name).shape();
  };
  EXPECT_EQ(shape_of("mobilenet_v3_small", "features.4.block.2.fc1.weight"), (Shape{24, 96, 1, 1}));
  EXPECT_EQ(shape_of("mobilenet_v3_small", "features.1.block.0.0.weight"), (Shape{16, 1, 3, 3}));
  EXPECT_EQ(shape_of("efficientnet_b0", "features.2.0.block.2.fc1.bias"), (Shape{4}));
  EXPECT_EQ(shape_of("efficientnet_b0", "features.8.1.running_var"), (Shape{1280}));
  EXPECT_EQ(shape_of("efficientnet_lite0", "features.3.0.block.1.0.weight"), (Shape{144, 1, 5, 5}));
  EXPECT_EQ(shape_of("efficientnet_lite0", "features.3.0.block.2.0.weight"),
            (Shape{40, 144, 1, 1}));
  EXPECT_EQ(shape_of("convnext_tiny", "features.3.2.layer_scale"), (Shape{192, 1, 1}));
  EXPECT_EQ(shape_of("convnext_tiny", "features.7.0.block.5.weight"), (Shape{768, 3072}));
}

// In evaluation a block is one kernel; if hooks need the intermediate results, its layers run one
// by one.
TEST(MobileNetV2, ShowsHooksWhatItsBlocksFuse) {
  Generator::global().set_seed(5);
  const NoGrad no_grad;
  InvertedResidual block({.in_channels = 8, .out_channels = 8});
  block.eval();
  Generator generator(7);
  const Tensor x = random_normal({2, 8, 14, 14}, 0, 1, generator);
  const std::vector<float> fused = block(x).to_vector();
  const std::size_t inner = 3 + 3 + 2;  // expand and depthwise, each with ReLU6; project
  std::size_t seen = 0;
  for (const auto& [name, module] : block.named_modules()) {
    if (!module->children().empty()) continue;
    SCOPED_TRACE(name);
    module->register_forward_hook([&](Module&, const Tensor&, const Tensor&) { ++seen; });
    seen = 0;
    const std::vector<float> hooked = block(x).to_vector();
    EXPECT_GT(seen, 0U);
    for (std::size_t i = 0; i < fused.size(); ++i) ASSERT_NEAR(hooked[i], fused[i], 1e-5);
  }
  EXPECT_EQ(seen, inner);
}

EfficientNetVariant lite_variant() {
  return {.activation = EfficientNetVariant::Act::ReLU6,
          .squeeze_excitation = false,
          .padding = ops::Padding::Same};
}

// The same of EfficientNet-Lite's blocks, of which those that no kernel computes whole run layer
// by layer with or without hooks.
TEST(EfficientNetLite, ShowsHooksWhatItsBlocksFuse) {
  const NoGrad no_grad;
  for (const std::int64_t kernel : {3, 5}) {
    for (const std::int64_t stride : {1, 2}) {
      for (const std::int64_t size : {13, 14}) {
        SCOPED_TRACE(kernel * 1000 + stride * 100 + size);
        Generator::global().set_seed(5);
        MBConv block({.in_channels = 8,
                      .out_channels = 8,
                      .expansion = 6,
                      .kernel = kernel,
                      .stride = stride,
                      .variant = lite_variant()});
        block.eval();
        Generator generator(7);
        const Tensor x = random_normal({2, 8, size, size}, 0, 1, generator);
        const std::vector<float> fused = block(x).to_vector();
        std::size_t seen = 0;
        for (const auto& [name, module] : block.named_modules()) {
          if (!module->children().empty()) continue;
          module->register_forward_hook([&](Module&, const Tensor&, const Tensor&) { ++seen; });
        }
        const std::vector<float> hooked = block(x).to_vector();
        EXPECT_EQ(seen, stride == 1 ? 9U : 8U);  // with the stochastic depth of the branch
        ASSERT_EQ(hooked.size(), fused.size());
        for (std::size_t i = 0; i < fused.size(); ++i) ASSERT_NEAR(hooked[i], fused[i], 1e-5);
      }
    }
  }
}

TEST(EfficientNet, FrozenBlocksDropNoBranch) {
  Generator::global().set_seed(5);
  MBConv block({.in_channels = 8, .out_channels = 8, .drop_probability = 0.9F});
  Generator generator(7);
  const Tensor x = random_normal({8, 8, 6, 6}, 0, 1, generator);
  const auto in_evaluation = [&] {
    block.eval();
    const std::vector<float> y = block(x).to_vector();
    block.train();
    return y;
  };
  block.block->freeze("*");  // also the batch norms, so that nothing else differs
  EXPECT_EQ(block(x).to_vector(), in_evaluation());
  block.block->unfreeze("*");
  EXPECT_NE(block(x).to_vector(), in_evaluation());
}

// Within 1/sqrt(classes), as torchvision's starts, few classes would get large logits.
TEST(EfficientNetLite, HeadForFewClassesStartsSmall) {
  const auto net = efficientnet_lite0(3);
  for (const float v : net->get_submodule("classifier.1").parameters()[0].to_vector()) {
    ASSERT_LE(std::abs(v), 1 / std::sqrt(1280.0F) * 1.000001F);
  }
}

TEST(Registry, KnowsWhatPublishedWeightsExpect) {
  const InputNormalization& torchvisions = model_info("resnet18").input;
  EXPECT_FLOAT_EQ(torchvisions.mean[0], 0.485F);
  EXPECT_FALSE(torchvisions.bicubic);
  const InputNormalization& lite = model_info("efficientnet_lite0").input;
  for (std::size_t c = 0; c < 3; ++c) {  // (x - 127) / 128
    EXPECT_NEAR((0.0F / 255 - lite.mean[c]) / lite.stddev[c], -127.0F / 128, 1e-6);
    EXPECT_NEAR((255.0F / 255 - lite.mean[c]) / lite.stddev[c], 1, 1e-6);
  }
  EXPECT_TRUE(lite.bicubic);
}

// A replaced layer is used, also where the block would have been one kernel.
TEST(MobileNetV2, RunsWhatReplacedALayerOfItsBlocks) {
  const NoGrad no_grad;
  Generator generator(7);
  const Tensor x = random_normal({2, 8, 14, 14}, 0, 20, generator);
  const auto expect_replaced = [&](const char* path, auto make) {
    SCOPED_TRACE(path);
    Generator::global().set_seed(5);
    InvertedResidual block({.in_channels = 8, .out_channels = 8});
    block.eval();
    const std::vector<float> before = block(x).to_vector();
    block.conv->replace_submodule(path, make());
    const std::vector<float> input = x.to_vector();
    const std::vector<float> added = [&] {
      Tensor y = x;
      for (std::size_t i = 0; i < block.conv->size(); ++i) y = (*block.conv)[i](y);
      return y.to_vector();
    }();
    const std::vector<float> got = block(x).to_vector();
    EXPECT_NE(got, before);
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], input[i] + added[i], 1e-4 * (1 + std::abs(input[i] + added[i])));
    }
  };
  expect_replaced("0.2", [] { return std::make_unique<ReLU>(); });
  expect_replaced("1.2", [] { return std::make_unique<Identity>(); });
  expect_replaced("1.1", [] { return std::make_unique<GroupNorm>(6, 48); });
  expect_replaced("3", [] { return std::make_unique<Identity>(); });
  expect_replaced("0", [] {
    Conv2dOptions options;
    options.in_channels = 8;
    options.out_channels = 48;
    return std::make_unique<Conv2d>(options);
  });
}

// With dropout and stochastic depth on: every parameter of the head and the stem gets a gradient,
// and the same seed and step give the same gradients.
TEST(Registry, LaterModelsTrainAndRepeatTheirDrops) {
  for (const char* name :
       {"mobilenet_v3_small", "efficientnet_b0", "efficientnet_lite0", "convnext_tiny"}) {
    SCOPED_TRACE(name);
    const auto gradients = [&] {
      Generator::global().set_seed(3);
      const auto net = make_model(name, 3, 32);
      Generator::global().begin_step(1, 2);
      std::vector<float> pixels(4 * 3 * 32 * 32);
      for (std::size_t i = 0; i < pixels.size(); ++i) {
        pixels[i] = static_cast<float>(i * 29 % 83) / 40 - 1;
      }
      const Tensor images = Tensor::from_vector(pixels, {4, 3, 32, 32});
      const Tensor labels = Tensor::from_vector(std::vector<std::int64_t>{0, 1, 2, 0}, {4});
      ops::cross_entropy((*net)(images), labels).backward();
      std::vector<std::vector<float>> found;
      for (const auto& [path, parameter] : net->named_parameters()) {
        const bool outer = path.starts_with("features.0.") || path.starts_with("classifier.");
        if (outer) found.push_back(parameter.grad().to_vector());
      }
      return found;
    };
    const auto first = gradients();
    for (const auto& gradient : first) {
      double squares = 0;
      for (const float v : gradient) squares += static_cast<double>(v) * v;
      EXPECT_GT(squares, 0);
      EXPECT_TRUE(std::isfinite(squares));
    }
    EXPECT_EQ(gradients(), first);
  }
}

TEST(ConvNeXt, WatchedLayersRunOneByOneToTheSameValues) {
  Generator::global().set_seed(11);
  ConvNeXtBlock block(8, 0);
  init::normal(block.layer_scale.data(), 0, 1);
  const Tensor x = Tensor::empty({2, 8, 5, 3});
  Tensor values = x;
  init::normal(values, 0, 1);
  const auto fused = block(x).to_vector();
  std::vector<Shape> seen;
  for (const char* path : {"block.1", "block.3"}) {
    block.get_submodule(path).register_forward_hook(
        [&](Module&, const Tensor&, const Tensor& y) { seen.push_back(y.shape()); });
  }
  const auto plain = block(x).to_vector();
  EXPECT_EQ(seen, (std::vector<Shape>{{2, 5, 3, 8}, {2, 5, 3, 32}}));
  for (std::size_t i = 0; i < fused.size(); ++i) EXPECT_NEAR(fused[i], plain[i], 1e-5);
}

TEST(ConvNeXt, AReplacedLayerRuns) {
  ConvNeXtBlock block(4, 0);
  block.replace_submodule("block.4", std::make_unique<Identity>());
  init::constant(block.layer_scale.data(), 1);
  const Tensor x = Tensor::ones({1, 4, 3, 3});
  EXPECT_EQ(block(x).to_vector(), ops::add((*block.block)(x), x).to_vector());
}

// In training some samples skip a block's branch; which ones depends on seed and step only.
TEST(ConvNeXt, TrainingDropsBranchesBySample) {
  Generator::global().set_seed(5);
  ConvNeXtBlock block(4, 0.5F);
  init::constant(block.layer_scale.data(), 1);
  std::vector<float> values(64 * 4 * 2 * 2);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) / 17;
  const Tensor x = Tensor::from_vector(values, {64, 4, 2, 2});
  block.eval();
  const auto branch = ops::sub(block(x), x).to_vector();
  block.train();
  const auto trained = ops::sub(block(x), x).to_vector();
  int dropped = 0;
  for (std::size_t n = 0; n < 64; ++n) {
    const float factor = trained[n * 16] == 0 ? 0 : 2;
    dropped += factor == 0 ? 1 : 0;
    for (std::size_t i = n * 16; i < n * 16 + 16; ++i) {
      EXPECT_NEAR(trained[i], factor * branch[i], 1e-5);
    }
  }
  EXPECT_GT(dropped, 16);
  EXPECT_LT(dropped, 48);
}

TEST(Registry, NamesNearModels) {
  const auto message = [](const std::string& name, std::int64_t classes, std::int64_t size) {
    try {
      make_model(name, classes, size);
    } catch (const ValueError& error) {
      return std::string(error.what());
    }
    return std::string("nothing thrown");
  };
  EXPECT_THAT(message("resnet19", 2, 224), HasSubstr("near: resnet18"));
  EXPECT_THAT(message("transformer", 2, 224), HasSubstr("known: resnet18"));
  EXPECT_THAT(message("resnet18", 0, 224), HasSubstr("0 classes"));
  EXPECT_THAT(message("lenet", 2, 8), HasSubstr("at least 16 pixels"));
  EXPECT_THROW(head_name("vgg"), ValueError);
}

TEST(Small, RefuseSizesThatCannotBe) {
  EXPECT_THROW(Mlp({3}), ValueError);
  EXPECT_THROW(LeNet(10, 1, 15), ValueError);
  EXPECT_NO_THROW(LeNet(10, 1, 16));
}

}  // namespace
}  // namespace hanok::nn
