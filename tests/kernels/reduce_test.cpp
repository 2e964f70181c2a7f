#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

struct ReduceCase {
  Shape sizes;
  std::uint32_t dims;
};

class Reductions : public ::testing::TestWithParam<ReduceCase> {};
INSTANTIATE_TEST_SUITE_P(
    Shapes, Reductions,
    ::testing::Values(ReduceCase{{}, 0}, ReduceCase{{1}, 1}, ReduceCase{{100003}, 1},
                      ReduceCase{{33, 1027}, 0b01}, ReduceCase{{33, 1027}, 0b10},
                      ReduceCase{{33, 1027}, 0b11}, ReduceCase{{33, 1027}, 0b00},
                      ReduceCase{{3000, 19}, 0b01}, ReduceCase{{3000, 19}, 0b10},
                      ReduceCase{{2, 5, 6, 19}, 0b0110}, ReduceCase{{2, 5, 6, 19}, 0b0101},
                      ReduceCase{{2, 5, 6, 19}, 0b1010}, ReduceCase{{2, 5, 6, 19}, 0b0111},
                      ReduceCase{{2, 5, 1, 3, 4, 7}, 0b101001}, ReduceCase{{4, 0, 3}, 0b010},
                      ReduceCase{{0, 3}, 0b01}, ReduceCase{{0, 3}, 0b10}));

/// Sums over the dimensions in `dims`, elements of x numbered by `strides`.
std::vector<double> reference_sum(const std::vector<float>& x, const Shape& sizes,
                                  const Strides& strides, std::uint32_t dims) {
  std::int64_t kept = 1;
  for (int dim = 0; dim < sizes.rank(); ++dim) {
    kept *= ((dims >> dim) & 1U) != 0 ? 1 : sizes[dim];
  }
  std::vector<double> sums(static_cast<std::size_t>(kept));
  for (std::int64_t i = 0; i < sizes.numel(); ++i) {
    std::int64_t at = 0;
    std::int64_t out = 0;
    std::int64_t step = 1;
    std::int64_t rest = i;
    for (int dim = sizes.rank() - 1; dim >= 0; --dim) {
      const std::int64_t index = rest % sizes[dim];
      rest /= sizes[dim];
      at += index * strides[dim];
      if (((dims >> dim) & 1U) == 0) {
        out += index * step;
        step *= sizes[dim];
      }
    }
    sums[static_cast<std::size_t>(out)] += x[static_cast<std::size_t>(at)];
  }
  return sums;
}

TEST_P(Reductions, MatchesASumInDouble) {
  const Shape sizes = GetParam().sizes;
  const std::uint32_t dims = GetParam().dims;
  const std::vector<float> x = test::test_data(sizes.numel(), 1, 0.5F, 1);
  const Strides dense = row_major_strides(sizes);
  Strides reversed = dense;  // the same memory, walked with the dimensions' strides swapped
  Shape reversed_sizes = sizes;
  for (int dim = 0; dim < sizes.rank(); ++dim) {
    reversed[dim] = dense[sizes.rank() - 1 - dim];
    reversed_sizes[dim] = sizes[sizes.rank() - 1 - dim];
  }
  struct Form {
    Shape sizes;
    Strides strides;
  };
  for (const Form& form : {Form{sizes, dense}, Form{reversed_sizes, reversed}}) {
    const StridedConstView view{x.data(), DType::F32, form.sizes, form.strides};
    const std::vector<double> want = reference_sum(x, form.sizes, form.strides, dims);
    const auto kept = static_cast<std::int64_t>(want.size());
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> out(want.size(), 7);
          backend.run(context, Reduce{ReduceOp::Sum, view, dims, test::view_of(out, {kept})});
          return out;
        },
        [&](const std::vector<float>& out) { test::expect_near(out, want, 1e-6); });
    if (sizes.numel() == 0) {
      continue;
    }
    std::vector<double> mean = want;
    for (double& value : mean) {
      value *= static_cast<double>(kept) / static_cast<double>(sizes.numel());
    }
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> out(want.size(), 7);
          backend.run(context, Reduce{ReduceOp::Mean, view, dims, test::view_of(out, {kept})});
          return out;
        },
        [&](const std::vector<float>& out) { test::expect_near(out, mean, 1e-6); });
  }
}

TEST(Reduce, AccumulatesInDouble) {
  // In f32 the small values would vanish beside the first one.
  std::vector<float> x(1000001, 1e-3F);
  x[0] = 1e5F;
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> out(1);
        backend.run(context, Reduce{ReduceOp::Sum, test::dense_strided(x, {1000001}), 1,
                                    test::view_of(out, {1})});
        return out;
      },
      [](const std::vector<float>& out) { EXPECT_NEAR(out[0], 101000.0, 0.01); });
}

TEST(MaxAlong, FindsTheFirstMaximumAndItsIndex) {
  constexpr std::int64_t kOuter = 5, kLength = 23, kInner = 7;
  std::vector<float> x = test::test_data(kOuter * kLength * kInner, 1);
  for (float& value : x) {
    value = std::round(value * 4);  // many ties
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  x[3 * kInner + 2] = nan;
  x[9 * kInner + 2] = nan;
  std::vector<std::int64_t> want_indices;
  std::vector<float> want;
  for (std::int64_t o = 0; o < kOuter; ++o) {
    for (std::int64_t i = 0; i < kInner; ++i) {
      std::int64_t best = 0;
      for (std::int64_t l = kLength - 1; l >= 0; --l) {
        const auto value = [&](std::int64_t at) {
          return x[static_cast<std::size_t>((o * kLength + at) * kInner + i)];
        };
        if (l == kLength - 1 || std::isnan(value(l)) || value(l) >= value(best)) {
          best = l;
        }
      }
      want_indices.push_back(best);
      want.push_back(x[static_cast<std::size_t>((o * kLength + best) * kInner + i)]);
    }
  }
  ASSERT_EQ(want_indices[2], 3);
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> values(kOuter * kInner);
        std::vector<std::int64_t> indices(kOuter * kInner);
        backend.run(context, MaxAlong{test::view_of(x, {kOuter, kLength, kInner}),
                                      {kOuter, kLength, kInner},
                                      test::view_of(values, {kOuter, kInner}),
                                      {indices.data(), DType::I64, Shape{kOuter, kInner}}});
        EXPECT_EQ(indices, want_indices);
        return values;
      },
      [&](const std::vector<float>& values) {
        for (std::size_t i = 0; i < want.size(); ++i) {
          EXPECT_TRUE(values[i] == want[i] || (std::isnan(values[i]) && std::isnan(want[i])));
        }
      });
}

TEST(ScatterAlong, PutsEachValueAtItsIndex) {
  constexpr std::int64_t kOuter = 6, kLength = 5, kInner = 3;
  const std::vector<float> dy = test::test_data(kOuter * kInner, 1, 3, 1);
  std::vector<std::int64_t> indices(kOuter * kInner);
  std::vector<double> want(kOuter * kLength * kInner, 0.0);
  for (std::size_t at = 0; at < indices.size(); ++at) {
    indices[at] = static_cast<std::int64_t>(at * 7 % kLength);
    want[at / kInner * kLength * kInner + static_cast<std::size_t>(indices[at]) * kInner +
         at % kInner] = dy[at];
  }
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> dx(want.size(), 9);
        backend.run(context, ScatterAlong{test::view_of(dy, {kOuter, kInner}),
                                          {indices.data(), DType::I64, Shape{kOuter, kInner}},
                                          {kOuter, kLength, kInner},
                                          test::view_of(dx, {kOuter, kLength, kInner})});
        return dx;
      },
      [&](const std::vector<float>& dx) { test::expect_near(dx, want, 0); });
}

TEST(L2Norm, IsTheRootOfTheSumOverAllViews) {
  const std::vector<float> a = test::test_data(200001, 1, 0, 1e10F);
  const std::vector<float> b = test::test_data(17, 2, 0, 1e19F);  // squares overflow f32
  double squares = 0;
  for (const std::vector<float>* part : {&a, &b}) {
    for (const float value : *part) {
      squares += static_cast<double>(value) * value;
    }
  }
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> out(1);
        backend.run(context, L2Norm{{test::view_of(a, {200001}), test::view_of(b, {17})},
                                    test::view_of(out, {1})});
        return out;
      },
      [&](const std::vector<float>& out) { test::expect_near(out, {std::sqrt(squares)}, 1e-6); });
}

}  // namespace
}  // namespace hanok
