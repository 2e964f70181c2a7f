#include "hanok/data/mix.h"

#include <cmath>
#include <gmock/gmock.h>

#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using testing::HasSubstr;

constexpr std::int64_t kClasses = 4;
const std::vector<std::int64_t> kLabels = {0, 3, 1, 1, 2};

Batch make_batch() {
  Batch batch;
  batch.images = golden::tensor("mix", {5, 3, 8, 6}, 1000, 8);
  batch.labels = Tensor::from_vector(kLabels, {5});
  return batch;
}

/// l of the first row's targets: labels 0 (own) and 2 (the last sample's).
float own_share(const Tensor& targets) { return targets.to_vector()[0]; }

void expect_targets(const Tensor& targets, float own) {
  ASSERT_EQ(targets.shape(), (Shape{5, kClasses}));
  const std::vector<float> values = targets.to_vector();
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::int64_t c = 0; c < kClasses; ++c) {
      const double expected = (kLabels[i] == c) * own + (kLabels[(i + 4) % 5] == c) * (1 - own);
      EXPECT_NEAR(values[i * kClasses + static_cast<std::size_t>(c)], expected, 1e-6);
    }
  }
}

TEST(Mixup, MixesEachSampleWithTheOneBefore) {
  const std::vector<float> before = make_batch().images.to_vector();
  for (int step = 0; step < 5; ++step) {
    Batch batch = make_batch();
    const Tensor targets = mixup(batch, kClasses, 0.4, 1, 2, step);
    const float own = own_share(targets);
    expect_targets(targets, own);
    const std::vector<float> after = batch.images.to_vector();
    const std::size_t values = before.size() / 5;
    for (std::size_t i = 0; i < 5; ++i) {
      for (std::size_t v = 0; v < values; ++v) {
        const double expected =
            own * before[i * values + v] + (1 - own) * before[(i + 4) % 5 * values + v];
        ASSERT_NEAR(after[i * values + v], expected, 1e-5);
      }
    }
  }
}

TEST(Mix, EqualsTorchvisions) {
  const golden::Json content = golden::load("data_mix.json");
  int mixed = 0, cut = 0;
  for (const golden::Json& json : content.at("cases")) {
    const std::string name = json.at("name");
    Batch batch = make_batch();
    Tensor targets;
    if (json.at("box").empty()) {
      targets = mixup_by(batch, kClasses, json.at("own").get<float>());
      ++mixed;
    } else {
      const auto box = json.at("box").get<std::vector<int>>();  // x1, y1, x2, y2
      targets = cutmix_by(batch, kClasses, {box[0], box[1], box[2] - box[0], box[3] - box[1]});
      ++cut;
    }
    EXPECT_TRUE(golden::is_near(name, batch.images, json.at("images"), 1e-6));
    EXPECT_TRUE(golden::is_near(name + " targets", targets, json.at("targets"), 1e-6));
  }
  EXPECT_EQ(mixed, 2);
  EXPECT_EQ(cut, 3);
}

TEST(CutMix, TakesOneRectangleFromTheSampleBefore) {
  const std::vector<float> before = make_batch().images.to_vector();
  int cut = 0;
  for (int step = 0; step < 30; ++step) {
    Batch batch = make_batch();
    const Tensor targets = cutmix(batch, kClasses, 1.0, 1, 2, step);
    const float own = own_share(targets);
    expect_targets(targets, own);
    const std::vector<float> after = batch.images.to_vector();
    // The rectangle is the same in every sample and channel; its area matches the targets.
    int area = 0, top = 8, bottom = -1, left = 6, right = -1;
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 6; ++x) {
        const auto at = [&](std::size_t i, std::size_t c) {
          return ((i * 3 + c) * 8 + static_cast<std::size_t>(y)) * 6 + static_cast<std::size_t>(x);
        };
        const bool replaced = after[at(1, 0)] != before[at(1, 0)];
        for (std::size_t i = 0; i < 5; ++i) {
          for (std::size_t c = 0; c < 3; ++c) {
            ASSERT_EQ(after[at(i, c)], before[at(replaced ? (i + 4) % 5 : i, c)]);
          }
        }
        if (!replaced) continue;
        ++area;
        top = std::min(top, y);
        bottom = std::max(bottom, y);
        left = std::min(left, x);
        right = std::max(right, x);
      }
    }
    EXPECT_NEAR(own, 1 - area / 48.0, 1e-6);
    if (area > 0) {
      EXPECT_EQ(area, (bottom - top + 1) * (right - left + 1));
    }
    cut += area > 0;
  }
  EXPECT_GT(cut, 15);
}

TEST(Mix, IsAFunctionOfSeedEpochAndStep) {
  const auto share = [](std::uint64_t seed, std::int64_t epoch, std::int64_t step) {
    Batch batch = make_batch();
    return own_share(mixup(batch, kClasses, 0.4, seed, epoch, step));
  };
  EXPECT_EQ(share(1, 2, 3), share(1, 2, 3));
  EXPECT_NE(share(1, 2, 3), share(2, 2, 3));
  EXPECT_NE(share(1, 2, 3), share(1, 3, 3));
  EXPECT_NE(share(1, 2, 3), share(1, 2, 4));
}

TEST(Mix, ABatchOfOneIsMixedWithItself) {
  Batch batch;
  batch.images = golden::tensor("one", {1, 3, 4, 4}, 100, 4);
  const std::vector<float> before = batch.images.to_vector();
  batch.labels = Tensor::from_vector(std::vector<std::int64_t>{2}, {1});
  const std::vector<float> targets = mixup(batch, 3, 1.0, 1, 1, 1).to_vector();
  EXPECT_NEAR(targets[2], 1, 1e-6);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_NEAR(batch.images.to_vector()[i], before[i], 1e-5);
  }
}

// Mean 1/2 and variance 1 / (4 (2 alpha + 1)), within four standard errors.
TEST(DrawBeta, HasTheRightMoments) {
  for (const double alpha : {0.1, 0.4, 1.0, 3.0, 20.0}) {
    RandomDraws random(1, RandomStream::Test, 0, static_cast<std::int64_t>(alpha * 10));
    constexpr int kDraws = 40000;
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double x = draw_beta(alpha, random);
      ASSERT_GE(x, 0);
      ASSERT_LE(x, 1);
      sum += x;
      squares += (x - 0.5) * (x - 0.5);
    }
    const double variance = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(sum / kDraws, 0.5, 4 * std::sqrt(variance / kDraws)) << alpha;
    EXPECT_NEAR(squares / kDraws, variance, 0.04 * variance) << alpha;
  }
}

TEST(Mix, ErrorsNameTheValues) {
  Batch batch = make_batch();
  EXPECT_THAT(message_of<ValueError>([&] { mixup(batch, kClasses, 0, 1, 1, 1); }),
              HasSubstr("alpha is 0"));
  EXPECT_THROW(cutmix(batch, kClasses, std::nan(""), 1, 1, 1), ValueError);
  EXPECT_THAT(message_of<ValueError>([&] { mixup(batch, 3, 1, 1, 1, 1); }),
              HasSubstr("label 3 of 3 classes"));
}

}  // namespace
}  // namespace hanok::data
