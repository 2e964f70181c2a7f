// Losses other than cross-entropy.
#include <cmath>

#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

using ops::Reduction;

Array reduced(const Array& losses, Reduction reduction) {
  if (reduction == Reduction::None) return losses;
  double sum = 0;
  for (const double loss : losses.values) sum += loss;
  const bool mean = reduction == Reduction::Mean;
  return Array({}, mean ? sum / static_cast<double>(losses.values.size()) : sum);
}

void check_pointwise(const std::string& name,
                     const std::function<Tensor(const Tensor&, const Tensor&, Reduction)>& op,
                     double (*f)(double, double), double low, double high) {
  std::uint32_t seed = 0;
  for (const Shape& shape : {Shape{1}, Shape{9}, Shape{3, 5}, Shape{2, 3, 2, 4}}) {
    for (const Reduction reduction : {Reduction::Mean, Reduction::Sum, Reduction::None}) {
      check_op(
          name + " " + shape.to_string(),
          [&](const auto& in) { return op(in[0], in[1], reduction); },
          [&](const std::vector<Array>& in) {
            Array losses = in[0];
            for (std::size_t i = 0; i < losses.values.size(); ++i) {
              losses.values[i] = f(in[0].values[i], in[1].values[i]);
            }
            return reduced(losses, reduction);
          },
          {random_array(shape, ++seed, -3, 3), random_array(shape, ++seed, low, high)});
    }
  }
}

TEST(Losses, MatchReference) {
  check_pointwise(
      "mse_loss", ops::mse_loss, [](double x, double t) { return (x - t) * (x - t); }, -3, 3);
  check_pointwise(
      "l1_loss", ops::l1_loss, [](double x, double t) { return std::abs(x - t); }, -3, 3);
  check_pointwise(
      "bce_with_logits", ops::bce_with_logits,
      [](double x, double t) {
        const double s = 1 / (1 + std::exp(-x));
        return -t * std::log(s) - (1 - t) * std::log(1 - s);
      },
      0, 1);
}

TEST(Losses, BceIsStableAndHasItsGradientAtZero) {
  Tensor x = new_from_vector(std::vector<float>{0, 200, -200}, {3}).set_requires_grad(true);
  const Tensor t = new_from_vector(std::vector<float>{1, 1, 1}, {3});
  const Tensor losses = ops::bce_with_logits(x, t, Reduction::None);
  EXPECT_NEAR(losses.to_vector()[0], std::log(2.0), 1e-6);
  EXPECT_EQ(losses.to_vector()[1], 0.0F);
  EXPECT_EQ(losses.to_vector()[2], 200.0F);
  losses.backward(new_ones({3}));
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{-0.5F, 0, -1}));
}

TEST(Losses, KlDivergenceMatchesReference) {
  Array q = random_array({4, 5}, 70, 0, 1);
  q({1, 2}) = 0;  // 0 log 0 counts as 0
  for (const Reduction reduction : {Reduction::Mean, Reduction::Sum, Reduction::None}) {
    check_op(
        "kl_div", [&](const auto& in) { return ops::kl_div(in[0], to_tensor(q), reduction); },
        [&](const std::vector<Array>& in) {
          Array losses({4});
          for (std::int64_t n = 0; n < 4; ++n) {
            for (std::int64_t c = 0; c < 5; ++c) {
              if (q({n, c}) > 0) {
                losses({n}) += q({n, c}) * (std::log(q({n, c})) - in[0]({n, c}));
              }
            }
          }
          return reduced(losses, reduction);
        },
        {random_array({4, 5}, 71, -4, 0)});
  }
}

/// Row n's  - sum_c alpha_c t_nc (1 - p_nc)^gamma log p_nc  for p = softmax of the logits.
Array reference_focal_losses(const Array& logits, const Array& targets, const Array& alpha,
                             double gamma) {
  Array losses({logits.size(0)});
  for (std::int64_t n = 0; n < logits.size(0); ++n) {
    double sum = 0;
    for (std::int64_t c = 0; c < logits.size(1); ++c) sum += std::exp(logits({n, c}));
    for (std::int64_t c = 0; c < logits.size(1); ++c) {
      const double p = std::exp(logits({n, c})) / sum;
      losses({n}) -= alpha({c}) * targets({n, c}) * std::pow(1 - p, gamma) * std::log(p);
    }
  }
  return losses;
}

Array total_of(const Array& losses, Reduction reduction, double count) {
  if (reduction == Reduction::None) return losses;
  double total = 0;
  for (const double loss : losses.values) total += loss;
  return Array({}, reduction == Reduction::Mean ? total / count : total);
}

/// Rows that sum to 1; row 1 has one class alone.
Array random_distributions(std::int64_t rows, std::int64_t classes, std::uint32_t seed) {
  Array q = random_array({rows, classes}, seed, 0, 1);
  for (std::int64_t n = 0; n < rows; ++n) {
    double sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      if (n == 1) q({n, c}) = c == 2 ? 1 : 0;
      sum += q({n, c});
    }
    for (std::int64_t c = 0; c < classes; ++c) q({n, c}) = static_cast<float>(q({n, c}) / sum);
  }
  return q;
}

TEST(Losses, FocalLossMatchesReference) {
  const std::vector<std::int64_t> labels = {2, 0, -100, 3, 1, 3};
  Array one_hot({6, 4});
  for (std::int64_t n = 0; n < 6; ++n) {
    const std::int64_t label = labels[static_cast<std::size_t>(n)];
    if (label >= 0) one_hot({n, label}) = 1;
  }
  std::uint32_t seed = 80;
  for (const float gamma : {0.0F, 0.5F, 1.0F, 2.0F, 2.5F}) {
    for (const bool weighted : {false, true}) {
      for (const Reduction reduction : {Reduction::Mean, Reduction::Sum, Reduction::None}) {
        const Array alpha = weighted ? random_array({4}, ++seed, 0.5, 2) : Array({4}, 1);
        check_op(
            "focal_loss",
            [&](const auto& in) {
              ops::FocalLossOptions options;
              options.gamma = gamma;
              options.reduction = reduction;
              if (weighted) options.alpha = to_tensor(alpha);
              return ops::focal_loss(in[0], new_from_vector(labels, {6}), options);
            },
            [&](const std::vector<Array>& in) {
              return total_of(reference_focal_losses(in[0], one_hot, alpha, gamma), reduction, 5);
            },
            {random_array({6, 4}, ++seed, -2, 2)});
      }
    }
  }
}

TEST(Losses, FocalLossOfSoftTargetsMatchesReference) {
  std::uint32_t seed = 500;
  for (const float gamma : {0.5F, 1.0F, 2.0F, 3.5F}) {
    for (const float smoothing : {0.0F, 0.25F}) {
      for (const bool weighted : {false, true}) {
        const Array soft = random_distributions(5, 6, ++seed);
        const Array alpha = weighted ? random_array({6}, ++seed, 0.5, 2) : Array({6}, 1);
        Array smoothed = soft;
        for (double& t : smoothed.values) t = (1 - smoothing) * t + smoothing / 6;
        check_op(
            "focal_loss of soft targets",
            [&](const auto& in) {
              ops::FocalLossOptions options;
              options.gamma = gamma;
              options.label_smoothing = smoothing;
              if (weighted) options.alpha = to_tensor(alpha);
              return ops::focal_loss(in[0], to_tensor(soft), options);
            },
            [&](const std::vector<Array>& in) {
              return total_of(reference_focal_losses(in[0], smoothed, alpha, gamma),
                              Reduction::Mean, 5);
            },
            {random_array({5, 6}, ++seed, -3, 3)});
      }
    }
  }
}

TEST(Losses, FocalLossWithoutFocusIsTheCrossEntropyOfSoftTargets) {
  const Tensor logits = to_tensor(random_array({5, 6}, 601, -3, 3));
  const Tensor soft = to_tensor(random_distributions(5, 6, 602));
  for (const float smoothing : {0.0F, 0.1F}) {
    EXPECT_EQ(ops::focal_loss(logits, soft, {.gamma = 0, .label_smoothing = smoothing}).item(),
              ops::cross_entropy(logits, soft, {.label_smoothing = smoothing}).item());
  }
}

TEST(Losses, FocalLossOfOneHotTargetsIsThatOfTheirLabels) {
  const Array logits = random_array({3, 4}, 603, -3, 3);
  const std::vector<std::int64_t> labels = {3, 0, 2};
  Array one_hot({3, 4});
  for (std::int64_t n = 0; n < 3; ++n) one_hot({n, labels[static_cast<std::size_t>(n)]}) = 1;
  Tensor by_label = to_tensor(logits).set_requires_grad(true);
  Tensor by_target = to_tensor(logits).set_requires_grad(true);
  const Tensor a = ops::focal_loss(by_label, new_from_vector(labels, {3}));
  const Tensor b = ops::focal_loss(by_target, to_tensor(one_hot));
  EXPECT_EQ(a.item(), b.item());
  a.backward();
  b.backward();
  EXPECT_EQ(by_label.grad().to_vector(), by_target.grad().to_vector());
}

TEST(Losses, FocalLossOfSureAndOfHopelessPredictionsIsFinite) {
  for (const float gamma : {0.5F, 1.0F, 2.0F}) {
    Tensor logits = new_from_vector(std::vector<float>{800, 0, 0, 800}, {2, 2});
    logits.set_requires_grad(true);
    const Tensor losses =
        ops::focal_loss(logits, new_from_vector(std::vector<std::int64_t>{0, 0}, {2}),
                        {.gamma = gamma, .reduction = Reduction::None});
    EXPECT_EQ(losses.to_vector(), (std::vector<float>{0, 800}));
    losses.backward(new_ones({2}));
    EXPECT_EQ(logits.grad().to_vector(), (std::vector<float>{0, 0, -1, 1}));
  }
}

TEST(Losses, FocalLossOfNoNumberIsNoNumber) {
  const float nan = std::nanf("");
  const Tensor logits = new_from_vector(std::vector<float>{nan, 1, 2, 1}, {2, 2});
  const Tensor labels = new_from_vector(std::vector<std::int64_t>{1, 1}, {2});
  EXPECT_TRUE(std::isnan(ops::focal_loss(logits, labels).item()));
}

TEST(Losses, ErrorsNameTheOpAndTheShapes) {
  const Tensor x = new_zeros({2, 3});
  EXPECT_EQ(message_of<ShapeError>([&] { ops::mse_loss(x, new_zeros({3})); }),
            "mse_loss: both must have the same shape (input [2,3], target [3])");
  EXPECT_EQ(message_of<ShapeError>([&] { ops::bce_with_logits(x, new_zeros({2})); }),
            "bce_with_logits: both must have the same shape (logits [2,3], targets [2])");
  EXPECT_EQ(message_of<AutogradError>([&] {
              Tensor q = new_zeros({2, 3}).set_requires_grad(true);
              ops::kl_div(x, q);
            }),
            "kl_div: targets get no gradient; detach() them");
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::FocalLossOptions options;
              options.gamma = -1;
              ops::focal_loss(x, new_from_vector(std::vector<std::int64_t>{0, 1}, {2}), options);
            }),
            "focal_loss: gamma is -1, expected 0 or above (logits [2,3], targets [2])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::FocalLossOptions options;
              options.alpha = new_ones({2});
              ops::focal_loss(x, new_zeros({2, 3}), options);
            }),
            "focal_loss: alpha must be [3] (logits [2,3], targets [2,3], alpha [2])");
}

}  // namespace
}  // namespace hanok::testing
