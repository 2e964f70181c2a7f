// Reductions.
#include <algorithm>
#include <cmath>

#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

struct Case {
  Shape shape;
  std::vector<int> dims;
};

// Odd sizes, tails, size-1 dimensions; inner, outer, middle and several dimensions; rank 4, where
// dropping a dimension changes the memory order of what is left.
const Case kCases[] = {
    {{}, {}},
    {{1}, {}},
    {{19}, {0}},
    {{4, 7}, {}},
    {{4, 7}, {0}},
    {{4, 7}, {-1}},
    {{3, 1, 5}, {1}},
    {{3, 4, 5}, {0, 2}},
    {{2, 3, 4, 5}, {}},
    {{2, 3, 4, 5}, {0}},
    {{2, 3, 4, 5}, {1}},
    {{2, 3, 4, 5}, {2}},
    {{2, 3, 4, 5}, {3}},
    {{2, 3, 4, 5}, {2, 3}},
    {{2, 3, 4, 5}, {0, 2, 3}},
    {{2, 3, 4, 5}, {1, 3}},
    {{2, 17, 1, 3}, {-4, -1}},
    {{2, 2, 3, 2, 3}, {1}},
    {{2, 2, 3, 2, 3}, {4, 2}},
};

Array reference_sum(const Array& x, std::vector<int> dims, bool keep, bool mean) {
  const int rank = x.shape.rank();
  std::vector<bool> reduced(static_cast<std::size_t>(rank), dims.empty());
  for (const int dim : dims) reduced[static_cast<std::size_t>(dim < 0 ? dim + rank : dim)] = true;
  Shape kept;
  Shape out;
  for (int d = 0; d < rank; ++d) {
    const bool gone = reduced[static_cast<std::size_t>(d)];
    kept.push_back(gone ? 1 : x.shape[d]);
    if (!gone || keep) out.push_back(gone ? 1 : x.shape[d]);
  }
  Array y(out);
  std::size_t next = 0;
  for_each_index(x.shape, [&](const std::vector<std::int64_t>& index) {
    std::int64_t offset = 0;
    for (int d = 0; d < rank; ++d) {
      offset = offset * kept[d] + (kept[d] == 1 ? 0 : index[static_cast<std::size_t>(d)]);
    }
    y.values[static_cast<std::size_t>(offset)] += x.values[next++];
  });
  const double count = static_cast<double>(x.values.size()) / static_cast<double>(y.values.size());
  for (double& value : y.values) value /= mean ? count : 1;
  return y;
}

TEST(Reduce, SumAndMeanMatchReference) {
  std::uint32_t seed = 0;
  for (const Case& c : kCases) {
    const Shape& shape = c.shape;
    const std::vector<int>& dims = c.dims;
    for (const bool keep : {false, true}) {
      const std::string what = shape.to_string() + ::testing::PrintToString(dims);
      check_op(
          "sum " + what, [&](const auto& x) { return ops::sum(x[0], dims, keep); },
          [&](const auto& x) { return reference_sum(x[0], dims, keep, false); },
          {random_array(shape, ++seed, 0, 1)});
      check_op(
          "mean " + what, [&](const auto& x) { return ops::mean(x[0], dims, keep); },
          [&](const auto& x) { return reference_sum(x[0], dims, keep, true); },
          {random_array(shape, ++seed, 0, 1)});
    }
  }
}

TEST(Reduce, VarAndStdMatchReference) {
  std::uint32_t seed = 300;
  for (const Case& c : kCases) {
    for (const double correction : {0.0, 1.0}) {
      const auto reference = [&](const Array& x, bool root) {
        const Array mean = reference_sum(x, c.dims, true, true);
        // Spread the means over x's shape again by summing with a repeated operand.
        Array deviations = x;
        std::size_t next = 0;
        for_each_index(x.shape, [&](const std::vector<std::int64_t>& index) {
          std::int64_t offset = 0;
          for (int d = 0; d < x.shape.rank(); ++d) {
            const std::int64_t size = mean.shape[d];
            offset = offset * size + (size == 1 ? 0 : index[static_cast<std::size_t>(d)]);
          }
          double& value = deviations.values[next++];
          value -= mean.values[static_cast<std::size_t>(offset)];
          value *= value;
        });
        Array y = reference_sum(deviations, c.dims, false, false);
        const double count =
            static_cast<double>(x.values.size()) / static_cast<double>(y.values.size());
        for (double& value : y.values) {
          value /= count - correction;
          if (root) value = std::sqrt(value);
        }
        return y;
      };
      const Array x = random_array(c.shape, ++seed);
      const std::string what = c.shape.to_string() + ::testing::PrintToString(c.dims);
      const double count =
          static_cast<double>(x.values.size()) /
          static_cast<double>(reference_sum(x, c.dims, false, false).values.size());
      if (count <= correction || count == 1) continue;
      check_op(
          "var " + what, [&](const auto& in) { return ops::var(in[0], c.dims, false, correction); },
          [&](const auto& in) { return reference(in[0], false); }, {x});
      check_op(
          "std " + what, [&](const auto& in) { return ops::std(in[0], c.dims, false, correction); },
          [&](const auto& in) { return reference(in[0], true); }, {x});
    }
  }
  EXPECT_EQ(message_of<ShapeError>([] {
              ops::var(new_zeros({1, 3}), {0});
            }),
            "var: 1 elements are too few for a correction of 1 (input [1,3])");
}

TEST(Reduce, LongSumsKeepTheirPrecision) {
  // 0.1 a million times: a plain f32 sum is off by 1e-2 relative.
  const Tensor x = new_full({1000003}, 0.1);
  const double expected = 1000003 * static_cast<double>(0.1F);
  EXPECT_NEAR(ops::sum(x).item() / expected, 1, 1e-6);
  EXPECT_NEAR(ops::mean(x).item(), static_cast<double>(0.1F), 1e-8);
}

Array reference_max(const Array& x, int dim, bool keep, std::vector<std::int64_t>* indices) {
  const int rank = x.shape.rank();
  if (dim < 0) dim += rank;
  Shape out;
  std::int64_t outer = 1;
  std::int64_t inner = 1;
  for (int d = 0; d < rank; ++d) {
    if (d < dim) outer *= x.shape[d];
    if (d > dim) inner *= x.shape[d];
    if (d != dim || keep) out.push_back(d == dim ? 1 : x.shape[d]);
  }
  Array y(out);
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      const auto at = [&](std::int64_t k) {
        return x.values[static_cast<std::size_t>((o * x.shape[dim] + k) * inner + i)];
      };
      std::int64_t best = 0;
      for (std::int64_t k = 1; k < x.shape[dim]; ++k) {
        if (at(k) > at(best)) best = k;
      }
      y.values[static_cast<std::size_t>(o * inner + i)] = at(best);
      if (indices != nullptr) indices->push_back(best);
    }
  }
  return y;
}

TEST(Reduce, MaxMatchesReferenceAlongEveryDimension) {
  std::uint32_t seed = 500;
  for (const Shape& shape : {Shape{9}, Shape{3, 37}, Shape{4, 1, 5}, Shape{2, 3, 4, 5},
                             Shape{2, 17, 1, 3}, Shape{2, 2, 3, 2, 2}}) {
    for (int dim = -shape.rank(); dim < shape.rank(); ++dim) {
      for (const bool keep : {false, true}) {
        const Array x = random_array(shape, ++seed);
        check_op(
            "max " + shape.to_string() + " along " + std::to_string(dim),
            [&](const auto& xs) { return ops::max(xs[0], dim, keep).first; },
            [&](const auto& xs) { return reference_max(xs[0], dim, keep, nullptr); }, {x});
        std::vector<std::int64_t> expected;
        reference_max(x, dim, keep, &expected);
        EXPECT_EQ(ops::max(to_tensor(x), dim, keep).second.to_int_vector(), expected);
        EXPECT_EQ(ops::argmax(to_tensor(x), dim).to_int_vector(), expected);
      }
    }
  }
}

TEST(Reduce, TheFirstOfEqualMaximaWins) {
  Tensor x = new_from_vector(std::vector<float>{1, 5, 5, 5, 2, 2}, {2, 3});
  x.set_requires_grad(true);
  const auto [values, indices] = ops::max(x, 1);
  EXPECT_EQ(indices.to_int_vector(), (std::vector<std::int64_t>{1, 0}));
  values.backward(new_ones({2}));
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{0, 1, 0, 1, 0, 0}));
}

TEST(Reduce, TopkMatchesSorting) {
  for (const Shape& shape : {Shape{9}, Shape{4, 37}, Shape{2, 5, 4, 3}, Shape{2, 2, 3, 2, 2}}) {
    for (int dim = 0; dim < shape.rank(); ++dim) {
      const std::int64_t k = (shape[dim] + 1) / 2;
      // All different, and further apart than a central difference reaches.
      Array x(shape);
      for (std::size_t i = 0; i < x.values.size(); ++i) {
        x.values[i] = static_cast<double>(i * 7919 % x.values.size()) / 128;
      }
      // The j-th largest: the maximum of what is below the one before.
      check_op(
          "topk " + shape.to_string() + " along " + std::to_string(dim),
          [&](const auto& in) { return ops::topk(in[0], k, dim).first; },
          [&](const std::vector<Array>& in) {
            std::int64_t outer = 1;
            std::int64_t inner = 1;
            for (int d = 0; d < shape.rank(); ++d) {
              if (d < dim) outer *= shape[d];
              if (d > dim) inner *= shape[d];
            }
            Shape out = shape;
            out[dim] = k;
            Array y(out);
            for (std::int64_t o = 0; o < outer; ++o) {
              for (std::int64_t i = 0; i < inner; ++i) {
                std::vector<double> lane;
                for (std::int64_t l = 0; l < shape[dim]; ++l) {
                  lane.push_back(
                      in[0].values[static_cast<std::size_t>((o * shape[dim] + l) * inner + i)]);
                }
                std::sort(lane.rbegin(), lane.rend());
                for (std::int64_t j = 0; j < k; ++j) {
                  y.values[static_cast<std::size_t>((o * k + j) * inner + i)] =
                      lane[static_cast<std::size_t>(j)];
                }
              }
            }
            return y;
          },
          {x}, {0, 1e-9});
      const auto [values, indices] = ops::topk(to_tensor(x), k, dim);
      expect_same_bits(ops::gather(to_tensor(x), dim, indices), values, "indices");
    }
  }
  const Tensor ties = new_from_vector(std::vector<float>{2, 7, 7, 1, 7}, {5});
  EXPECT_EQ(ops::topk(ties, 4, 0).second.to_int_vector(), (std::vector<std::int64_t>{1, 2, 4, 0}));
  EXPECT_EQ(message_of<ValueError>([&] { ops::topk(ties, 6, 0); }),
            "topk: k is 6, dimension 0 has 5 elements (input [5])");
}

TEST(Reduce, SumOfNothingIsZero) {
  EXPECT_EQ(ops::sum(new_zeros({0, 3})).item(), 0);
  EXPECT_EQ(ops::sum(new_zeros({0, 3}), {0}).to_vector(), (std::vector<float>{0, 0, 0}));
}

TEST(Reduce, ErrorsNameTheOpAndTheShape) {
  const Tensor x = new_zeros({2, 3});
  EXPECT_EQ(message_of<ValueError>([&] { ops::sum(x, {2}); }),
            "sum: dimension 2 is out of range for rank 2 (input [2,3])");
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::mean(x, {1, -1});
            }),
            "mean: dimension -1 is named twice (input [2,3])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::max(new_zeros({2, 0}), 1);
            }),
            "max: dimension 1 has no elements (input [2,0])");
  EXPECT_EQ(message_of<ValueError>([&] { ops::argmax(x, -3); }),
            "argmax: dimension -3 is out of range for rank 2 (input [2,3])");
}

TEST(Std, HasNoGradientWhereItIsZero) {
  Tensor x = new_from_vector(std::vector<float>{2, 2, 1, 5, -3, -3}, {3, 2});
  x.set_requires_grad(true);
  const Tensor y = ops::std(x, {1});
  EXPECT_EQ(y.to_vector()[0], 0);
  y.backward(new_ones({3}));
  const auto gradient = x.grad().to_vector();
  const float slope = 0.70710678F;  // (5 - 3) / (sqrt(8) (2 - 1))
  const std::vector<float> expected{0, 0, -slope, slope, 0, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_FLOAT_EQ(gradient[i], expected[i]) << i;
}

}  // namespace
}  // namespace hanok::testing
