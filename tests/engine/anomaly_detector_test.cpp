// The anomaly detector: the first kernel that makes a value that is not finite, forward, backward
// and in an optimiser's step, and that nothing changes where there is none.
#include "hanok/engine/anomaly_detector.h"

#include <cmath>
#include <gmock/gmock.h>
#include <limits>
#include <thread>

#include "hanok/engine/layer_scope.h"
#include "hanok/engine/runtime.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

using Pass = KernelCall::Pass;
using ::testing::HasSubstr;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// What the detector finds in `work`.
template <typename Work>
Anomaly found_in(const Work& work) {
  AnomalyDetector detector;
  const AnomalyDetector::Scope scope(&detector);
  try {
    work();
  } catch (const AnomalyError& error) {
    EXPECT_EQ(std::string(error.what()), describe(error.anomaly()));
    return error.anomaly();
  }
  ADD_FAILURE() << "nothing was found";
  return {};
}

TEST(AnomalyDetector, NamesTheOpTheLayerAndTheValue) {
  const int layer = 0;
  const Tensor x = Tensor::from_vector(std::vector<float>{1, 0, 2, 0}, Shape{2, 2});
  const Anomaly anomaly = found_in([&] {
    const LayerScope scope(&layer);
    ops::sum(ops::log(x));
  });
  EXPECT_STREQ(anomaly.kernel, "unary");
  EXPECT_EQ(anomaly.variant, "log");
  EXPECT_EQ(anomaly.layer, &layer);
  EXPECT_EQ(anomaly.pass, Pass::Forward);
  EXPECT_EQ(anomaly.made.count, 2);
  EXPECT_EQ(anomaly.made.first, -kInfinity);
  EXPECT_EQ(anomaly.made.shape, (Shape{2, 2}));
  EXPECT_TRUE(anomaly.given.empty());
  EXPECT_THAT(describe(anomaly), HasSubstr("2 of 4 values of its result [2,2] are not finite"));
}

TEST(AnomalyDetector, FindsTheInfiniteDerivativeOfAFiniteValue) {
  const int layer = 0;
  Tensor x = Tensor::from_vector(std::vector<float>{4, 0}, Shape{2}).set_requires_grad(true);
  const Anomaly anomaly = found_in([&] {
    Tensor root;
    {
      const LayerScope scope(&layer);
      root = ops::sqrt(x);  // 0 is fine; its derivative is 1 / (2 * 0)
    }
    ops::sum(root).backward();
  });
  EXPECT_STREQ(anomaly.kernel, "unary_backward");
  EXPECT_EQ(anomaly.variant, "sqrt");
  EXPECT_EQ(anomaly.layer, &layer);
  EXPECT_EQ(anomaly.pass, Pass::Backward);
  EXPECT_EQ(anomaly.made.count, 1);
}

TEST(AnomalyDetector, SaysWhichOperandWasNotFiniteBefore) {
  const Tensor x = Tensor::full({1, 1, 4, 4}, 1.0);
  std::vector<float> values(2 * 3 * 3, 0.5F);
  values[12] = kNaN;
  const Tensor weight = Tensor::from_vector(values, Shape{2, 1, 3, 3});
  const Anomaly anomaly = found_in([&] { ops::conv2d(x, weight, {}, {1, 1, 1, 1, 1, 1}); });
  EXPECT_STREQ(anomaly.kernel, "conv2d_forward");
  ASSERT_EQ(anomaly.given.size(), 1U);
  EXPECT_EQ(anomaly.given[0].data, weight.view().data);
  EXPECT_EQ(anomaly.given[0].count, 1);
  EXPECT_TRUE(std::isnan(anomaly.given[0].first));
}

TEST(AnomalyDetector, ReadsBroadcastOperands) {
  const Tensor x = Tensor::full({3, 2}, 1.0);
  const Tensor bias = Tensor::from_vector(std::vector<float>{0, kInfinity}, Shape{2});
  const Anomaly anomaly = found_in([&] { ops::add(x, bias); });
  EXPECT_EQ(anomaly.made.count, 3);
  ASSERT_EQ(anomaly.given.size(), 1U);
  EXPECT_EQ(anomaly.given[0].data, bias.view().data);
}

TEST(AnomalyDetector, FindsAnOverflowInAnOptimizersStep) {
  Tensor parameter = Tensor::full({2}, -3e38);
  const Tensor gradient = Tensor::full({2}, 1e38);
  const Tensor rate = Tensor::full({1}, 10.0);
  Tensor step = Tensor::full({1}, 1.0, {DType::I64});
  const Anomaly anomaly = found_in([&] {
    run_on(
        Device::cpu(),
        SgdStep{.learning_rate = rate.view(),
                .step = step.view(),
                .slots = {{.parameter = parameter.mutable_view(), .gradient = gradient.view()}}});
  });
  EXPECT_EQ(anomaly.pass, Pass::Update);
  EXPECT_EQ(anomaly.made.data, parameter.view().data);
  EXPECT_EQ(anomaly.made.count, 2);
}

TEST(AnomalyDetector, CountsInHalfPrecisionToo) {
  const Tensor x =
      Tensor::from_vector(std::vector<float>{1, kInfinity, -kInfinity, kNaN, 65504}, Shape{5});
  for (const DType type : {DType::F16, DType::BF16}) {
    const Anomaly anomaly = found_in([&] { ops::cast(x, type); });
    EXPECT_EQ(anomaly.made.count, 3) << name_of(type);
    EXPECT_EQ(anomaly.made.first, kInfinity) << name_of(type);
  }
}

TEST(AnomalyDetector, ChecksItsScopeAndItsThreadAlone) {
  const Tensor zero = Tensor::full({1}, 0.0);
  AnomalyDetector detector;
  EXPECT_NO_THROW(ops::log(zero));
  const AnomalyDetector::Scope scope(&detector);
  {
    const AnomalyDetector::Scope none(nullptr);
    EXPECT_NO_THROW(ops::log(zero));
  }
  EXPECT_THROW(ops::log(zero), AnomalyError);
  std::thread([&] { EXPECT_NO_THROW(ops::log(zero)); }).join();
}

TEST(AnomalyDetector, ChangesNoResultAndLeavesNothingBehind) {
  Tensor weight = Tensor::from_vector(std::vector<float>{0.25F, -1, 2, 3e38F}, Shape{2, 2})
                      .set_requires_grad(true);
  const Tensor x = Tensor::from_vector(std::vector<float>{1, 1e-40F, 0.5F, 0}, Shape{2, 2});
  const auto gradient = [&] {
    weight.set_grad(Tensor());
    ops::sum(ops::matmul(x, weight)).backward();
    return weight.grad().to_vector();
  };
  const Backend* plain_backend = &backend_of(Device::cpu());
  const std::vector<float> plain = gradient();
  {
    AnomalyDetector detector;
    const AnomalyDetector::Scope scope(&detector);
    EXPECT_EQ(gradient(), plain);
  }
  EXPECT_EQ(&backend_of(Device::cpu()), plain_backend);
}

}  // namespace
}  // namespace hanok::testing
