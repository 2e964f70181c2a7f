#include <cmath>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

struct SoftmaxCase {
  std::int64_t outer, length, inner;
  float range = 3;
};

class Softmaxes : public ::testing::TestWithParam<SoftmaxCase> {};
INSTANTIATE_TEST_SUITE_P(Shapes, Softmaxes,
                         ::testing::Values(SoftmaxCase{5, 1, 1}, SoftmaxCase{32, 18, 1},
                                           SoftmaxCase{3, 1003, 1}, SoftmaxCase{4, 19, 7},
                                           SoftmaxCase{1, 5, 3000},
                                           SoftmaxCase{7, 13, 1, 1000},  // beyond exp's range
                                           SoftmaxCase{0, 3, 2}, SoftmaxCase{3, 0, 1},
                                           SoftmaxCase{3, 0, 2}));

std::vector<double> reference_softmax(const std::vector<float>& x, const SoftmaxCase& c, bool log) {
  std::vector<double> y(x.size());
  for (std::int64_t row = 0; row < c.outer * c.inner; ++row) {
    const auto at = [&](std::int64_t i) {
      return static_cast<std::size_t>((row / c.inner * c.length + i) * c.inner + row % c.inner);
    };
    double largest = -HUGE_VAL;
    double sum = 0;
    for (std::int64_t i = 0; i < c.length; ++i) {
      largest = std::max<double>(largest, x[at(i)]);
    }
    for (std::int64_t i = 0; i < c.length; ++i) {
      sum += std::exp(x[at(i)] - largest);
    }
    for (std::int64_t i = 0; i < c.length; ++i) {
      y[at(i)] = log ? x[at(i)] - largest - std::log(sum) : std::exp(x[at(i)] - largest) / sum;
    }
  }
  return y;
}

TEST_P(Softmaxes, MatchesDoublePrecisionForwardAndBackward) {
  const SoftmaxCase& c = GetParam();
  const Shape shape{c.outer, c.length, c.inner};
  const std::vector<float> x = test::test_data(shape.numel(), 1, 1, c.range);
  const std::vector<float> dy = test::test_data(shape.numel(), 2, 0.5F, 1);
  for (const bool log : {false, true}) {
    const std::vector<double> want = reference_softmax(x, c, log);
    std::vector<float> y_for_backward(want.begin(), want.end());
    // The probabilities that the rounded y stands for: dx nearly cancels where one class takes all.
    std::vector<double> p(y_for_backward.begin(), y_for_backward.end());
    for (double& value : p) {
      value = log ? std::exp(value) : value;
    }
    std::vector<double> want_dx(x.size());
    for (std::int64_t i = 0; i < shape.numel(); ++i) {
      double sum = 0;
      for (std::int64_t k = 0; k < c.length; ++k) {
        const auto at = static_cast<std::size_t>((i / c.inner / c.length * c.length + k) * c.inner +
                                                 i % c.inner);
        sum += log ? dy[at] : dy[at] * p[at];
      }
      const auto at = static_cast<std::size_t>(i);
      want_dx[at] = log ? dy[at] - p[at] * sum : p[at] * (dy[at] - sum);
    }
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> y(x.size());
          backend.run(context, Softmax{log,
                                       test::view_of(x, shape),
                                       {c.outer, c.length, c.inner},
                                       test::view_of(y, shape)});
          return y;
        },
        [&](const std::vector<float>& y) { test::expect_near(y, want, 1e-6); });
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> dx(x.size());
          backend.run(context, SoftmaxBackward{log,
                                               test::view_of(y_for_backward, shape),
                                               test::view_of(dy, shape),
                                               {c.outer, c.length, c.inner},
                                               test::view_of(dx, shape)});
          return dx;
        },
        [&](const std::vector<float>& dx) { test::expect_near(dx, want_dx, 1e-6); });
  }
}

constexpr std::int64_t kSamples = 37;
constexpr std::int64_t kClasses = 19;

/// Data of one loss; the reference follows PyTorch's documentation of CrossEntropyLoss.
struct Loss {
  std::vector<float> logits = test::test_data(kSamples * kClasses, 1, 0, 4);
  std::vector<float> weights = test::test_data(kClasses, 2, 1, 0.75F);
  std::vector<float> soft = test::test_data(kSamples * kClasses, 3, 0.5F, 0.5F);
  std::vector<float> scale = test::test_data(kSamples, 4, 1, 0.5F);
  std::vector<std::int64_t> targets;
  bool weighted, is_soft;
  float smoothing, gamma;

  Loss(bool weighted_loss, bool soft_targets, float label_smoothing, float focal_gamma)
      : weighted(weighted_loss),
        is_soft(soft_targets),
        smoothing(label_smoothing),
        gamma(focal_gamma) {
    for (std::int64_t i = 0; i < kSamples; ++i) {
      targets.push_back(i % 5 == 3 ? -100 : i * 7 % kClasses);  // some ignored
    }
    for (std::int64_t i = 0; i < kSamples; ++i) {  // rows of soft targets sum to 1
      float sum = 0;
      for (std::int64_t c = 0; c < kClasses; ++c) {
        sum += soft[static_cast<std::size_t>(i * kClasses + c)];
      }
      for (std::int64_t c = 0; c < kClasses; ++c) {
        soft[static_cast<std::size_t>(i * kClasses + c)] /= sum;
      }
    }
  }

  double weight(std::int64_t c) const {
    return weighted ? weights[static_cast<std::size_t>(c)] : 1.0;
  }

  double sample(const std::vector<double>& z, std::int64_t i) const {
    double largest = -HUGE_VAL;
    for (const double v : z) {
      largest = std::max(largest, v);
    }
    double sum = 0;
    for (const double v : z) {
      sum += std::exp(v - largest);
    }
    const auto log_p = [&](std::int64_t c) {  // with the factor of focal loss
      const double log = z[static_cast<std::size_t>(c)] - largest - std::log(sum);
      return std::pow(1 - std::exp(log), static_cast<double>(gamma)) * log;
    };
    double loss = 0;
    if (is_soft) {
      for (std::int64_t c = 0; c < kClasses; ++c) {
        const double q = soft[static_cast<std::size_t>(i * kClasses + c)];
        loss -= weight(c) * log_p(c) * (q * (1 - smoothing) + smoothing / kClasses);
      }
      return loss;
    }
    const std::int64_t t = targets[static_cast<std::size_t>(i)];
    if (t < 0) {
      return 0;
    }
    double smooth = 0;
    for (std::int64_t c = 0; c < kClasses; ++c) {
      smooth -= weight(c) * log_p(c);
    }
    return (1 - smoothing) * -weight(t) * log_p(t) + smoothing / kClasses * smooth;
  }

  std::vector<double> row(std::int64_t i) const {
    const auto first = logits.begin() + i * kClasses;
    return {first, first + kClasses};
  }

  CrossEntropyLoss op() const {
    CrossEntropyLoss op;
    op.logits = test::view_of(logits, {kSamples, kClasses});
    op.targets = is_soft ? test::view_of(soft, {kSamples, kClasses})
                         : ConstView{targets.data(), DType::I64, Shape{kSamples}};
    if (weighted) {
      op.class_weights = test::view_of(weights, {kClasses});
    }
    op.label_smoothing = smoothing;
    op.focal_gamma = gamma;
    return op;
  }
};

void expect_as_defined(const Loss& loss) {
  std::vector<double> want;
  std::vector<double> want_d;
  for (std::int64_t i = 0; i < kSamples; ++i) {
    want.push_back(loss.sample(loss.row(i), i));
  }
  for (std::int64_t i = 0; i < kSamples; ++i) {
    const std::int64_t t = loss.targets[static_cast<std::size_t>(i)];
    want.push_back(loss.is_soft ? 1 : t < 0 ? 0 : loss.weight(t));
    for (std::int64_t c = 0; c < kClasses; ++c) {
      std::vector<double> up = loss.row(i);
      std::vector<double> down = up;
      up[static_cast<std::size_t>(c)] += 1e-5;
      down[static_cast<std::size_t>(c)] -= 1e-5;
      want_d.push_back(loss.scale[static_cast<std::size_t>(i)] *
                       (loss.sample(up, i) - loss.sample(down, i)) / 2e-5);
    }
  }
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> out(2 * kSamples);
        backend.run(context, CrossEntropy{loss.op(),
                                          {out.data(), DType::F32, {kSamples}},
                                          {out.data() + kSamples, DType::F32, {kSamples}}});
        return out;
      },
      [&](const std::vector<float>& out) { test::expect_near(out, want, 1e-6); });
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> d(kSamples * kClasses);
        backend.run(context, CrossEntropyBackward{loss.op(), test::view_of(loss.scale, {kSamples}),
                                                  test::view_of(d, {kSamples, kClasses})});
        return d;
      },
      [&](const std::vector<float>& d) { test::expect_near(d, want_d, 2e-6); });
}

TEST(CrossEntropy, MatchesItsDefinitionForwardAndBackward) {
  for (const bool weighted : {false, true}) {
    for (const bool soft : {false, true}) {
      for (const float smoothing : {0.0F, 0.125F, 1.0F}) {
        for (const float gamma : {0.0F, 0.5F, 2.0F}) {
          SCOPED_TRACE(::testing::Message() << "weighted " << weighted << ", soft " << soft
                                            << ", smoothing " << smoothing << ", gamma " << gamma);
          expect_as_defined(Loss(weighted, soft, smoothing, gamma));
        }
      }
    }
  }
}

TEST(CrossEntropy, CountsTargetsWhateverTheirClassWeighs) {
  const Loss loss(true, false, 0, 2);
  std::vector<double> want;
  for (const std::int64_t target : loss.targets) want.push_back(target < 0 ? 0 : 1);
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        CrossEntropyLoss op = loss.op();
        op.count_targets = true;
        std::vector<float> losses(kSamples), weights(kSamples);
        backend.run(context, CrossEntropy{op, test::view_of(losses, {kSamples}),
                                          test::view_of(weights, {kSamples})});
        return weights;
      },
      [&](const std::vector<float>& weights) { test::expect_near(weights, want, 0); });
}

TEST(CrossEntropy, StaysFiniteForConfidentAndWronglyConfidentLogits) {
  const std::vector<float> logits{1000, -1000, -1000, 1000};
  const std::vector<std::int64_t> targets{0, 0};
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> masked{0, -infinity, 0, -infinity};
  test::KernelContext context;
  for (const auto& backend : test::testable_backends()) {
    const auto losses_of = [&](const std::vector<float>& x) {
      std::vector<float> losses(2), weights(2);
      CrossEntropyLoss op;
      op.logits = test::view_of(x, {2, 2});
      op.targets = {targets.data(), DType::I64, Shape{2}};
      backend->run(context,
                   CrossEntropy{op, test::view_of(losses, {2}), test::view_of(weights, {2})});
      return losses;
    };
    EXPECT_EQ(losses_of(logits), (std::vector<float>{0, 2000}));
    EXPECT_EQ(losses_of(masked), (std::vector<float>{0, 0}));
  }
}

TEST(CrossEntropy, NamesATargetOutOfRange) {
  const std::vector<float> logits(6);
  std::vector<float> losses(2), weights(2);
  test::KernelContext context;
  CrossEntropyLoss op;
  op.logits = test::view_of(logits, {2, 3});
  const auto backend = test::testable_backends().front();
  for (const std::int64_t wrong : {3, -1, -101}) {
    const std::vector<std::int64_t> targets{0, wrong};
    op.targets = {targets.data(), DType::I64, Shape{2}};
    const auto run = [&] {
      backend->run(context,
                   CrossEntropy{op, test::view_of(losses, {2}), test::view_of(weights, {2})});
    };
    if (!backend->device().is_cpu()) {  // a kernel cannot throw: the sample's loss is no number
      run();
      EXPECT_FALSE(std::isnan(losses[0]));
      EXPECT_TRUE(std::isnan(losses[1]));
      continue;
    }
    EXPECT_THAT(
        run, ::testing::ThrowsMessage<ValueError>(::testing::HasSubstr(
                 "target " + std::to_string(wrong) + " of sample 1 is not one of the 3 classes")));
  }
}

}  // namespace
}  // namespace hanok
