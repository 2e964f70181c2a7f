#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "hanok/kernels/base/philox.h"
#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

using Words = std::array<std::uint32_t, 4>;

/// Known answers of the authors' reference implementation (Random123, kat_vectors, philox4x32 10).
TEST(Philox, GivesThePaperReferenceVectors) {
  EXPECT_EQ(philox({0, 0}, {0, 0, 0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0xa4093822, 0x299f31d0}, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, StreamsAndSeedsDiffer) {
  const Words init = philox(philox_key(1, RandomStream::Init), {0, 0, 0, 0});
  EXPECT_NE(init, philox(philox_key(1, RandomStream::Dropout), {0, 0, 0, 0}));
  EXPECT_NE(init, philox(philox_key(2, RandomStream::Init), {0, 0, 0, 0}));
  EXPECT_NE(init, philox(philox_key(1ULL << 32 | 1, RandomStream::Init), {0, 0, 0, 0}));
}

constexpr std::int64_t kPosition[2] = {3, 77};  // epoch, step

RandomCall call_with_draw(std::uint32_t draw) {
  return {philox_key(42, RandomStream::Test), {kPosition, DType::I64, Shape{2}}, draw};
}

std::vector<float> words_as_units(std::int64_t count, std::uint32_t draw) {
  std::vector<float> units;
  for (std::int64_t i = 0; i < count; ++i) {
    const Words words = philox(philox_key(42, RandomStream::Test),
                               {3, 77, draw, static_cast<std::uint32_t>(i / 4)});
    units.push_back(to_unit_float(words[static_cast<std::size_t>(i % 4)]));
  }
  return units;
}

class RandomOfSize : public ::testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, RandomOfSize, ::testing::Values(0, 1, 3, 4, 31, 33, 515, 40001));

TEST_P(RandomOfSize, UniformTakesWordsByElementIndex) {
  const std::int64_t n = GetParam();
  const std::vector<float> units = words_as_units(n, 5);
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> out(static_cast<std::size_t>(n), -1);
        backend.run(context, RandomUniform{call_with_draw(5), -2, 4, test::view_of(out, {n})});
        return out;
      },
      [&](const std::vector<float>& out) {
        for (std::size_t i = 0; i < units.size(); ++i) {
          ASSERT_EQ(out[i], -2 + (4.0F - -2.0F) * units[i]) << i;
        }
      });
}

TEST_P(RandomOfSize, DropoutKeepsByTheSameWordsForwardAndBackward) {
  const std::int64_t n = GetParam();
  const std::vector<float> units = words_as_units(n, 9);
  const std::vector<float> x = test::test_data(n, 1, 5, 1);
  for (const float p : {0.0F, 0.3F, 1.0F}) {
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> y(x.size());
          backend.run(context,
                      Dropout{call_with_draw(9), p, test::view_of(x, {n}), test::view_of(y, {n})});
          return y;
        },
        [&](const std::vector<float>& y) {
          for (std::size_t i = 0; i < units.size(); ++i) {
            const float kept = p < 1 ? x[i] * (1 / (1 - p)) : 0;
            ASSERT_EQ(y[i], units[i] >= p ? kept : 0.0F) << i << " p " << p;
          }
        });
  }
}

TEST_P(RandomOfSize, NormalIsBoxMuller) {
  const std::int64_t n = GetParam();
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> out(static_cast<std::size_t>(n));
        backend.run(context, RandomNormal{call_with_draw(2), 3, 2, test::view_of(out, {n})});
        return out;
      },
      [&](const std::vector<float>& out) {
        for (std::int64_t i = 0; i < n; ++i) {
          const Words words = philox(philox_key(42, RandomStream::Test),
                                     {3, 77, 2, static_cast<std::uint32_t>(i / 4)});
          const auto first = static_cast<std::size_t>(i % 4 / 2 * 2);
          const double radius = std::sqrt(-2 * std::log((words[first] + 0.5) / 4294967296.0));
          const double angle = 2 * 3.14159265358979323846 * words[first + 1] / 4294967296.0;
          const double want = 3 + 2 * radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
          ASSERT_NEAR(out[static_cast<std::size_t>(i)], want, 1e-6) << i;
        }
      });
}

TEST(Random, NormalHasTheMomentsOfANormalDistribution) {
  constexpr std::int64_t kCount = 400000;
  test::KernelContext context;
  const auto backend = test::testable_backends().back();
  std::vector<float> out(kCount);
  backend->run(context, RandomNormal{call_with_draw(0), 0, 1, test::view_of(out, {kCount})});
  double moments[5] = {};
  for (const double x : out) {
    double power = 1;
    for (double& moment : moments) {
      moment += power / kCount;
      power *= x;
    }
  }
  // Five standard errors of each moment's mean: sqrt(var / n) with var = 1, 2, 15, 96.
  EXPECT_NEAR(moments[1], 0, 5 * std::sqrt(1.0 / kCount));
  EXPECT_NEAR(moments[2], 1, 5 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(moments[3], 0, 5 * std::sqrt(15.0 / kCount));
  EXPECT_NEAR(moments[4], 3, 5 * std::sqrt(96.0 / kCount));
}

}  // namespace
}  // namespace hanok
