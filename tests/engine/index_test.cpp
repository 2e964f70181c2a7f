// Choices by condition and by index.
#include <cmath>

#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

using Indices = std::vector<std::int64_t>;

/// y[..., j, ...] = x[..., at(position), ...] along `dim`.
Array reference_gather(const Array& x, int dim, std::int64_t count,
                       const std::function<std::int64_t(const Indices&, std::size_t)>& at) {
  Shape out = x.shape;
  out[dim] = count;
  Array y(out);
  std::size_t next = 0;
  for_each_index(out, [&](const Indices& index) {
    std::int64_t offset = 0;
    for (int d = 0; d < out.rank(); ++d) {
      const std::int64_t i = d == dim ? at(index, next) : index[static_cast<std::size_t>(d)];
      offset = offset * x.shape[d] + i;
    }
    y.values[next++] = x.values[static_cast<std::size_t>(offset)];
  });
  return y;
}

constexpr Tolerance kExact{0, 1e-6};  // repeated indices sum their gradients in f32

TEST(Index, IndexSelectMatchesReferenceAlongEveryDimension) {
  std::uint32_t seed = 0;
  for (const Shape& shape :
       {Shape{5}, Shape{4, 7}, Shape{2, 3, 5}, Shape{3, 5, 2, 4}, Shape{2, 2, 3, 2, 3}}) {
    for (int dim = 0; dim < shape.rank(); ++dim) {
      // Repeated, backwards, and one that is never taken.
      const Indices indices = {shape[dim] - 1, 0, 0, shape[dim] / 2, 0};
      const Tensor tensor = new_from_vector(indices, {5});
      check_op(
          "index_select " + shape.to_string() + " along " + std::to_string(dim),
          [&](const auto& x) { return ops::index_select(x[0], dim, tensor); },
          [&](const auto& x) {
            return reference_gather(x[0], dim, 5, [&](const Indices& index, std::size_t) {
              return indices[static_cast<std::size_t>(index[static_cast<std::size_t>(dim)])];
            });
          },
          {random_array(shape, ++seed)}, kExact);
    }
  }
}

TEST(Index, GatherMatchesReferenceAlongEveryDimension) {
  std::uint32_t seed = 40;
  for (const Shape& shape : {Shape{5}, Shape{4, 7}, Shape{2, 3, 5}, Shape{3, 5, 2, 4}}) {
    for (int dim = 0; dim < shape.rank(); ++dim) {
      Shape out = shape;
      out[dim] = 3;
      Indices indices(static_cast<std::size_t>(out.numel()));
      for (std::size_t i = 0; i < indices.size(); ++i) {
        indices[i] = static_cast<std::int64_t>(i * 7 + i / 3) % shape[dim];
      }
      const Tensor tensor = new_from_vector(indices, out);
      check_op(
          "gather " + shape.to_string() + " along " + std::to_string(dim),
          [&](const auto& x) { return ops::gather(x[0], dim, tensor); },
          [&](const auto& x) {
            return reference_gather(x[0], dim, 3,
                                    [&](const Indices&, std::size_t i) { return indices[i]; });
          },
          {random_array(shape, ++seed)}, kExact);
    }
  }
}

TEST(Index, EmbeddingTakesRowsForIndicesOfAnyShape) {
  for (const Shape& shape : {Shape{4}, Shape{2, 3}, Shape{1, 2, 2}}) {
    Indices indices(static_cast<std::size_t>(shape.numel()));
    for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i % 3);
    Shape out = shape;
    out.push_back(600);  // more than one run of lanes
    check_op(
        "embedding " + shape.to_string(),
        [&](const auto& x) { return ops::embedding(new_from_vector(indices, shape), x[0]); },
        [&](const auto& x) {
          Array y(out);
          for (std::size_t i = 0; i < y.values.size(); ++i) {
            y.values[i] = x[0].values[static_cast<std::size_t>(indices[i / 600]) * 600 + i % 600];
          }
          return y;
        },
        {random_array({4, 600}, 80)}, kExact);
  }
}

TEST(Index, SelectsLabelsToo) {
  const Tensor labels = new_from_vector(Indices{10, 11, 12}, {3});
  const Tensor order = new_from_vector(Indices{2, 0}, {2});
  EXPECT_EQ(ops::index_select(labels, 0, order).to_int_vector(), (Indices{12, 10}));
}

TEST(Index, WhereMatchesReferenceWithBroadcasting) {
  struct Case {
    Shape condition, a, b;
  };
  const Case cases[] = {{{7}, {7}, {7}},
                        {{2, 3}, {}, {2, 3}},
                        {{3, 1}, {1, 4}, {3, 4}},
                        {{2, 1, 4, 5}, {2, 3, 4, 5}, {3, 1, 1}},
                        {{2, 3, 4, 5}, {2, 3, 4, 5}, {1}}};
  std::uint32_t seed = 90;
  for (const Case& c : cases) {
    const Shape shape = broadcast_shapes("where", c.condition, broadcast_shapes("where", c.a, c.b));
    Array condition = random_array(c.condition, ++seed);
    for (double& value : condition.values) value = value > 0 ? 1 : 0;
    const Tensor chosen = to_tensor(condition).to(DType::U8);
    check_op(
        "where " + shape.to_string(), [&](const auto& x) { return ops::where(chosen, x[0], x[1]); },
        [&](const std::vector<Array>& x) {
          Array y(shape);
          std::size_t next = 0;
          for_each_index(shape, [&](const Indices& index) {
            const auto pick = [&](const Array& from) {
              std::int64_t offset = 0;
              const int missing = shape.rank() - from.shape.rank();
              for (int d = 0; d < from.shape.rank(); ++d) {
                const std::int64_t size = from.shape[d];
                offset =
                    offset * size + (size == 1 ? 0 : index[static_cast<std::size_t>(d + missing)]);
              }
              return from.values[static_cast<std::size_t>(offset)];
            };
            y.values[next++] = pick(condition) != 0 ? pick(x[0]) : pick(x[1]);
          });
          return y;
        },
        {random_array(c.a, ++seed), random_array(c.b, ++seed)}, kExact);
  }
}

TEST(Index, WhereKeepsWhatIsNotChosenOutOfTheGradient) {
  Tensor x = new_from_vector(std::vector<float>{-1, 4}, {2}).set_requires_grad(true);
  const Tensor positive = new_from_vector(Indices{0, 1}, {2}).to(DType::U8);
  // sqrt(-1) is NaN, but not chosen.
  const Tensor y = ops::where(positive, ops::sqrt(x), new_zeros({}));
  EXPECT_EQ(y.to_vector(), (std::vector<float>{0, 2}));
}

TEST(Index, AnIndexOutsideIsAnErrorOnTheCpuAndNotANumberOnADevice) {
  const Tensor x = new_zeros({2, 3});
  const Tensor indices = new_from_vector(Indices{0, 3}, {2});
  const Tensor negative = new_from_vector(Indices{-1}, {1});
  if (!test_device().is_cpu()) {  // whose values the host does not see
    const std::vector<float> picked = ops::index_select(x, 1, indices).to_vector();
    EXPECT_EQ(picked[0], 0);
    EXPECT_TRUE(std::isnan(picked[1]));
    EXPECT_TRUE(std::isnan(ops::embedding(negative, x).to_vector()[0]));
    return;
  }
  EXPECT_EQ(message_of<ValueError>([&] { ops::index_select(x, 1, indices); }),
            "index_select: index 3 is outside [0,3) (input [2,3], indices [2])");
  EXPECT_EQ(message_of<ValueError>([&] { ops::embedding(negative, x); }),
            "embedding: index -1 is outside [0,2) (input [2,3], indices [1])");
}

TEST(Index, ErrorsNameTheOpAndTheShapes) {
  const Tensor x = new_zeros({2, 3});
  EXPECT_EQ(message_of<DTypeError>([&] { ops::index_select(x, 1, new_zeros({2})); }),
            "index_select: indices are f32, expected i64");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::gather(x, 1, new_from_vector(Indices{0, 1, 2}, {3, 1}));
            }),
            "gather: indices must have the input's sizes outside dimension 1 (input [2,3], indices "
            "[3,1])");
  EXPECT_EQ(message_of<DTypeError>([&] { ops::where(x, x, x); }),
            "where: condition is f32, expected u8");
}

}  // namespace
}  // namespace hanok::testing
