// Matrix products.
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

/// [B,M,K] x [B,K,N] or [M,K] x [K,N].
Array reference_matmul(const Array& a, const Array& b) {
  const bool batched = a.shape.rank() == 3;
  const std::int64_t batch = batched ? a.size(0) : 1;
  const std::int64_t m = a.size(batched ? 1 : 0);
  const std::int64_t k = a.size(batched ? 2 : 1);
  const std::int64_t n = b.size(batched ? 2 : 1);
  Array y(batched ? Shape{batch, m, n} : Shape{m, n});
  const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  for (std::int64_t g = 0; g < batch; ++g) {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        for (std::int64_t l = 0; l < k; ++l) {
          y.values[at((g * m + i) * n + j)] +=
              a.values[at((g * m + i) * k + l)] * b.values[at((g * k + l) * n + j)];
        }
      }
    }
  }
  return y;
}

struct Sizes {
  std::int64_t m, n, k;
};
// 1, primes, just below, at and above the micro-kernels' tile sizes.
const Sizes kSizes[] = {{1, 1, 1},  {1, 7, 5},  {5, 1, 3},   {3, 4, 1},  {6, 16, 8},
                        {7, 17, 9}, {5, 15, 7}, {13, 33, 2}, {12, 3, 31}};

TEST(Matmul, MatchesReference) {
  std::uint32_t seed = 0;
  for (const auto& [m, n, k] : kSizes) {
    check_op(
        "matmul", [](const auto& x) { return ops::matmul(x[0], x[1]); },
        [](const auto& x) { return reference_matmul(x[0], x[1]); },
        {random_array({m, k}, ++seed), random_array({k, n}, ++seed)});
    check_op(
        "batched matmul", [](const auto& x) { return ops::matmul(x[0], x[1]); },
        [](const auto& x) { return reference_matmul(x[0], x[1]); },
        {random_array({3, m, k}, ++seed), random_array({3, k, n}, ++seed)});
  }
}

TEST(Matmul, LargeMatricesMatchReference) {
  // Several blocks of the blocked product in every direction. Rounding grows with sqrt(k): 700
  // terms give below 1e-6.
  const Array a = random_array({131, 701}, 1);
  const Array b = random_array({701, 269}, 2);
  expect_close(ops::matmul(to_tensor(a), to_tensor(b)), reference_matmul(a, b), 2e-6, "matmul");
}

Array reference_linear(const Array& x, const Array& w, const Array* bias) {
  Array y({x.size(0), w.size(0)});
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    for (std::int64_t o = 0; o < w.size(0); ++o) {
      double sum = bias == nullptr ? 0 : (*bias)({o});
      for (std::int64_t k = 0; k < x.size(1); ++k) sum += x({i, k}) * w({o, k});
      y({i, o}) = sum;
    }
  }
  return y;
}

TEST(Linear, MatchesReference) {
  std::uint32_t seed = 100;
  for (const auto& [m, n, k] : kSizes) {
    const Array x = random_array({m, k}, ++seed);
    const Array w = random_array({n, k}, ++seed);
    check_op(
        "linear", [](const auto& in) { return ops::linear(in[0], in[1]); },
        [](const auto& in) { return reference_linear(in[0], in[1], nullptr); }, {x, w});
    check_op(
        "linear with bias", [](const auto& in) { return ops::linear(in[0], in[1], in[2]); },
        [](const auto& in) { return reference_linear(in[0], in[1], &in[2]); },
        {x, w, random_array({n}, ++seed)});
  }
}

TEST(Linear, ErrorsNameTheOpAndAllShapes) {
  const Tensor x = new_zeros({2, 3});
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::linear(x, new_zeros({5, 4}));
            }),
            "linear: input has 3 features, weight expects 4 (input [2,3], weight [5,4])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::linear(x, new_zeros({5, 3}), new_zeros({4}));
            }),
            "linear: bias must have the weight's 5 outputs (input [2,3], weight [5,3], bias [4])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::linear(new_zeros({3}), new_zeros({5, 3}));
            }),
            "linear: expected input [N,I] and weight [O,I] (input [3], weight [5,3])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::matmul(x, new_zeros({2, 3}));
            }),
            "matmul: a has 3 columns, b 2 rows (a [2,3], b [2,3])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::matmul(new_zeros({2, 3, 4}), new_zeros({3, 4, 5}));
            }),
            "matmul: a holds 2 matrices, b 3 (a [2,3,4], b [3,4,5])");
  EXPECT_EQ(message_of<ShapeError>([&] { ops::matmul(x, new_zeros({3})); }),
            "matmul: expected two matrices or two batches of matrices (a [2,3], b [3])");
}

}  // namespace
}  // namespace hanok::testing
