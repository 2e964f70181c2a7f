// Ops that move elements. References work on logical row-major arrays, so NCHW meaning is what is
// tested although rank 4 lies in memory as NHWC.
#include <numeric>

#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

Array reshaped(const Array& x, const Shape& shape) {
  Array y(shape);
  y.values = x.values;
  return y;
}

constexpr Tolerance kExact{0, 1e-10};  // elements move; only the numeric gradient has an error

TEST(Reshape, KeepsLogicalOrder) {
  const std::pair<Shape, std::vector<std::int64_t>> cases[] = {{{2, 3, 4, 5}, {2, 60}},
                                                               {{2, 3, 4, 5}, {120}},
                                                               {{2, 3, 4, 5}, {2, 3, 20}},
                                                               {{2, 3, 4, 5}, {6, 4, 5}},
                                                               {{2, 3, 4, 5}, {3, 2, 5, 4}},
                                                               {{2, 3, 4, 5}, {2, 3, 4, 5}},
                                                               {{2, 60}, {2, 3, 4, 5}},
                                                               {{24}, {2, 3, 2, 2}},
                                                               {{2, 1, 4, 5}, {8, 5}},
                                                               {{2, 7, 1, 1}, {2, 7}},
                                                               {{2, 7}, {2, 7, 1, 1}},
                                                               {{2, 7}, {1, 2, 7, 1}},
                                                               {{2, 3, 2, 2, 2}, {6, 2, 2, 2}},
                                                               {{6, 2, 2, 2}, {2, 3, 2, 2, 2}},
                                                               {{1}, {}},
                                                               {{}, {1, 1, 1, 1}}};
  std::uint32_t seed = 0;
  for (const auto& c : cases) {
    const Shape& from = c.first;
    const std::vector<std::int64_t>& to = c.second;
    const Shape shape = Shape::from(to.data(), static_cast<int>(to.size()));
    check_op(
        from.to_string() + " -> " + shape.to_string(),
        [&](const auto& x) { return ops::reshape(x[0], to); },
        [&](const auto& x) { return reshaped(x[0], shape); }, {random_array(from, ++seed)}, kExact);
  }
}

TEST(Reshape, InfersOneSize) {
  EXPECT_EQ(ops::reshape(new_zeros({2, 3, 4}), {-1, 6}).shape().to_string(), "[4,6]");
  EXPECT_EQ(ops::reshape(new_zeros({2, 3, 4, 5}), {2, -1}).shape().to_string(), "[2,60]");
}

TEST(Reshape, SharesMemoryOnlyWhereTheOrderAllowsIt) {
  const auto shares = [](const Shape& from, const std::vector<std::int64_t>& to) {
    const Tensor x = new_zeros(from);
    return ops::reshape(x, to).storage() == x.storage();
  };
  EXPECT_TRUE(shares({6, 4}, {2, 3, 4}));
  EXPECT_TRUE(shares({2, 7, 1, 1}, {2, 7}));    // what a pooled feature map is
  EXPECT_TRUE(shares({2, 1, 4, 5}, {2, 20}));   // one channel
  EXPECT_FALSE(shares({2, 3, 4, 5}, {2, 60}));  // channels are innermost
  EXPECT_FALSE(shares({2, 60}, {2, 3, 4, 5}));
}

TEST(Flatten, OrdersAFeatureMapByChannelRowColumn) {
  // What the first linear layer after LeNet's convolutions sees: c, then h, then w.
  std::vector<float> values(2 * 3 * 2 * 2);
  std::iota(values.begin(), values.end(), 0.0F);
  const Tensor flat = ops::flatten(new_from_vector(values, {2, 3, 2, 2}), 1);
  EXPECT_EQ(flat.shape().to_string(), "[2,12]");
  EXPECT_EQ(flat.to_vector(), values);
  const Tensor on_cpu = flat.to(Device::cpu());
  const auto* memory = on_cpu.data<float>();
  EXPECT_TRUE(std::equal(values.begin(), values.end(), memory));
}

TEST(Flatten, JoinsARangeOfDimensions) {
  check_op(
      "flatten 1..2", [](const auto& x) { return ops::flatten(x[0], 1, -2); },
      [](const auto& x) {
        return reshaped(x[0], {2, 12, 5});
      },
      {random_array({2, 3, 4, 5}, 7)}, kExact);
  EXPECT_EQ(ops::flatten(new_zeros({2, 3, 4})).shape().to_string(), "[24]");
  EXPECT_EQ(ops::flatten(new_zeros({})).shape().to_string(), "[1]");
}

Array permuted(const Array& x, const std::vector<int>& order) {
  Shape shape;
  for (const int dim : order) shape.push_back(x.shape[dim]);
  Array y(shape);
  std::size_t next = 0;
  for_each_index(shape, [&](const std::vector<std::int64_t>& index) {
    std::vector<std::int64_t> source(index.size());
    for (std::size_t d = 0; d < order.size(); ++d) {
      source[static_cast<std::size_t>(order[d])] = index[d];
    }
    std::int64_t offset = 0;
    for (int d = 0; d < x.shape.rank(); ++d) {
      offset = offset * x.shape[d] + source[static_cast<std::size_t>(d)];
    }
    y.values[next++] = x.values[static_cast<std::size_t>(offset)];
  });
  return y;
}

TEST(Permute, MatchesReference) {
  const std::pair<Shape, std::vector<int>> cases[] = {{{3, 5}, {1, 0}},
                                                      {{2, 3, 4}, {2, 0, 1}},
                                                      {{2, 3, 4, 5}, {0, 2, 3, 1}},
                                                      {{2, 3, 4, 5}, {3, 2, 1, 0}},
                                                      {{2, 3, 4, 5}, {1, 0, 2, 3}},
                                                      {{2, 1, 4, 1}, {2, 1, 0, 3}},
                                                      {{2, 3, 2, 2, 3}, {4, 0, 3, 1, 2}},
                                                      {{2, 3, 4, 5}, {0, 1, 2, 3}}};
  std::uint32_t seed = 40;
  for (const auto& c : cases) {
    const Shape& shape = c.first;
    const std::vector<int>& order = c.second;
    check_op(
        "permute " + shape.to_string(), [&](const auto& x) { return ops::permute(x[0], order); },
        [&](const auto& x) { return permuted(x[0], order); }, {random_array(shape, ++seed)},
        kExact);
  }
  check_op(
      "transpose", [](const auto& x) { return ops::transpose(x[0], -1, 1); },
      [](const auto& x) {
        return permuted(x[0], {0, 3, 2, 1});
      },
      {random_array({2, 3, 4, 5}, 60)}, kExact);
}

Array sliced(const Array& x, int dim, std::int64_t begin, std::int64_t end) {
  Shape shape = x.shape;
  shape[dim] = end - begin;
  Array y(shape);
  std::size_t next = 0;
  std::size_t source = 0;
  for_each_index(x.shape, [&](const std::vector<std::int64_t>& index) {
    const std::int64_t i = index[static_cast<std::size_t>(dim)];
    if (i >= begin && i < end) y.values[next++] = x.values[source];
    ++source;
  });
  return y;
}

TEST(Slice, MatchesReferenceAlongEveryDimension) {
  std::uint32_t seed = 80;
  for (const Shape& shape : {Shape{9}, Shape{5, 7}, Shape{3, 4, 5}, Shape{3, 5, 4, 6},
                             Shape{1, 5, 1, 3}, Shape{2, 3, 2, 3, 2}}) {
    for (int dim = 0; dim < shape.rank(); ++dim) {
      const std::int64_t size = shape[dim];
      const std::pair<std::int64_t, std::int64_t> ranges[] = {
          {0, size}, {0, (size + 1) / 2}, {size / 2, size}, {size - 1, size}};
      for (const auto& [begin, end] : ranges) {
        check_op(
            "slice " + shape.to_string() + " along " + std::to_string(dim),
            [&, b = begin, e = end](const auto& x) {
              return ops::slice(x[0], dim - shape.rank(), b, e);
            },
            [&, b = begin, e = end](const auto& x) { return sliced(x[0], dim, b, e); },
            {random_array(shape, ++seed)}, kExact);
      }
    }
  }
}

TEST(Slice, OfTheFirstDimensionSharesMemory) {
  const Tensor x = new_zeros({4, 3, 2, 2});
  EXPECT_EQ(ops::slice(x, 0, 1, 3).storage(), x.storage());
  EXPECT_NE(ops::slice(x, 1, 1, 3).storage(), x.storage());
  EXPECT_EQ(ops::slice(x, 0, 2, 2).numel(), 0);
}

TEST(Slice, TakesLabels) {
  const Tensor x = new_from_vector(std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(ops::slice(x, 1, 1, 3).to_int_vector(), (std::vector<std::int64_t>{2, 3, 5, 6}));
}

TEST(Concat, MatchesReferenceAlongEveryDimension) {
  std::uint32_t seed = 140;
  for (const Shape& shape : {Shape{4}, Shape{2, 3}, Shape{2, 3, 2}, Shape{2, 3, 2, 5}}) {
    for (int dim = 0; dim < shape.rank(); ++dim) {
      std::vector<Array> parts;
      for (const std::int64_t size : {2, 1, 5}) {
        Shape part = shape;
        part[dim] = size;
        parts.push_back(random_array(part, ++seed));
      }
      check_op(
          "concat " + shape.to_string() + " along " + std::to_string(dim),
          [&](const auto& x) { return ops::concat(x, dim); },
          [&](const std::vector<Array>& x) {
            Shape whole = shape;
            whole[dim] = 8;
            Array y(whole);
            std::size_t next = 0;
            std::size_t taken[3] = {0, 0, 0};
            for_each_index(whole, [&](const std::vector<std::int64_t>& index) {
              const std::int64_t i = index[static_cast<std::size_t>(dim)];
              const std::size_t part = i < 2 ? 0 : i < 3 ? 1 : 2;
              y.values[next++] = x[part].values[taken[part]++];
            });
            return y;
          },
          parts, kExact);
    }
  }
}

TEST(SqueezeUnsqueeze, AreInverse) {
  for (int dim = -4; dim < 4; ++dim) {
    check_op(
        "unsqueeze " + std::to_string(dim),
        [&](const auto& x) { return ops::unsqueeze(x[0], dim); },
        [&](const auto& x) {
          Shape shape;
          const int at = dim < 0 ? dim + 4 : dim;
          for (int d = 0; d < 4; ++d) shape.push_back(d == at ? 1 : x[0].shape[d < at ? d : d - 1]);
          return reshaped(x[0], shape);
        },
        {random_array({2, 3, 5}, 200)}, kExact);
    const Tensor x = to_tensor(random_array({2, 3, 5}, 201));
    expect_same_bits(ops::squeeze(ops::unsqueeze(x, dim), dim), x, "squeeze of unsqueeze");
  }
}

TEST(ShapeOps, ErrorsNameTheOpAndTheShapes) {
  const Tensor x = new_zeros({2, 3});
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::reshape(x, {4, 2});
            }),
            "reshape: 6 elements do not fit [4,2] (input [2,3])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::reshape(x, {-1, 4});
            }),
            "reshape: 6 elements do not fit [-1,4] (input [2,3])");
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::reshape(x, {-1, -1});
            }),
            "reshape: sizes [-1,-1] may hold one -1 and no other negative size (input [2,3])");
  EXPECT_EQ(message_of<ValueError>([&] { ops::flatten(x, 1, 0); }),
            "flatten: start_dim 1 lies after end_dim 0 (input [2,3])");
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::permute(x, {0, 0});
            }),
            "permute: order [0,0] must name each of 2 dimensions once (input [2,3])");
  EXPECT_EQ(message_of<ValueError>([&] { ops::transpose(x, 0, 2); }),
            "transpose: dimension 2 is out of range for rank 2 (input [2,3])");
  EXPECT_EQ(message_of<ValueError>([&] { ops::slice(x, 1, 1, 4); }),
            "slice: [1,4) is outside dimension 1 of size 3 (input [2,3])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::concat({x, new_zeros({3, 3})}, 1);
            }),
            "concat: sizes differ outside dimension 1 (input 0 [2,3], input 1 [3,3])");
  EXPECT_EQ(message_of<DTypeError>([&] {
              ops::concat({x, new_zeros({2, 3}, DType::I64)}, 1);
            }),
            "concat: input 0 is f32, input 1 is i64");
  EXPECT_EQ(message_of<ValueError>([&] { ops::concat({}, 0); }), "concat: no inputs");
  EXPECT_EQ(message_of<ShapeError>([&] { ops::squeeze(x, 1); }),
            "squeeze: dimension 1 has size 3, expected 1 (input [2,3])");
  EXPECT_EQ(message_of<ValueError>([&] { ops::unsqueeze(x, 3); }),
            "unsqueeze: dimension 3 is out of range for rank 3 (input [2,3])");
}

}  // namespace
}  // namespace hanok::testing
