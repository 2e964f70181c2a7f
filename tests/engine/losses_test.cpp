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

TEST(Losses, FocalLossMatchesReference) {
  const std::vector<std::int64_t> labels = {2, 0, -100, 3, 1, 3};
  std::uint32_t seed = 80;
  for (const float gamma : {0.0F, 1.0F, 2.0F, 2.5F}) {
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
              Array losses({6});
              double total = 0;
              for (std::int64_t n = 0; n < 6; ++n) {
                const std::int64_t label = labels[static_cast<std::size_t>(n)];
                if (label < 0) continue;
                double sum = 0;
                for (std::int64_t c = 0; c < 4; ++c) sum += std::exp(in[0]({n, c}));
                const double p = std::exp(in[0]({n, label})) / sum;
                losses({n}) =
                    -alpha({label}) * std::pow(1 - p, static_cast<double>(gamma)) * std::log(p);
                total += losses({n});
              }
              if (reduction == Reduction::None) return losses;
              return Array({}, reduction == Reduction::Mean ? total / 5 : total);
            },
            // 1 - p loses digits where p is near 1.
            {random_array({6, 4}, ++seed, -2, 2)}, {3e-6, 1e-5});
      }
    }
  }
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
              options.gamma = 0.5F;
              ops::focal_loss(x, new_from_vector(std::vector<std::int64_t>{0, 1}, {2}), options);
            }),
            "focal_loss: gamma is 0.5, expected 0 or at least 1 (below 1 the gradient of a sure "
            "prediction is infinite) (logits [2,3])");
}

}  // namespace
}  // namespace hanok::testing
