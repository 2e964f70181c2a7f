// The losses of --noise-robust: values and gradients, parts of a batch, phases.
#include "hanok/apps/training/loss.h"

#include <gtest/gtest.h>

#include "tests/golden/golden.h"

namespace hanok::test {
namespace {

using training::LossPhase;
using training::NoiseRobust;
using training::Options;
using training::TrainingLoss;

constexpr std::int64_t kImages = 10, kClasses = 4;

struct Inputs {
  golden::Json json = golden::load("noise_robust.json");
  Options options{};
  Tensor logits = tensor("logits", {kImages, kClasses});
  Tensor soft = tensor("soft", {kImages, kClasses});
  Tensor weights = tensor("class_weights", {kClasses});
  Tensor labels =
      Tensor::from_vector(json.at("labels").get<std::vector<std::int64_t>>(), Shape{kImages});

  Inputs() {
    options.gce_q = json.at("q");
    options.bootstrap_beta = json.at("beta");
    options.trim_share = json.at("share");
  }
  Tensor tensor(const char* name, const Shape& shape) const {
    return Tensor::from_vector(json.at(name).get<std::vector<float>>(), shape);
  }
};

struct LossAndGradient {
  double loss = 0;
  std::vector<float> gradient;
};

LossAndGradient compute(const TrainingLoss& loss, const Tensor& logits, const Tensor& targets,
                        const training::LossCall& call = {}) {
  Tensor x = logits.clone();
  x.set_requires_grad(true);
  const Tensor total = loss(x, targets, call);
  total.backward();
  return {total.item(), x.grad().to_vector()};
}

TEST(NoiseRobustLoss, EqualsPyTorchsFormulasForAllTargetsAndWeights) {
  Inputs in;
  ASSERT_EQ(in.json.at("cases").size(), 24u);
  for (const golden::Json& expected : in.json.at("cases")) {
    in.options.noise_robust = *training::value_named<NoiseRobust>(expected.at("kind"));
    in.options.label_smoothing = expected.at("smoothing");
    const bool weighted = expected.at("weighted");
    const TrainingLoss loss(in.options, kClasses, weighted ? in.weights : Tensor());
    const Tensor targets = expected.at("soft") ? in.soft : in.labels;
    const LossAndGradient got = compute(loss, in.logits, targets);
    SCOPED_TRACE(expected.at("kind").get<std::string>() + (weighted ? " weighted" : ""));
    EXPECT_NEAR(got.loss, expected.at("loss").get<double>(), 2e-5);
    const auto gradient = expected.at("gradient").get<std::vector<double>>();
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      EXPECT_NEAR(got.gradient[i], gradient[i], 2e-6) << i;
    }
  }
}

TEST(NoiseRobustLoss, PartsAddUpToTheBatch) {
  Inputs in;
  for (const NoiseRobust kind : {NoiseRobust::Gce, NoiseRobust::Bootstrap}) {
    in.options.noise_robust = kind;
    const TrainingLoss loss(in.options, kClasses, in.weights);
    const training::LossCall call{.denominator = loss.denominator(in.labels)};
    const LossAndGradient whole = compute(loss, in.logits, in.labels, call);
    double sum = 0;
    std::vector<float> gradient;
    for (const auto& [begin, end] : {std::pair{0, 3}, {3, 10}}) {
      const LossAndGradient part = compute(loss, ops::slice(in.logits, 0, begin, end),
                                           ops::slice(in.labels, 0, begin, end), call);
      sum += part.loss;
      gradient.insert(gradient.end(), part.gradient.begin(), part.gradient.end());
    }
    EXPECT_NEAR(sum, whole.loss, 1e-6);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      EXPECT_NEAR(gradient[i], whole.gradient[i], 1e-7) << i;
    }
  }
}

TEST(NoiseRobustLoss, TrimLeavesNothingOutInTheFirstEpoch) {
  Inputs in;
  in.options.noise_robust = NoiseRobust::Trim;
  const TrainingLoss trim(in.options, kClasses, {});
  EXPECT_EQ(trim.phase(0), LossPhase::WarmUp);
  EXPECT_EQ(trim.phase(1), LossPhase::Main);
  const LossAndGradient warm =
      compute(trim, in.logits, in.labels, {.denominator = 10, .phase = LossPhase::WarmUp});
  Options plain_options;
  const TrainingLoss plain(plain_options, kClasses, {});
  EXPECT_EQ(plain.phase(3), LossPhase::WarmUp);
  const LossAndGradient plain_loss = compute(plain, in.logits, in.labels, {.denominator = 10});
  EXPECT_NEAR(warm.loss, plain_loss.loss, 1e-6);
  const LossAndGradient later = compute(trim, in.logits, in.labels, {.denominator = 10});
  EXPECT_LT(later.loss, 0.7 * warm.loss);
  int still = 0;  // images without a gradient
  for (std::int64_t i = 0; i < kImages; ++i) {
    bool zero = true;
    for (std::int64_t c = 0; c < kClasses; ++c) {
      zero &= later.gradient[static_cast<std::size_t>(i * kClasses + c)] == 0;
    }
    still += zero ? 1 : 0;
  }
  EXPECT_EQ(still, 3);
}

TEST(NoiseRobustLoss, AnImpossibleLabelHardlyMovesGce) {
  Inputs in;
  in.options.noise_robust = NoiseRobust::Gce;
  const TrainingLoss gce(in.options, kClasses, {});
  const Tensor logits = Tensor::from_vector(std::vector<float>{0, 200, 0, 0}, Shape{1, 4});
  const Tensor label = Tensor::from_vector(std::vector<std::int64_t>{0}, Shape{1});
  const LossAndGradient got = compute(gce, logits, label);
  EXPECT_NEAR(got.loss, 1 / 0.7, 1e-6);
  for (const float g : got.gradient) EXPECT_NEAR(g, 0, 1e-12);
}

}  // namespace
}  // namespace hanok::test
