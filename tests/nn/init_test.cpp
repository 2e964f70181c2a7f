// Distributions: bounds, mean, variance and the Kolmogorov-Smirnov distance from the expected
// distribution. The seed is fixed, so a test always passes or always fails; a correct generator
// exceeds the limits for one in thousands of seeds.
#include "hanok/nn/init.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <numeric>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/module.h"

namespace hanok::nn {
namespace {

using Cdf = std::function<double(double)>;

Cdf uniform_cdf(double low, double high) {
  return [=](double x) { return std::clamp((x - low) / (high - low), 0.0, 1.0); };
}
Cdf normal_cdf(double mean, double stddev) {
  return [=](double x) { return 0.5 * std::erfc(-(x - mean) / (stddev * std::sqrt(2.0))); };
}

struct Moments {
  double mean = 0, variance = 0, low = 0, high = 0;
};
Moments moments_of(const std::vector<float>& values) {
  const auto n = static_cast<double>(values.size());
  Moments m;
  m.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  for (const float v : values) m.variance += (v - m.mean) * (v - m.mean) / (n - 1);
  m.low = *std::min_element(values.begin(), values.end());
  m.high = *std::max_element(values.begin(), values.end());
  return m;
}

// Largest distance between the sample's distribution function and `cdf`.
double kolmogorov_smirnov(std::vector<float> values, const Cdf& cdf) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double f = cdf(values[i]);
    worst = std::max({worst, f - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - f});
  }
  return worst;
}

// A sample of n stays below this with probability 0.999 (Smirnov's limit distribution).
double ks_limit(std::size_t n) { return 1.95 / std::sqrt(static_cast<double>(n)); }

void expect_uniform(const Tensor& tensor, double low, double high) {
  const auto values = tensor.to_vector();
  const Moments m = moments_of(values);
  const double variance = (high - low) * (high - low) / 12;
  const auto n = static_cast<double>(values.size());
  EXPECT_GE(m.low, low);
  EXPECT_LE(m.high, high);
  EXPECT_LT(m.low, low + 20 * (high - low) / n) << "the lowest part is never drawn";
  EXPECT_GT(m.high, high - 20 * (high - low) / n) << "the highest part is never drawn";
  EXPECT_NEAR(m.mean, (low + high) / 2, 4 * std::sqrt(variance / n));
  // The sample variance of a uniform has standard deviation var * sqrt(0.8 / n).
  EXPECT_NEAR(m.variance, variance, 4 * variance * std::sqrt(0.8 / n));
  EXPECT_LT(kolmogorov_smirnov(values, uniform_cdf(low, high)), ks_limit(values.size()));
}

void expect_normal(const Tensor& tensor, double mean, double stddev) {
  const auto values = tensor.to_vector();
  const Moments m = moments_of(values);
  const auto n = static_cast<double>(values.size());
  EXPECT_NEAR(m.mean, mean, 4 * stddev / std::sqrt(n));
  EXPECT_NEAR(m.variance, stddev * stddev, 4 * stddev * stddev * std::sqrt(2 / n));
  EXPECT_GT(m.high, mean + 3 * stddev);
  EXPECT_LT(m.low, mean - 3 * stddev);
  EXPECT_LT(kolmogorov_smirnov(values, normal_cdf(mean, stddev)), ks_limit(values.size()));
}

Generator seeded() { return Generator(2024); }

TEST(Init, UniformAndNormalHaveTheirDistributions) {
  Generator generator = seeded();
  Tensor t = Tensor::empty({101, 199});
  init::uniform(t, -0.5F, 2, generator);
  expect_uniform(t, -0.5, 2);
  init::normal(t, 3, 0.25F, generator);
  expect_normal(t, 3, 0.25);
}

TEST(Init, KaimingSpreadsByFan) {
  Generator generator = seeded();
  Tensor conv = Tensor::empty({64, 16, 3, 5});  // fan in 240, fan out 960
  init::kaiming_normal(conv, 0, init::Fan::Out, generator);
  expect_normal(conv, 0, std::sqrt(2.0 / 960));
  init::kaiming_normal(conv, 0.5F, init::Fan::In, generator);
  expect_normal(conv, 0, std::sqrt(2.0 / (1.25 * 240)));
  init::kaiming_uniform(conv, 0, init::Fan::In, generator);
  expect_uniform(conv, -std::sqrt(6.0 / 240), std::sqrt(6.0 / 240));
  Tensor linear = Tensor::empty({80, 300});
  init::kaiming_uniform(linear, std::sqrt(5.0F), init::Fan::In, generator);
  expect_uniform(linear, -1 / std::sqrt(300.0), 1 / std::sqrt(300.0));
}

TEST(Init, XavierSpreadsByBothFans) {
  Generator generator = seeded();
  Tensor weight = Tensor::empty({100, 300});
  init::xavier_uniform(weight, 1, generator);
  expect_uniform(weight, -std::sqrt(6.0 / 400), std::sqrt(6.0 / 400));
  init::xavier_normal(weight, 2, generator);
  expect_normal(weight, 0, 2 * std::sqrt(2.0 / 400));
}

TEST(Init, FansCountTaps) {
  EXPECT_EQ(init::fan(Tensor::empty({7, 5}), init::Fan::In), 5);
  EXPECT_EQ(init::fan(Tensor::empty({7, 5}), init::Fan::Out), 7);
  EXPECT_EQ(init::fan(Tensor::empty({8, 4, 3, 2}), init::Fan::In), 24);
  EXPECT_EQ(init::fan(Tensor::empty({8, 4, 3, 2}), init::Fan::Out), 48);
  EXPECT_THROW(init::fan(Tensor::empty({8}), init::Fan::In), ShapeError);
}

TEST(Init, SameSeedSameValuesAndNextCallOthers) {
  Generator a = seeded(), b = seeded();
  Tensor x = Tensor::empty({1000}), y = Tensor::empty({1000});
  init::normal(x, 0, 1, a);
  init::normal(y, 0, 1, b);
  EXPECT_EQ(x.to_vector(), y.to_vector());
  init::normal(y, 0, 1, b);
  EXPECT_NE(x.to_vector(), y.to_vector());
  Generator other(2025);
  init::normal(y, 0, 1, other);
  EXPECT_NE(x.to_vector(), y.to_vector());
}

TEST(Init, ConstantFills) {
  Tensor t = Tensor::empty({3});
  init::constant(t, 0.5F);
  EXPECT_EQ(t.to_vector(), (std::vector<float>{0.5F, 0.5F, 0.5F}));
}

TEST(Init, WithoutInitLeavesTensorsAlone) {
  Tensor t = Tensor::full({100}, 7);
  {
    const WithoutInit guard;
    EXPECT_TRUE(WithoutInit::active());
    init::normal(t, 0, 1);
    init::uniform(t, 0, 1);
    init::constant(t, 1);
  }
  EXPECT_FALSE(WithoutInit::active());
  EXPECT_EQ(t.to_vector(), std::vector<float>(100, 7));
}

}  // namespace
}  // namespace hanok::nn
