#include <cmath>
#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct UnaryCase {
  const char* name;
  UnaryOp op;
  std::function<double(double)> f;
  UnaryParams params = {};
  float center = 0, range = 5;
};

double clamp(double x, double low, double high) { return std::min(std::max(x, low), high); }

const UnaryCase kUnaryCases[] = {
    {"Neg", UnaryOp::Neg, [](double x) { return -x; }},
    {"Abs", UnaryOp::Abs, [](double x) { return std::fabs(x); }},
    {"Exp", UnaryOp::Exp, [](double x) { return std::exp(x); }},
    {"Log", UnaryOp::Log, [](double x) { return std::log(x); }, {}, 5, 4.5F},
    {"Sqrt", UnaryOp::Sqrt, [](double x) { return std::sqrt(x); }, {}, 5, 4.5F},
    {"Square", UnaryOp::Square, [](double x) { return x * x; }},
    {"Reciprocal", UnaryOp::Reciprocal, [](double x) { return 1 / x; }, {}, 5, 4.5F},
    {"Sin", UnaryOp::Sin, [](double x) { return std::sin(x); }},
    {"Cos", UnaryOp::Cos, [](double x) { return std::cos(x); }},
    {"Erf", UnaryOp::Erf, [](double x) { return std::erf(x); }, {}, 0, 2},
    {"Relu", UnaryOp::Relu, [](double x) { return std::max(x, 0.0); }},
    {"LeakyRelu", UnaryOp::LeakyRelu, [](double x) { return x < 0 ? 0.125 * x : x; }, {0.125F, 0}},
    {"Sigmoid", UnaryOp::Sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }},
    {"Tanh", UnaryOp::Tanh, [](double x) { return std::tanh(x); }, {}, 0, 2},
    {"Silu", UnaryOp::Silu, [](double x) { return x / (1 + std::exp(-x)); }},
    {"Gelu", UnaryOp::Gelu, [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }},
    {"Hardswish", UnaryOp::Hardswish, [](double x) { return x * clamp(x + 3, 0, 6) / 6; }},
    {"Hardsigmoid", UnaryOp::Hardsigmoid, [](double x) { return clamp(x + 3, 0, 6) / 6; }},
    {"Clamp", UnaryOp::Clamp, [](double x) { return clamp(x, -1.5, 2.5); }, {-1.5F, 2.5F}},
    {"PowWhole", UnaryOp::Pow, [](double x) { return x * x * x; }, {3, 0}},
    {"PowLarge", UnaryOp::Pow, [](double x) { return std::pow(x, 67); }, {67, 0}, 0, 1.2F},
    {"PowNegative", UnaryOp::Pow, [](double x) { return 1 / (x * x); }, {-2, 0}, 5, 4.5F},
    {"PowBroken", UnaryOp::Pow, [](double x) { return std::pow(x, 0.75); }, {0.75F, 0}, 5, 4.5F},
    {"Affine", UnaryOp::Affine, [](double x) { return 2.5 * x - 0.75; }, {2.5F, -0.75F}},
};

class UnaryOps : public ::testing::TestWithParam<UnaryCase> {};
INSTANTIATE_TEST_SUITE_P(Ops, UnaryOps, ::testing::ValuesIn(kUnaryCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(UnaryOps, MatchesItsFormula) {
  const UnaryCase& c = GetParam();
  for (const std::int64_t n : {1, 7, 8, 1003, 40001}) {
    const std::vector<float> x = test::test_data(n, 1, c.center, c.range);
    std::vector<double> want;
    for (const float v : x) {
      want.push_back(c.f(v));
    }
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> y(x.size());
          backend.run(context, Unary{c.op, c.params, test::view_of(x, {n}), test::view_of(y, {n})});
          return y;
        },
        [&](const std::vector<float>& y) { test::expect_near(y, want, 1e-6); });
  }
}

TEST_P(UnaryOps, BackwardMatchesCentralDifferences) {
  const UnaryCase& c = GetParam();
  constexpr double kStep = 1e-6;
  constexpr std::int64_t kCount = 5003;
  std::vector<float> x = test::test_data(kCount, 2, c.center, c.range);
  const std::vector<float> dy = test::test_data(kCount, 3);
  std::vector<float> y;
  std::vector<double> want;
  for (std::size_t i = 0; i < x.size(); ++i) {
    y.push_back(static_cast<float>(c.f(x[i])));
    want.push_back(dy[i] * (c.f(x[i] + kStep) - c.f(x[i] - kStep)) / (2 * kStep));
  }
  const Shape shape{kCount};
  const DerivativeNeeds needs = derivative_needs(c.op);
  const ConstView none;
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> dx(x.size());
        backend.run(context,
                    UnaryBackward{c.op, c.params,
                                  needs == DerivativeNeeds::X ? test::view_of(x, shape) : none,
                                  needs == DerivativeNeeds::Y ? test::view_of(y, shape) : none,
                                  test::view_of(dy, shape), test::view_of(dx, shape)});
        return dx;
      },
      [&](const std::vector<float>& dx) { test::expect_near(dx, want, 2e-5); });
}

TEST_P(UnaryOps, WorksInPlace) {
  const UnaryCase& c = GetParam();
  const std::vector<float> x = test::test_data(1003, 1, c.center, c.range);
  test::KernelContext context;
  for (const auto& backend : test::testable_backends()) {
    std::vector<float> y(x.size());
    backend->run(context,
                 Unary{c.op, c.params, test::view_of(x, {1003}), test::view_of(y, {1003})});
    std::vector<float> z = x;
    backend->run(context,
                 Unary{c.op, c.params, test::view_of(z, {1003}), test::view_of(z, {1003})});
    EXPECT_TRUE(test::equal_bits(y, z));
  }
}

TEST(Unary, KeepsNotANumber) {
  test::KernelContext context;
  const std::vector<float> x(11, kNan);
  for (const auto& backend : test::testable_backends()) {
    for (const UnaryCase& c : kUnaryCases) {
      std::vector<float> y(x.size());
      backend->run(context, Unary{c.op, c.params, test::view_of(x, {11}), test::view_of(y, {11})});
      EXPECT_TRUE(std::isnan(y[0])) << c.name;
      EXPECT_TRUE(std::isnan(y[10])) << c.name;
    }
  }
}

TEST(Unary, DerivativesAtTheirCorners) {
  test::KernelContext context;
  const auto derivative = [&](Backend& backend, UnaryOp op, UnaryParams params, float x, float y) {
    const std::vector<float> xs{x};
    const std::vector<float> ys{y};
    const std::vector<float> dy{1};
    std::vector<float> dx{7};
    backend.run(context, UnaryBackward{op, params, test::view_of(xs, {1}), test::view_of(ys, {1}),
                                       test::view_of(dy, {1}), test::view_of(dx, {1})});
    return dx[0];
  };
  for (const auto& backend : test::testable_backends()) {
    EXPECT_EQ(derivative(*backend, UnaryOp::Abs, {}, 0, 0), 0);
    EXPECT_EQ(derivative(*backend, UnaryOp::Relu, {}, 0, 0), 0);
    EXPECT_EQ(derivative(*backend, UnaryOp::Clamp, {-1, 1}, 0.5F, 0.5F), 1);
    EXPECT_EQ(derivative(*backend, UnaryOp::Clamp, {-1, 1}, 1, 1), 0);
    EXPECT_EQ(derivative(*backend, UnaryOp::Clamp, {-1, 1}, -1, -1), 0);
    EXPECT_EQ(derivative(*backend, UnaryOp::Clamp, {-1, 1}, 1.5F, 1), 0);
    EXPECT_EQ(derivative(*backend, UnaryOp::Hardswish, {}, -3, 0), 0);
    EXPECT_EQ(derivative(*backend, UnaryOp::Hardswish, {}, 3, 3), 1);
    EXPECT_EQ(derivative(*backend, UnaryOp::Hardsigmoid, {}, 3, 1), 0);
    EXPECT_EQ(derivative(*backend, UnaryOp::LeakyRelu, {0.125F, 0}, 0, 0), 0.125F);
    EXPECT_EQ(derivative(*backend, UnaryOp::Pow, {0, 0}, 0, 1), 0);
    EXPECT_EQ(derivative(*backend, UnaryOp::Pow, {2, 0}, 0, 0), 0);
    for (const UnaryOp op : {UnaryOp::Silu, UnaryOp::Gelu}) {
      EXPECT_EQ(derivative(*backend, op, {}, -kInfinity, 0), 0) << name_of(op);
      EXPECT_EQ(derivative(*backend, op, {}, kInfinity, kInfinity), 1) << name_of(op);
    }
  }
}

TEST(Unary, ReachesTheLimitsAtInfinity) {
  test::KernelContext context;
  const std::vector<float> x{-kInfinity, kInfinity, -1e4F, 1e4F, -0.0F, -kInfinity, kInfinity};
  const auto n = static_cast<std::int64_t>(x.size());
  const auto values = [&](Backend& backend, UnaryOp op, UnaryParams params) {
    std::vector<float> y(x.size());
    backend.run(context, Unary{op, params, test::view_of(x, {n}), test::view_of(y, {n})});
    return y;
  };
  for (const auto& backend : test::testable_backends()) {
    SCOPED_TRACE(backend->name());
    for (const UnaryOp op : {UnaryOp::Silu, UnaryOp::Gelu}) {
      const std::vector<float> y = values(*backend, op, {});
      EXPECT_EQ(y, (std::vector<float>{0, kInfinity, 0, 1e4F, 0, 0, kInfinity})) << name_of(op);
      EXPECT_FALSE(std::signbit(y[0])) << name_of(op);
    }
    // As C's pow.
    for (const float exponent :
         {0.0F, 1.0F, 3.0F, -2.0F, -3.0F, 0.5F, -0.5F, 2.5F, 3e9F, kInfinity, -kInfinity}) {
      const std::vector<float> y = values(*backend, UnaryOp::Pow, {exponent, 0});
      for (std::size_t i = 0; i < x.size(); ++i) {
        const float want = std::pow(x[i], exponent);
        if (std::isnan(want)) {
          EXPECT_TRUE(std::isnan(y[i])) << x[i] << " to the power of " << exponent;
        } else if (std::isinf(want) || want == 0) {
          EXPECT_EQ(y[i], want) << x[i] << " to the power of " << exponent;
        } else {
          EXPECT_NEAR(y[i] / want, 1, 1e-5) << x[i] << " to the power of " << exponent;
        }
      }
    }
  }
}

double reference(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::Add:
      return a + b;
    case BinaryOp::Sub:
      return a - b;
    case BinaryOp::Mul:
      return a * b;
    case BinaryOp::Div:
      return a / b;
    case BinaryOp::Maximum:
      return std::max(a, b);
    case BinaryOp::Minimum:
      return std::min(a, b);
  }
  throw std::logic_error("no reference");
}

struct BroadcastCase {
  Shape sizes, stored_a, stored_b;  // memory order; 1 where they broadcast
};

class BinaryOps : public ::testing::TestWithParam<BroadcastCase> {};
INSTANTIATE_TEST_SUITE_P(
    Shapes, BinaryOps,
    ::testing::Values(BroadcastCase{{}, {}, {}}, BroadcastCase{{1003}, {1003}, {1003}},
                      BroadcastCase{{1003}, {1}, {1003}}, BroadcastCase{{5, 7}, {5, 1}, {1, 7}},
                      BroadcastCase{{37, 1025}, {37, 1025}, {1, 1025}},
                      BroadcastCase{{37, 1025}, {37, 1}, {37, 1025}},
                      BroadcastCase{{2, 5, 6, 19}, {2, 5, 6, 19}, {1, 1, 1, 19}},
                      BroadcastCase{{2, 5, 6, 19}, {2, 1, 1, 19}, {2, 5, 6, 1}},
                      BroadcastCase{{2, 5, 6, 3}, {1, 5, 1, 3}, {2, 1, 6, 1}},
                      BroadcastCase{{3, 0, 2}, {3, 0, 2}, {1, 1, 2}}));

Strides broadcast_strides(const Shape& stored) {
  Strides strides = row_major_strides(stored);
  for (int dim = 0; dim < stored.rank(); ++dim) {
    strides[dim] = stored[dim] == 1 ? 0 : strides[dim];
  }
  return strides;
}

TEST_P(BinaryOps, BroadcastsByStrideZero) {
  const BroadcastCase& c = GetParam();
  const std::int64_t n = c.sizes.numel();
  const std::vector<float> a = test::test_data(c.stored_a.numel(), 1, 3, 2);
  const std::vector<float> b = test::test_data(c.stored_b.numel(), 2, 3, 2);
  const StridedConstView view_a{a.data(), DType::F32, c.sizes, broadcast_strides(c.stored_a)};
  const StridedConstView view_b{b.data(), DType::F32, c.sizes, broadcast_strides(c.stored_b)};
  for (int kind = 0; kind < kBinaryOps; ++kind) {
    const auto op = static_cast<BinaryOp>(kind);
    SCOPED_TRACE(name_of(op));
    std::vector<double> want;
    for (std::int64_t i = 0; i < n; ++i) {
      std::int64_t at_a = 0;
      std::int64_t at_b = 0;
      std::int64_t rest = i;
      for (int dim = c.sizes.rank() - 1; dim >= 0; --dim) {
        at_a += rest % c.sizes[dim] * view_a.strides[dim];
        at_b += rest % c.sizes[dim] * view_b.strides[dim];
        rest /= c.sizes[dim];
      }
      want.push_back(
          reference(op, a[static_cast<std::size_t>(at_a)], b[static_cast<std::size_t>(at_b)]));
    }
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> out(static_cast<std::size_t>(n), kNan);
          backend.run(context, Binary{op, view_a, view_b, {out.data(), DType::F32, Shape{n}}});
          return out;
        },
        [&](const std::vector<float>& out) { test::expect_near(out, want, 1e-6); });
  }
}

TEST(Binary, MaximumAndMinimumKeepNotANumberFromEitherSide) {
  test::KernelContext context;
  const std::vector<float> a{kNan, 1, 2, kNan, 1, 1, 1, 1, 1};
  const std::vector<float> b{1, kNan, 1, kNan, 2, 1, 1, 1, kNan};
  for (const auto& backend : test::testable_backends()) {
    for (const BinaryOp op : {BinaryOp::Maximum, BinaryOp::Minimum}) {
      std::vector<float> out(a.size());
      backend->run(context, Binary{op, test::dense_strided(a, {9}), test::dense_strided(b, {9}),
                                   test::view_of(out, {9})});
      for (const std::size_t i : {0U, 1U, 3U, 8U}) {
        EXPECT_TRUE(std::isnan(out[i])) << i;
      }
      EXPECT_EQ(out[2], op == BinaryOp::Maximum ? 2 : 1);
    }
  }
}

TEST(Prelu, AndItsBackwardMatchTheFormula) {
  for (const std::int64_t channels : {1, 7, 10, 32, 1500}) {
    const Shape shape{channels == 1500 ? 3 : 997, channels};
    SCOPED_TRACE(shape.to_string());
    std::vector<float> x = test::test_data(shape.numel(), 1);
    x[0] = 0;  // which is not above 0
    const std::vector<float> slopes = test::test_data(channels, 2);
    const std::vector<float> dy = test::test_data(shape.numel(), 3);
    std::vector<double> want, want_dx, want_terms;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double slope = slopes[i % static_cast<std::size_t>(channels)];
      want.push_back(x[i] > 0 ? x[i] : slope * x[i]);
      want_dx.push_back(x[i] > 0 ? dy[i] : slope * dy[i]);
      want_terms.push_back(x[i] > 0 ? 0 : static_cast<double>(dy[i]) * x[i]);
    }
    const ConstView slopes_view = test::view_of(slopes, {channels});
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> y(x.size(), kNan);
          backend.run(context,
                      Prelu{test::view_of(x, shape), slopes_view, test::view_of(y, shape)});
          return y;
        },
        [&](const std::vector<float>& y) { test::expect_near(y, want, 1e-6); });
    for (const bool with_terms : {false, true}) {
      test::on_every_path(
          [&](Backend& backend, ExecContext& context) {
            std::vector<float> out(x.size(), kNan);
            PreluBackward call{test::view_of(x, shape), slopes_view, test::view_of(dy, shape)};
            (with_terms ? call.slope_terms : call.dx) = test::view_of(out, shape);
            backend.run(context, call);
            return out;
          },
          [&](const std::vector<float>& out) {
            test::expect_near(out, with_terms ? want_terms : want_dx, 1e-6);
          });
    }
  }
}

TEST(AddScaled, AddsInPlace) {
  const std::vector<float> x = test::test_data(40003, 1);
  const std::vector<float> start = test::test_data(40003, 2);
  std::vector<double> want;
  for (std::size_t i = 0; i < x.size(); ++i) {
    want.push_back(start[i] + 0.3 * x[i]);
  }
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> y = start;
        backend.run(context, AddScaled{0.3F, test::view_of(x, {40003}), test::view_of(y, {40003})});
        return y;
      },
      [&](const std::vector<float>& y) { test::expect_near(y, want, 1e-6); });
}

}  // namespace
}  // namespace hanok
