// Loss scaling on CUDA in f16: its purpose, and recovery from a scale that is too large.
#include <cmath>
#include <gtest/gtest.h>
#include <memory>

#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/precision.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"
#include "hanok/nn/grad_scaler.h"
#include "hanok/nn/models/small.h"
#include "hanok/nn/optim.h"
#include "tests/kernels/kernel_context.h"

namespace hanok::nn {
namespace {

const Device kDevice = Device::cuda(0);

class LossScaling : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(cuda_runtime(), nullptr);
    try {
      cuda_runtime()->devices();
    } catch (const DeviceError& error) {
      GTEST_SKIP() << error.what();
    }
    images_ = Tensor::from_vector(test::test_data(6 * 28 * 28, 2), {6, 1, 28, 28}).to(kDevice);
    targets_ = Tensor::from_vector(std::vector<std::int64_t>{3, 1, 4, 1, 0, 2}, {6}).to(kDevice);
  }
  static std::unique_ptr<LeNet> model() {
    Generator::global().set_seed(3);
    auto net = std::make_unique<LeNet>(10, 1, 28);
    net->to(kDevice);
    return net;
  }
  Tensor loss_of(LeNet& net) const { return ops::cross_entropy(net(images_), targets_); }
  static std::vector<std::vector<float>> values(LeNet& net) {
    std::vector<std::vector<float>> all;
    for (const Tensor& p : net.parameters()) all.push_back(p.to_vector());
    return all;
  }

  Tensor images_, targets_;
};

/// The largest gradient of conv1's weights, and the distance of all of them from `want`.
struct Gradient {
  std::vector<float> values;
  double largest() const {
    double most = 0;
    for (const float g : values) most = std::max<double>(most, std::fabs(g));
    return most;
  }
  double distance(const Gradient& want) const {
    double error = 0, size = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double d = double{values[i]} - double{want.values[i]};
      error += d * d;
      size += double{want.values[i]} * double{want.values[i]};
    }
    return std::sqrt(error / size);
  }
};

// A loss of a millionth: the logits' gradients are about 1e-8, below the smallest f16, 6e-8, so
// they underflow to 0. Multiplied by 65536 = 2^16 before and divided after, they equal f32's up to
// f16's rounding: 0.0005 of their rms.
TEST_F(LossScaling, BringsGradientsThroughThatF16CannotHold) {
  const auto gradient = [&](Precision precision, bool scaled, float share = 1e-6F) {
    const std::unique_ptr<LeNet> net = model();
    const PrecisionScope scope(precision);
    GradScaler scaler(kDevice);
    const Tensor loss = ops::affine(loss_of(*net), share, 0);
    loss.backward(scaled ? scaler.scale() : Tensor());
    if (scaled) scaler.unscale(net->parameters());
    EXPECT_EQ(scaler.found().item(), 0);
    return Gradient{net->fc1->weight.data().grad().to_vector()};
  };
  const Gradient want = gradient(Precision::F32, /*scaled=*/false);
  EXPECT_GT(want.largest(), 1e-9);
  EXPECT_EQ(gradient(Precision::F16, /*scaled=*/false).largest(), 0) << "all of it underflows";
  EXPECT_LT(gradient(Precision::F16, /*scaled=*/true).distance(want), 0.002);
  // bf16 has f32's range and needs no scaling: a loss 2^20 times as small gives gradients that are
  // exactly 2^20 times as small.
  const Gradient whole = gradient(Precision::BF16, /*scaled=*/false, 1);
  Gradient small = gradient(Precision::BF16, /*scaled=*/false, 0x1p-20F);
  EXPECT_GT(small.largest(), 0);
  for (float& g : small.values) g *= 0x1p20F;
  EXPECT_EQ(small.values, whole.values);
}

/// A scale at which the logits' gradients overflow in f16: 2^24 times about 0.1.
GradScalerOptions too_large() {
  GradScalerOptions options;
  options.initial_scale = 16777216;
  return options;
}

TEST_F(LossScaling, AStepThatOverflowsLeavesEverythingAndHalvesTheScale) {
  const std::unique_ptr<LeNet> net = model();
  const auto optimizer = make_adamw({{"all", net->parameters()}}, {});
  GradScaler scaler(kDevice, too_large());
  optimizer->set_skip(scaler.found());
  const PrecisionScope scope(Precision::F16);
  const auto before = values(*net);
  const auto step = [&] {
    optimizer->zero_grad();
    loss_of(*net).backward(scaler.scale());
    scaler.unscale(net->parameters());
    optimizer->step();
    scaler.update();
    return scaler.found().item() != 0;
  };
  ASSERT_TRUE(step());
  EXPECT_EQ(values(*net), before);
  EXPECT_EQ(scaler.scale().item(), 8388608);
  const State untouched = optimizer->state();
  EXPECT_EQ(untouched.integers.count("parameter.0.0.step"), 0U) << "no step was done";
  // The scale halves until the gradients are finite, and then the step runs.
  int skipped = 1;
  while (step()) ASSERT_LT(++skipped, 24);
  EXPECT_GT(skipped, 2);
  EXPECT_NE(values(*net), before);
  EXPECT_EQ(scaler.scale().item(), std::ldexp(1.0, 24 - skipped));
  EXPECT_EQ(optimizer->state().integer("parameter.0.0.step"), 1);
}

/// 40 steps of AdamW from the same weights; the last loss, and the weights.
struct Course {
  double loss = 0;
  std::vector<std::vector<float>> weights;
};

class Training : public LossScaling {
 protected:
  Course train(Precision precision, const GradScalerOptions& options,
               std::int64_t broken_at = -1) const {
    std::unique_ptr<LeNet> net = model();
    auto optimizer = make_adamw({{"all", net->parameters()}}, {});
    auto scaler = std::make_unique<GradScaler>(kDevice, options);
    optimizer->set_skip(scaler->found());
    const PrecisionScope scope(precision);
    Course course;
    for (std::int64_t i = 0; i < 40; ++i) {
      if (i == broken_at) {  // as after a kill: everything is rebuilt from saved states
        const State optimizer_state = optimizer->state(), scaler_state = scaler->state();
        const auto weights = values(*net);
        net = model();
        for (std::size_t p = 0; p < weights.size(); ++p) {
          Tensor parameter = net->parameters()[p];
          parameter.copy_from(Tensor::from_vector(weights[p], parameter.shape()).to(kDevice));
        }
        optimizer = make_adamw({{"all", net->parameters()}}, {});
        optimizer->load_state(optimizer_state);
        scaler = std::make_unique<GradScaler>(kDevice, options);
        scaler->load_state(scaler_state);
        optimizer->set_skip(scaler->found());
      }
      optimizer->zero_grad();
      const Tensor loss = loss_of(*net);
      loss.backward(scaler->scale());
      scaler->unscale(net->parameters());
      optimizer->step();
      scaler->update();
      course.loss = loss.item();
    }
    course.weights = values(*net);
    return course;
  }
};

// Overfits six images, from ln 10 = 2.30 down to 0.86 in f32, 0.85 in bf16. In f32 and bf16 loss
// scaling only shifts exponents.
TEST_F(Training, ComesAsFarAsInF32) {
  const double f32 = train(Precision::F32, {}).loss;
  EXPECT_LT(f32, 1.0);
  EXPECT_NEAR(train(Precision::BF16, {}).loss, f32, 0.05);
  EXPECT_NEAR(train(Precision::F16, {}).loss, f32, 0.05);
}

TEST_F(Training, RepeatsItsBitsAndGoesOnFromSavedState) {
  const Course whole = train(Precision::F16, too_large());
  EXPECT_EQ(train(Precision::F16, too_large()).weights, whole.weights);
  EXPECT_EQ(train(Precision::F16, too_large(), 3).weights, whole.weights)
      << "interrupted while steps are skipped";
  EXPECT_EQ(train(Precision::F16, too_large(), 20).weights, whole.weights);
}

}  // namespace
}  // namespace hanok::nn
