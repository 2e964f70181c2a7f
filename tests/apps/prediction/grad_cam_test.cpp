// Grad-CAM: against PyTorch, for every model, and pointing at what the answer depends on.
#include "hanok/apps/prediction/grad_cam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"
#include "hanok/nn/module.h"
#include "hanok/nn/optim.h"
#include "tests/apps/program.h"
#include "tests/golden/golden.h"
#include "tests/support/recording_reporter.h"

namespace hanok::test {
namespace {

using training::GradCam;
using training::HeatMap;

// ---- the same maps as PyTorch's ----

std::unique_ptr<nn::Module> formula_model(const std::string& name, const golden::Json& json) {
  const nn::WithoutInit without_init;
  const std::string prefix = json.at("prefix");
  auto model = nn::make_model(name, json.at("classes"), json.at("images").at("shape")[2]);
  for (auto list : {model->named_parameters(), model->named_buffers()}) {
    for (auto& [key, tensor] : list) {
      if (!key.ends_with("num_batches_tracked")) golden::fill_parameter(tensor, key, prefix + key);
    }
  }
  return model;
}

class GoldenGradCam : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenGradCam, GivesPyTorchsMaps) {
  const golden::Json json = golden::load("apps_grad_cam.json").at(GetParam());
  const auto model = formula_model(GetParam(), json);
  const Tensor images =
      golden::tensor(json.at("prefix").get<std::string>() + "images", json.at("images"));
  GradCam grad_cam(*model, static_cast<int>(images.size(2)));
  EXPECT_EQ(grad_cam.layer(), json.at("layer"));
  for (const auto& [target, golden] : json.at("maps").items()) {
    const std::vector<std::int64_t> classes(3, std::stoi(target));
    const std::vector<HeatMap> maps = grad_cam(images, classes);
    ASSERT_EQ(maps.size(), 3U);
    const std::vector<double> expected = golden::numbers(golden);
    std::size_t i = 0;
    for (const HeatMap& map : maps) {
      EXPECT_EQ(map.height, golden.at("shape")[1]);
      EXPECT_EQ(map.width, golden.at("shape")[2]);
      for (const float value : map.values) ASSERT_NEAR(value, expected.at(i++), 1e-3) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenGradCam,
                         ::testing::Values("lenet", "resnet18", "resnet50", "mobilenet_v2",
                                           "mobilenet_v3_small", "efficientnet_b0",
                                           "efficientnet_lite0", "convnext_tiny", "vgg16_bn"),
                         [](const auto& info) { return std::string(info.param); });

// ---- every model ----

class GradCamOfEveryModel : public ::testing::TestWithParam<std::string> {};

TEST_P(GradCamOfEveryModel, FindsAFeatureMapAndLeavesTheNetworkAsItWas) {
  const auto model = nn::make_model(GetParam(), 4, 64);
  model->freeze("*");
  model->unfreeze(nn::head_name(GetParam()));
  std::vector<bool> before;
  for (const Tensor& parameter : model->parameters()) before.push_back(parameter.requires_grad());
  GradCam grad_cam(*model, 64);
  EXPECT_NE(grad_cam.layer(), "");
  const HeatMap map = grad_cam(Tensor::ones({1, 3, 64, 64}), {2}).at(0);
  EXPECT_GT(map.width * map.height, 1);
  EXPECT_EQ(map.width, map.height);
  EXPECT_EQ(map.values.size(), static_cast<std::size_t>(map.width * map.height));
  for (const float value : map.values) {
    EXPECT_GE(value, 0);
    EXPECT_LE(value, 1);
  }
  std::vector<bool> after;
  for (const Tensor& parameter : model->parameters()) {
    after.push_back(parameter.requires_grad());
    EXPECT_FALSE(parameter.grad().defined());
  }
  EXPECT_EQ(after, before);
  for (const nn::Module* module : model->modules()) EXPECT_FALSE(module->has_forward_hooks());
}

std::vector<std::string> models_with_maps() {
  std::vector<std::string> names = nn::model_names();
  std::erase(names, "mlp");
  return names;
}
INSTANTIATE_TEST_SUITE_P(Models, GradCamOfEveryModel, ::testing::ValuesIn(models_with_maps()),
                         [](const auto& info) { return info.param; });

TEST(GradCam, OfAnMlpIsAnError) {
  const auto model = nn::make_model("mlp", 3, 16);
  EXPECT_THROW(GradCam(*model, 16), ValueError);
}

TEST(GradCam, RefusesClassesThatDoNotFit) {
  const auto model = nn::make_model("lenet", 3, 32);
  GradCam grad_cam(*model, 32);
  const Tensor images = Tensor::zeros({2, 3, 32, 32});
  EXPECT_THROW(grad_cam(images, {0}), ValueError);
  EXPECT_THROW(grad_cam(images, {0, 3}), ValueError);
  EXPECT_THROW(grad_cam(images, {0, -1}), ValueError);
}

// ---- where it points ----

constexpr std::int64_t kSide = 32, kPatch = 8;

struct Patches {
  Tensor images, labels;
  std::vector<int> left, top;
};

/// Noise with a bright patch: red for class 0, green for class 1, anywhere.
Patches draw_patches(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> noise(0, 0.3F);
  std::vector<float> values(static_cast<std::size_t>(count * 3 * kSide * kSide));
  for (float& value : values) value = noise(random);
  Patches patches;
  std::vector<std::int64_t> labels;
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t left = random() % (kSide - kPatch), top = random() % (kSide - kPatch);
    patches.left.push_back(static_cast<int>(left));
    patches.top.push_back(static_cast<int>(top));
    labels.push_back(n % 2);
    for (std::int64_t y = top; y < top + kPatch; ++y) {
      for (std::int64_t x = left; x < left + kPatch; ++x) {
        values[static_cast<std::size_t>(((n * 3 + n % 2) * kSide + y) * kSide + x)] += 2;
      }
    }
  }
  patches.images = Tensor::from_vector(values, {count, 3, kSide, kSide});
  patches.labels = Tensor::from_vector(labels, {count});
  return patches;
}

/// A network that has learned to tell the patches apart.
std::unique_ptr<nn::Module> trained_on_patches() {
  auto model = nn::make_model("lenet", 2, kSide);
  const auto optimizer =
      nn::make_adam({{.name = "all", .parameters = model->parameters()}}, {.learning_rate = 2e-3});
  for (unsigned step = 0; step < 60; ++step) {
    const Patches patches = draw_patches(32, 100 + step);
    model->zero_grad();
    ops::cross_entropy((*model)(patches.images), patches.labels).backward();
    optimizer->step();
  }
  model->eval();
  return model;
}

TEST(GradCam, PointsAtThePatchThatTheAnswerDependsOn) {
  const auto model = trained_on_patches();
  const Patches patches = draw_patches(40, 7);
  GradCam grad_cam(*model, kSide);
  std::vector<std::int64_t> classes = patches.labels.to_int_vector();
  const std::vector<HeatMap> maps = grad_cam(patches.images, classes);
  double share = 0;
  int hits = 0;  // maps whose largest value is at the patch
  for (std::size_t n = 0; n < maps.size(); ++n) {
    const HeatMap map = training::on_photograph(
        maps[n], kSide, kSide, training::part_seen(kSide, kSide, {.image_size = kSide}));
    // Four pixels around: a place of the feature map sees 14 x 14 pixels.
    const double left = patches.left[n] - 4, top = patches.top[n] - 4, side = kPatch + 8;
    share += training::share_inside(
        map, {.left = left, .top = top, .right = left + side, .bottom = top + side});
    const auto peak = std::max_element(map.values.begin(), map.values.end()) - map.values.begin();
    const double x = static_cast<double>(peak % kSide), y = static_cast<double>(peak / kSide);
    hits += x >= left && x < left + side && y >= top && y < top + side ? 1 : 0;
  }
  // The widened patch is at most a quarter of the picture.
  EXPECT_GT(share / static_cast<double>(maps.size()), 0.5);
  EXPECT_GE(hits, 36);
}

TEST(GradCam, GivesAnImageTheSameBitsInAnyBatch) {
  const int threads = num_threads();
  const auto model = nn::make_model("resnet18", 3, 64);
  GradCam grad_cam(*model, 64);
  const Tensor images = golden::tensor("grad_cam/batch", {5, 3, 64, 64}, 7094, 12);
  set_num_threads(1);
  std::vector<std::vector<float>> one_by_one;
  for (std::int64_t n = 0; n < 5; ++n) {
    one_by_one.push_back(grad_cam(ops::slice(images, 0, n, n + 1), {n % 3}).at(0).values);
  }
  set_num_threads(3);
  const std::vector<HeatMap> together = grad_cam(images, {0, 1, 2, 0, 1});
  for (std::size_t n = 0; n < 5; ++n) EXPECT_EQ(together[n].values, one_by_one[n]) << n;
  set_num_threads(threads);
}

TEST(GradCam, OfSamplesKeepsTheOrderOfTheRequests) {
  TemporaryFolder folder;
  const data::Dataset dataset =
      data::load_image_folder(draw_photos(folder / "photos", {.members = 3}));
  training::LoadedModel loaded;
  loaded.card = {.model = "lenet", .class_names = dataset.class_names, .preprocessing = {}};
  loaded.card.preprocessing.image_size = 32;
  loaded.model = nn::make_model("lenet", 3, 32);
  data::Loader loader(dataset, {.preprocessing = loaded.card.preprocessing, .batch_size = 2});
  RecordingReporter reporter;
  const auto ask = [&](const std::vector<training::MapRequest>& requests) {
    return training::compute_heat_maps(loaded, loader, requests, {.reporter = reporter}).value();
  };
  EXPECT_TRUE(training::has_feature_map(loaded));
  const std::vector<HeatMap> maps = ask({{5, 0}, {1, 2}, {5, 1}});
  ASSERT_EQ(maps.size(), 3U);
  EXPECT_EQ(maps[0].values, ask({{5, 0}})[0].values);
  EXPECT_EQ(maps[1].values, ask({{1, 2}})[0].values);
  EXPECT_EQ(maps[2].values, ask({{5, 1}})[0].values);
  EXPECT_NE(maps[0].values, maps[2].values);
}

}  // namespace
}  // namespace hanok::test
