// The fast convolutions, and those of integers, round differently from the direct one. Over a
// training run this must matter less than the random order of the images.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/precision.h"
#include "hanok/kernels/cpu/conv2d/choices.h"
#include "hanok/nn/models/registry.h"
#include "hanok/nn/optim.h"

namespace hanok::nn {
namespace {

constexpr std::int64_t kImages = 64, kBatch = 8, kSize = 32, kClasses = 4, kSteps = 200;

struct Images {
  std::vector<float> pixels;  // [image, channel, row, column]
  std::vector<std::int64_t> labels;
};

/// Noise, slightly brighter in one quadrant, which is the class.
Images draw_images() {
  Generator generator(7);
  Images images;
  images.pixels = random_normal({kImages, 3, kSize, kSize}, 0, 1, generator).to_vector();
  for (std::int64_t i = 0; i < kImages; ++i) {
    const std::int64_t label = i % kClasses;
    images.labels.push_back(label);
    for (std::int64_t pixel = 0; pixel < kSize * kSize; ++pixel) {
      const bool bottom = pixel / kSize >= kSize / 2;
      const bool right = pixel % kSize >= kSize / 2;
      if (label != 2 * bottom + right) continue;
      images.pixels[static_cast<std::size_t>(i * 3 * kSize * kSize + pixel)] += 0.5F;
    }
  }
  return images;
}

struct Training {
  std::vector<double> losses;
  std::vector<float> weights;  // after the last step, concatenated
};

/// 200 steps of AdamW from the same random weights; `seed` sets the order of the images.
Training train(const Images& images, unsigned seed) {
  Generator::global().set_seed(1);
  const std::unique_ptr<Module> net = make_model("resnet18", kClasses);
  const auto optimizer = make_adamw({{"all", net->parameters()}}, {.learning_rate = 1e-3});
  std::mt19937 random(seed);
  std::vector<std::int64_t> order(kImages);
  std::iota(order.begin(), order.end(), 0);
  Training training;
  std::size_t next = order.size();
  for (std::int64_t step = 0; step < kSteps; ++step) {
    std::vector<float> pixels;
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < kBatch; ++i) {
      if (next == order.size()) {
        for (std::size_t k = order.size() - 1; k > 0; --k) std::swap(order[k], order[random() % k]);
        next = 0;
      }
      const std::int64_t image = order[next++];
      const auto first = images.pixels.begin() + image * 3 * kSize * kSize;
      pixels.insert(pixels.end(), first, first + 3 * kSize * kSize);
      labels.push_back(images.labels[static_cast<std::size_t>(image)]);
    }
    optimizer->zero_grad();
    const Tensor x = Tensor::from_vector(pixels, {kBatch, 3, kSize, kSize});
    const Tensor loss = ops::cross_entropy((*net)(x), Tensor::from_vector(labels, {kBatch}));
    loss.backward();
    optimizer->step();
    training.losses.push_back(loss.item());
  }
  for (const Tensor& parameter : net->parameters()) {
    const std::vector<float> values = parameter.to_vector();
    training.weights.insert(training.weights.end(), values.begin(), values.end());
  }
  return training;
}

template <typename T>
double mean_distance(const std::vector<T>& a, const std::vector<T>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::fabs(static_cast<double>(a[i]) - b[i]);
  return sum / static_cast<double>(a.size());
}

TEST(FastAndPlainConvolutions, DifferLessOver200StepsThanTwoSeeds) {
  const Images images = draw_images();
  const Training fast = train(images, 1);
  const Training other = train(images, 2);
  Conv2dChoices choices(Conv2dAlgorithm::ImplicitGemm);
  const UseConv2dChoices use(choices);
  const Training plain = train(images, 1);

  EXPECT_NE(plain.losses, fast.losses);  // fast algorithms were used
  EXPECT_LT(fast.losses.back(), 0.5 * fast.losses.front());
  const double chance = mean_distance(fast.losses, other.losses);
  EXPECT_LT(mean_distance(fast.losses, plain.losses), chance);
  EXPECT_LT(mean_distance(fast.weights, plain.weights), mean_distance(fast.weights, other.weights));
}

TEST(FastAndPlainConvolutions, OfIntegersDifferLessOver200StepsThanTwoSeeds) {
  const Images images = draw_images();
  const Training floats = train(images, 1);
  const Training other = train(images, 2);
  const PrecisionScope scope(Precision::Int16);
  const Training integers = train(images, 1);

  EXPECT_NE(integers.losses, floats.losses);  // products of integers were used
  EXPECT_LT(integers.losses.back(), 0.5 * integers.losses.front());
  EXPECT_LT(mean_distance(floats.losses, integers.losses),
            mean_distance(floats.losses, other.losses));
  EXPECT_LT(mean_distance(floats.weights, integers.weights),
            mean_distance(floats.weights, other.weights));
}

}  // namespace
}  // namespace hanok::nn
