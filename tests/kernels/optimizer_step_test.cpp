// Optimisers against their formulas in double over several steps, as torch.optim defines them.
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

constexpr int kSteps = 5;
constexpr std::int64_t kSizes[] = {1, 7, 40003};  // three parameters, one longer than a task
constexpr float kLearningRate = 0.0625F;

std::vector<float> gradient_of(int step, std::size_t slot) {
  return test::test_data(kSizes[slot], 100 + static_cast<std::uint64_t>(step) * 10 + slot, 0.1F, 1);
}

/// Runs kSteps steps and returns all parameters after the last.
template <typename Step>
std::vector<float> train(const Step& step) {
  std::vector<std::vector<float>> p, a, b;
  for (const std::int64_t size : kSizes) {
    p.push_back(test::test_data(size, static_cast<std::uint64_t>(size), 0, 2));
    a.emplace_back(static_cast<std::size_t>(size));
    b.emplace_back(static_cast<std::size_t>(size));
  }
  for (std::int64_t t = 1; t <= kSteps; ++t) {
    std::vector<std::vector<float>> gradients;
    std::vector<OptimizerSlot> slots;
    for (std::size_t i = 0; i < 3; ++i) {
      gradients.push_back(gradient_of(static_cast<int>(t), i));
    }
    for (std::size_t i = 0; i < 3; ++i) {
      const Shape shape{kSizes[i]};
      slots.push_back({test::view_of(p[i], shape),
                       test::view_of(static_cast<const std::vector<float>&>(gradients[i]), shape),
                       test::view_of(a[i], shape), test::view_of(b[i], shape)});
    }
    step({&kLearningRate, DType::F32, Shape{1}}, {&t, DType::I64, Shape{1}}, slots);
  }
  std::vector<float> all;
  for (const auto& parameter : p) {
    all.insert(all.end(), parameter.begin(), parameter.end());
  }
  return all;
}

/// The same with update(t, p, g, a, b) on doubles.
template <typename Update>
std::vector<double> reference(const Update& update) {
  std::vector<double> all;
  for (std::size_t slot = 0; slot < 3; ++slot) {
    const auto size = static_cast<std::size_t>(kSizes[slot]);
    const std::vector<float> start =
        test::test_data(kSizes[slot], static_cast<std::uint64_t>(kSizes[slot]), 0, 2);
    std::vector<double> p(start.begin(), start.end()), a(size), b(size);
    for (int t = 1; t <= kSteps; ++t) {
      const std::vector<float> g = gradient_of(t, slot);
      for (std::size_t i = 0; i < size; ++i) {
        update(t, p[i], static_cast<double>(g[i]), a[i], b[i]);
      }
    }
    all.insert(all.end(), p.begin(), p.end());
  }
  return all;
}

struct SgdCase {
  double momentum, dampening, weight_decay;
  bool nesterov;
};

class Sgd : public ::testing::TestWithParam<SgdCase> {};
INSTANTIATE_TEST_SUITE_P(Options, Sgd,
                         ::testing::Values(SgdCase{0, 0, 0, false}, SgdCase{0, 0, 0.1, false},
                                           SgdCase{0.9, 0, 0, false}, SgdCase{0.9, 0, 0.01, true},
                                           SgdCase{0.8, 0.25, 0.01, false}));

TEST_P(Sgd, FollowsItsFormulaFromTheFirstStepOn) {
  const SgdCase& c = GetParam();
  const std::vector<double> want =
      reference([&](int t, double& p, double g, double& buffer, double&) {
        double d = g + c.weight_decay * p;
        if (c.momentum != 0) {
          buffer = t == 1 ? d : c.momentum * buffer + (1 - c.dampening) * d;
          d = c.nesterov ? d + c.momentum * buffer : buffer;
        }
        p -= kLearningRate * d;
      });
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        return train([&](ConstView lr, ConstView t, const std::vector<OptimizerSlot>& slots) {
          SgdStep step;
          step.learning_rate = lr;
          step.step = t;
          step.momentum = c.momentum;
          step.dampening = c.dampening;
          step.weight_decay = c.weight_decay;
          step.nesterov = c.nesterov;
          step.slots = slots;
          backend.run(context, step);
        });
      },
      [&](const std::vector<float>& got) { test::expect_near(got, want, 2e-6); });
}

struct AdamCase {
  double beta1, beta2, epsilon, weight_decay;
  bool decoupled;
};

class Adam : public ::testing::TestWithParam<AdamCase> {};
INSTANTIATE_TEST_SUITE_P(Options, Adam,
                         ::testing::Values(AdamCase{0.9, 0.999, 1e-8, 0, false},
                                           AdamCase{0.9, 0.999, 1e-8, 0.1, false},
                                           AdamCase{0.9, 0.999, 1e-8, 0.1, true},
                                           AdamCase{0.5, 0.75, 1e-3, 0.01, true}));

TEST_P(Adam, FollowsItsFormulaFromTheFirstStepOn) {
  const AdamCase& c = GetParam();
  const std::vector<double> want = reference([&](int t, double& p, double g, double& m, double& v) {
    if (c.decoupled) {
      p *= 1 - kLearningRate * c.weight_decay;
    } else {
      g += c.weight_decay * p;
    }
    m = c.beta1 * m + (1 - c.beta1) * g;
    v = c.beta2 * v + (1 - c.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(c.beta1, t));
    const double v_hat = v / (1 - std::pow(c.beta2, t));
    p -= kLearningRate * m_hat / (std::sqrt(v_hat) + c.epsilon);
  });
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        return train([&](ConstView lr, ConstView t, const std::vector<OptimizerSlot>& slots) {
          AdamStep step;
          step.learning_rate = lr;
          step.step = t;
          step.beta1 = c.beta1;
          step.beta2 = c.beta2;
          step.epsilon = c.epsilon;
          step.weight_decay = c.weight_decay;
          step.decoupled = c.decoupled;
          step.slots = slots;
          backend.run(context, step);
        });
      },
      [&](const std::vector<float>& got) { test::expect_near(got, want, 2e-6); });
}

}  // namespace
}  // namespace hanok
