// Choices by condition and by index against plain loops.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>
#include <vector>

#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

using Indices = std::vector<std::int64_t>;

ConstView view_of(const Indices& indices, const Shape& shape) {
  return {indices.data(), DType::I64, shape};
}

TEST(Select, ChoosesWithBroadcasting) {
  struct Case {
    Shape sizes;
    Strides condition, a, b;
  };
  const Case cases[] = {
      {{1}, {1}, {1}, {1}},
      {{1003}, {1}, {1}, {1}},
      {{33, 31}, {31, 1}, {0, 1}, {1, 0}},
      {{16, 8}, {8, 1}, {0, 1}, {0, 0}},  // rows of whole packs
      {{3, 5, 8}, {0, 8, 1}, {40, 8, 1}, {8, 0, 1}},
      {{3, 0}, {0, 1}, {0, 1}, {0, 1}},
  };
  for (const Case& c : cases) {
    const std::int64_t n = c.sizes.numel();
    const std::vector<float> a = test::test_data(1100, 1);
    const std::vector<float> b = test::test_data(1100, 2);
    std::vector<std::uint8_t> condition(1100);
    for (std::size_t i = 0; i < condition.size(); ++i) {
      condition[i] = i % 3 == 0 ? 0 : static_cast<std::uint8_t>(i % 3 * 100);
    }
    std::vector<double> want;
    for (std::int64_t i = 0; i < n; ++i) {
      std::size_t at[3] = {};
      std::int64_t rest = i;
      for (int dim = c.sizes.rank() - 1; dim >= 0; --dim) {
        const std::int64_t index = rest % c.sizes[dim];
        rest /= c.sizes[dim];
        at[0] += static_cast<std::size_t>(index * c.condition[dim]);
        at[1] += static_cast<std::size_t>(index * c.a[dim]);
        at[2] += static_cast<std::size_t>(index * c.b[dim]);
      }
      want.push_back(condition[at[0]] != 0 ? a[at[1]] : b[at[2]]);
    }
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> out(static_cast<std::size_t>(n), 7);
          backend.run(context, Select{{condition.data(), DType::U8, c.sizes, c.condition},
                                      {a.data(), DType::F32, c.sizes, c.a},
                                      {b.data(), DType::F32, c.sizes, c.b},
                                      test::view_of(out, {n})});
          return out;
        },
        [&](const std::vector<float>& out) { test::expect_near(out, want, 0); });
  }
}

class Gathers : public ::testing::TestWithParam<GatherShape> {
 protected:
  /// Repeated, backwards, and some that are never taken.
  Indices indices() const {
    const GatherShape& s = GetParam();
    Indices all(static_cast<std::size_t>(s.shared ? s.count : s.outer * s.count * s.inner));
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = static_cast<std::int64_t>(i * i * 7 + i / 3) % (s.length > 2 ? s.length - 1 : 1);
    }
    return all;
  }
  /// Calls visit(offset in x, offset in y) in order of y.
  template <typename Visit>
  void for_picks(const Indices& all, const Visit& visit) const {
    const GatherShape& s = GetParam();
    for (std::int64_t o = 0; o < s.outer; ++o) {
      for (std::int64_t j = 0; j < s.count; ++j) {
        for (std::int64_t i = 0; i < s.inner; ++i) {
          const std::int64_t to = (o * s.count + j) * s.inner + i;
          const std::int64_t index = all[static_cast<std::size_t>(s.shared ? j : to)];
          visit(static_cast<std::size_t>((o * s.length + index) * s.inner + i),
                static_cast<std::size_t>(to));
        }
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(
    Shapes, Gathers,
    ::testing::Values(GatherShape{1, 1, 1, 1, true}, GatherShape{1, 9, 31, 33, true},
                      GatherShape{3, 9, 33, 8, true},     // rows of whole 16-byte words
                      GatherShape{1, 5, 1027, 3, true},   // long lists of equal indices
                      GatherShape{2, 7, 300, 600, true},  // more than one round and run
                      GatherShape{31, 5, 3, 1, false}, GatherShape{2, 9, 4, 33, false},
                      GatherShape{300, 3, 1, 1, false}, GatherShape{1, 4, 0, 3, true},
                      GatherShape{1, 4, 5, 0, false}));

template <typename T>
void check_gather(Backend& backend, ExecContext& context, DType type, const GatherShape& s,
                  const Indices& all, const std::vector<std::size_t>& picks) {
  std::vector<T> x(static_cast<std::size_t>(s.outer * s.length * s.inner));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(i * 5 + 1);
  std::vector<T> y(picks.size());
  std::vector<T> want;
  for (const std::size_t pick : picks) want.push_back(x[pick]);
  backend.run(context, Gather{s,
                              {x.data(), type, Shape{s.outer, s.length, s.inner}},
                              view_of(all, {static_cast<std::int64_t>(all.size())}),
                              {y.data(), type, Shape{s.outer, s.count, s.inner}}});
  EXPECT_EQ(y, want) << name_of(type);
}

TEST_P(Gathers, PicksElementsOfEveryType) {
  const Indices all = indices();
  std::vector<std::size_t> picks;
  for_picks(all, [&](std::size_t from, std::size_t) { picks.push_back(from); });
  test::KernelContext context(3);
  const auto backend = test::testable_backends().back();
  check_gather<std::uint8_t>(*backend, context, DType::U8, GetParam(), all, picks);
  check_gather<std::uint16_t>(*backend, context, DType::F16, GetParam(), all, picks);
  check_gather<float>(*backend, context, DType::F32, GetParam(), all, picks);
  check_gather<std::int64_t>(*backend, context, DType::I64, GetParam(), all, picks);
}

TEST_P(Gathers, BackwardAddsInOrder) {
  const GatherShape& s = GetParam();
  const Indices all = indices();
  const std::vector<float> dy = test::test_data(s.outer * s.count * s.inner, 1);
  std::vector<float> want(static_cast<std::size_t>(s.outer * s.length * s.inner));
  for_picks(all, [&](std::size_t to, std::size_t from) { want[to] += dy[from]; });
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> dx(want.size(), 7);
        backend.run(context, GatherBackward{s, test::view_of(dy, {s.outer, s.count, s.inner}),
                                            view_of(all, {static_cast<std::int64_t>(all.size())}),
                                            test::view_of(dx, {s.outer, s.length, s.inner})});
        return dx;
      },
      [&](const std::vector<float>& dx) { EXPECT_TRUE(test::equal_bits(dx, want)); });
}

struct TopkCase {
  std::int64_t outer, length, inner, k;
};

class Topk : public ::testing::TestWithParam<TopkCase> {};
INSTANTIATE_TEST_SUITE_P(Shapes, Topk,
                         ::testing::Values(TopkCase{1, 1, 1, 1}, TopkCase{5, 31, 1, 5},
                                           TopkCase{9, 33, 1, 33}, TopkCase{3, 100, 7, 4},
                                           TopkCase{2, 11, 33, 3}, TopkCase{1, 600, 1, 10},
                                           TopkCase{0, 4, 1, 2}));

TEST_P(Topk, OrdersNotANumberFirstThenByValueThenByIndex) {
  const TopkCase& c = GetParam();
  std::vector<float> x = test::test_data(c.outer * c.length * c.inner, 1);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = i % 29 == 11 ? std::numeric_limits<float>::quiet_NaN() : std::round(x[i] * 8);
  }
  Indices want_indices(static_cast<std::size_t>(c.outer * c.k * c.inner));
  for (std::int64_t o = 0; o < c.outer; ++o) {
    for (std::int64_t i = 0; i < c.inner; ++i) {
      const auto value = [&](std::int64_t l) {
        return x[static_cast<std::size_t>((o * c.length + l) * c.inner + i)];
      };
      Indices order(static_cast<std::size_t>(c.length));
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        if (std::isnan(value(a)) || std::isnan(value(b))) {
          return std::isnan(value(a)) && !std::isnan(value(b));
        }
        return value(a) > value(b);
      });
      for (std::int64_t j = 0; j < c.k; ++j) {
        want_indices[static_cast<std::size_t>((o * c.k + j) * c.inner + i)] =
            order[static_cast<std::size_t>(j)];
      }
    }
  }
  const Shape shape{c.outer, c.k, c.inner};
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> values(want_indices.size());
        Indices indices(want_indices.size(), -1);
        backend.run(context, TopK{test::view_of(x, {c.outer, c.length, c.inner}),
                                  {c.outer, c.length, c.inner},
                                  c.k,
                                  test::view_of(values, shape),
                                  {indices.data(), DType::I64, shape}});
        EXPECT_EQ(indices, want_indices);
        return values;
      },
      [&](const std::vector<float>& values) {
        for (std::size_t at = 0; at < values.size(); ++at) {
          const auto lane = static_cast<std::int64_t>(at) / (c.k * c.inner) * c.length;
          const float want = x[static_cast<std::size_t>((lane + want_indices[at]) * c.inner +
                                                        static_cast<std::int64_t>(at) % c.inner)];
          EXPECT_TRUE(values[at] == want || (std::isnan(values[at]) && std::isnan(want)));
        }
      });
}

}  // namespace
}  // namespace hanok
