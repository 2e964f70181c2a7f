// Elementary functions against the C library in double, over all exponents and both signs.
#include "hanok/kernels/base/vector_math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

struct Case {
  const char* name;
  float (*function)(float);
  double (*reference)(double);
  UnaryOp op;
};

double reference_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

const Case kCases[] = {
    {"exp", math::exp, std::exp, UnaryOp::Exp},
    {"log", math::log, std::log, UnaryOp::Log},
    {"sin", math::sin, std::sin, UnaryOp::Sin},
    {"cos", math::cos, std::cos, UnaryOp::Cos},
    {"tanh", math::tanh, std::tanh, UnaryOp::Tanh},
    {"erf", math::erf, std::erf, UnaryOp::Erf},
    {"sigmoid", math::sigmoid, reference_sigmoid, UnaryOp::Sigmoid},
};

/// Bit patterns over the whole range: every 9973rd, and special ones with their neighbours.
std::vector<float> arguments() {
  std::vector<float> xs;
  for (std::uint64_t bits = 0; bits < (1ULL << 32); bits += 9973) {
    xs.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  const float limit = std::numeric_limits<float>::max();
  const float tiny = std::numeric_limits<float>::min();
  for (const float special :
       {0.0F, 1.0F, 0.03125F, 0.3465736F, 0.6931472F, 0.70710678F, 1.4142135F, 1.5707964F,
        3.1415927F, 88.72284F, 87.33655F, 103.97208F, 3.9192059F, 16777216.0F, 1e22F, tiny, limit,
        std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::infinity()}) {
    for (const float x : {special, std::nextafter(special, limit), std::nextafter(special, 0.0F)}) {
      xs.push_back(x);
      xs.push_back(-x);
    }
  }
  xs.push_back(std::numeric_limits<float>::quiet_NaN());
  return xs;
}

/// Distance in units of the last place of the correctly rounded result.
double ulps(float got, double want) {
  const auto rounded = static_cast<float>(want);
  if (std::isnan(want) || std::isnan(got)) {
    return std::isnan(want) && std::isnan(got) ? 0 : HUGE_VAL;
  }
  if (std::isinf(rounded) || std::isinf(got)) {
    return rounded == got ? 0 : HUGE_VAL;
  }
  const float magnitude = std::fabs(rounded);
  const float unit = std::nextafter(magnitude, HUGE_VALF) - magnitude;
  return std::fabs(static_cast<double>(got) - want) / static_cast<double>(unit);
}

class VectorMath : public ::testing::TestWithParam<Case> {};

TEST_P(VectorMath, IsWithinTwoUlpOverTheWholeRange) {
  double worst = 0;
  float worst_at = 0;
  for (const float x : arguments()) {
    const double error = ulps(GetParam().function(x), GetParam().reference(x));
    if (error > worst) {
      worst = error;
      worst_at = x;
    }
  }
  EXPECT_LE(worst, 2.0) << "at " << std::hexfloat << worst_at;
  RecordProperty("ulp", std::to_string(worst));
}

TEST_P(VectorMath, EveryPathGivesTheScalarBits) {
  const std::vector<float> xs = arguments();
  std::vector<float> want(xs.size());
  {
    const FlushDenormals flush;  // as within every backend call
    for (std::size_t i = 0; i < xs.size(); ++i) {
      want[i] = GetParam().function(xs[i]);
    }
  }
  const Shape shape{static_cast<std::int64_t>(xs.size())};
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> ys(xs.size());
        backend.run(context,
                    Unary{GetParam().op, {}, test::view_of(xs, shape), test::view_of(ys, shape)});
        return ys;
      },
      [&](const std::vector<float>& got) {
        for (std::size_t i = 0; i < xs.size(); ++i) {
          if (std::isnan(want[i]) && std::isnan(got[i])) {
            continue;  // the sign of a NaN carries no meaning
          }
          ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(want[i]))
              << "at " << std::hexfloat << xs[i];
        }
      });
}

INSTANTIATE_TEST_SUITE_P(Functions, VectorMath, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(VectorMath, KeepsTheSignOfZero) {
  EXPECT_TRUE(std::signbit(math::sin(-0.0F)));
  EXPECT_TRUE(std::signbit(math::tanh(-0.0F)));
  EXPECT_TRUE(std::signbit(math::erf(-0.0F)));
  EXPECT_FALSE(std::signbit(math::sin(0.0F)));
}

}  // namespace
}  // namespace hanok
