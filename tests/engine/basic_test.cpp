// Elementwise ops.
#include <cmath>

#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

using Scalar2 = double (*)(double, double);
using Scalar1 = double (*)(double);

/// NumPy broadcasting, one element at a time.
Array broadcast_apply(Scalar2 f, const Array& a, const Array& b) {
  Array y(broadcast_shapes("reference", a.shape, b.shape));
  std::size_t next = 0;
  for_each_index(y.shape, [&](const std::vector<std::int64_t>& index) {
    const auto pick = [&](const Array& x) {
      std::size_t offset = 0;
      for (int d = 0; d < x.shape.rank(); ++d) {
        const auto i = index[index.size() - static_cast<std::size_t>(x.shape.rank() - d)];
        offset = offset * static_cast<std::size_t>(x.shape[d]) +
                 static_cast<std::size_t>(x.shape[d] == 1 ? 0 : i);
      }
      return x.values[offset];
    };
    y.values[next++] = f(pick(a), pick(b));
  });
  return y;
}

struct Shapes {
  Shape a, b;
};

// Equal shapes of every rank, tails of every vector width, and broadcasting of one side, the other,
// and both at once; over rank 4, whose memory order is not the logical one.
const Shapes kShapes[] = {
    {{}, {}},
    {{1}, {1}},
    {{7}, {7}},
    {{33}, {1}},
    {{3, 5}, {5}},
    {{5}, {3, 5}},
    {{3, 1}, {1, 5}},
    {{2, 3, 5}, {3, 1}},
    {{2, 3, 4, 5}, {2, 3, 4, 5}},
    {{2, 3, 4, 5}, {1, 3, 1, 1}},
    {{1, 3, 1, 1}, {2, 3, 4, 5}},
    {{2, 3, 1, 5}, {2, 1, 4, 1}},
    {{2, 3, 4, 5}, {5}},
    {{2, 3, 4, 5}, {3, 1, 1}},
    {{2, 17, 1, 1}, {1, 17, 3, 3}},
    {{2, 3, 2, 2, 3}, {3, 2, 1, 3}},
    {{}, {2, 3, 4, 2}},
};

void check_binary(const std::string& name, Tensor (*op)(const Tensor&, const Tensor&), Scalar2 f,
                  double low = -1) {
  std::uint32_t seed = 0;
  for (const auto& [a, b] : kShapes) {
    check_op(
        name + " " + a.to_string() + " " + b.to_string(),
        [&](const std::vector<Tensor>& x) { return op(x[0], x[1]); },
        [&](const std::vector<Array>& x) { return broadcast_apply(f, x[0], x[1]); },
        {random_array(a, ++seed, low, 2), random_array(b, ++seed, low, 2)});
  }
}

TEST(Binary, AddMatchesReference) {
  check_binary("add", ops::add, [](double a, double b) { return a + b; });
}
TEST(Binary, SubMatchesReference) {
  check_binary("sub", ops::sub, [](double a, double b) { return a - b; });
}
TEST(Binary, MulMatchesReference) {
  check_binary("mul", ops::mul, [](double a, double b) { return a * b; });
}
TEST(Binary, DivMatchesReference) {
  check_binary(
      "div", ops::div, [](double a, double b) { return a / b; }, 0.5);
}

/// Operands that are further apart than a central difference reaches: a on a grid, b half-way.
void check_ordered(const std::string& name, Tensor (*op)(const Tensor&, const Tensor&), Scalar2 f) {
  std::uint32_t seed = 50;
  for (const auto& [shape_a, shape_b] : kShapes) {
    Array a = random_array(shape_a, ++seed);
    Array b = random_array(shape_b, ++seed);
    for (double& value : a.values) value = std::round(value * 64) / 64;
    for (double& value : b.values) value = (std::round(value * 64) + 0.5) / 64;
    check_op(
        name + " " + shape_a.to_string() + " " + shape_b.to_string(),
        [&](const std::vector<Tensor>& x) { return op(x[0], x[1]); },
        [&](const std::vector<Array>& x) { return broadcast_apply(f, x[0], x[1]); }, {a, b});
  }
}

TEST(Binary, MaximumMatchesReference) {
  check_ordered("maximum", ops::maximum, [](double a, double b) { return std::max(a, b); });
}
TEST(Binary, MinimumMatchesReference) {
  check_ordered("minimum", ops::minimum, [](double a, double b) { return std::min(a, b); });
}

TEST(Binary, MaximumSharesTheGradientOfATie) {
  Tensor a = new_from_vector(std::vector<float>{1, 2, 3}, {3});
  Tensor b = new_from_vector(std::vector<float>{3, 2, 1}, {3});
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  ops::maximum(a, b).backward(new_full({3}, 8));
  EXPECT_EQ(a.grad().to_vector(), (std::vector<float>{0, 4, 8}));
  EXPECT_EQ(b.grad().to_vector(), (std::vector<float>{8, 4, 0}));
}

TEST(Binary, BothOperandsMayBeOneTensor) {
  Tensor x = new_from_vector(std::vector<float>{1, -2, 3}, {3});
  x.set_requires_grad(true);
  ops::mul(x, x).backward(new_ones({3}));
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{2, -4, 6}));
}

TEST(Binary, ErrorsNameTheOpAndBothShapes) {
  const Tensor a = new_zeros({2, 3});
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::add(a, new_zeros({2, 4}));
            }),
            "add: shapes [2,3] and [2,4] do not broadcast: dimension -1 has 3 against 4");
  EXPECT_EQ(message_of<DTypeError>([&] { ops::mul(a, new_zeros({3}, DType::I64)); }),
            "mul: b is i64, expected f32 (a [2,3], b [3])");
  EXPECT_EQ(message_of<ValueError>([&] { ops::sub(a, Tensor()); }), "sub: b is undefined");
}

const Shape kUnaryShapes[] = {{}, {1}, {7}, {8}, {37}, {3, 5}, {2, 3, 5, 3}, {1, 17, 1, 1}};

void check_unary(const std::string& name, const std::function<Tensor(const Tensor&)>& op,
                 const std::function<double(double)>& f, double low = -3, double high = 3) {
  std::uint32_t seed = 100;
  for (const Shape& shape : kUnaryShapes) {
    check_op(
        name + " " + shape.to_string(), [&](const std::vector<Tensor>& x) { return op(x[0]); },
        [&](const std::vector<Array>& x) {
          Array y = x[0];
          for (double& value : y.values) value = f(value);
          return y;
        },
        {random_array(shape, ++seed, low, high)});
  }
}

TEST(Unary, MatchesReference) {
  check_unary("neg", ops::neg, [](double x) { return -x; });
  check_unary("abs", ops::abs, [](double x) { return std::abs(x); });
  check_unary("exp", ops::exp, [](double x) { return std::exp(x); });
  check_unary(
      "log", ops::log, [](double x) { return std::log(x); }, 0.2, 3);
  check_unary(
      "sqrt", ops::sqrt, [](double x) { return std::sqrt(x); }, 0.2, 3);
  check_unary("square", ops::square, [](double x) { return x * x; });
  check_unary("relu", ops::relu, [](double x) { return x > 0 ? x : 0; });
  check_unary("sigmoid", ops::sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); });
  check_unary("tanh", ops::tanh, [](double x) { return std::tanh(x); });
}

TEST(Unary, FurtherFunctionsMatchReference) {
  check_unary(
      "reciprocal", ops::reciprocal, [](double x) { return 1 / x; }, 0.2, 3);
  check_unary("sin", ops::sin, [](double x) { return std::sin(x); });
  check_unary("cos", ops::cos, [](double x) { return std::cos(x); });
  check_unary("erf", ops::erf, [](double x) { return std::erf(x); });
  check_unary("silu", ops::silu, [](double x) { return x / (1 + std::exp(-x)); });
  check_unary("gelu", ops::gelu,
              [](double x) { return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0))); });
  // Beyond both kinks, at -3 and 3.
  const auto clamped = [](double x) { return std::min(std::max(x + 3, 0.0), 6.0) / 6; };
  check_unary(
      "hardswish", ops::hardswish, [&](double x) { return x * clamped(x); }, -5, 5);
  check_unary("hardsigmoid", ops::hardsigmoid, clamped, -5, 5);
}

TEST(Unary, TakesItsParameters) {
  check_unary(
      "pow", [](const Tensor& x) { return ops::pow(x, 2.5F); },
      [](double x) { return std::pow(x, 2.5); }, 0.2, 3);
  check_unary(
      "pow, negative base", [](const Tensor& x) { return ops::pow(x, 3); },
      [](double x) { return x * x * x; });
  check_unary(
      "clamp", [](const Tensor& x) { return ops::clamp(x, -0.5F, 1.25F); },
      [](double x) { return std::min(std::max(x, -0.5), 1.25); });
  check_unary(
      "affine", [](const Tensor& x) { return ops::affine(x, 2.5F, -0.75F); },
      [](double x) { return 2.5 * x - 0.75; });
  check_unary(
      "leaky_relu", [](const Tensor& x) { return ops::leaky_relu(x, 0.125F); },
      [](double x) { return x > 0 ? x : 0.125 * x; });
}

TEST(Unary, OperatorsAreTheOps) {
  const Tensor x = to_tensor(random_array({5}, 1, 1, 2));
  const Tensor y = to_tensor(random_array({5}, 2, 1, 2));
  expect_same_bits(x + y, ops::add(x, y), "+");
  expect_same_bits(x - y, ops::sub(x, y), "-");
  expect_same_bits(x * y, ops::mul(x, y), "*");
  expect_same_bits(x / y, ops::div(x, y), "/");
  expect_same_bits(-x, ops::neg(x), "negation");
  expect_same_bits(x * 4.0F - 1.0F, ops::affine(x, 4, -1), "number operands");
}

TEST(Unary, ReluPassesNaNAndBlocksItsGradientAtZero) {
  Tensor x = new_from_vector(std::vector<float>{-1, 0, 2, NAN}, {4});
  x.set_requires_grad(true);
  const Tensor y = ops::relu(x);
  EXPECT_TRUE(std::isnan(y.to_vector()[3]));
  y.backward(new_ones({4}));
  EXPECT_EQ(x.grad().to_vector()[1], 0.0F);
  EXPECT_EQ(x.grad().to_vector()[2], 1.0F);
}

TEST(Unary, ErrorsNameTheOp) {
  EXPECT_EQ(message_of<ValueError>([] { ops::relu(Tensor()); }), "relu: input is undefined");
  EXPECT_EQ(message_of<DTypeError>([] { ops::exp(new_zeros({2}, DType::U8)); }),
            "exp: input is u8, expected f32 (input [2])");
  EXPECT_EQ(message_of<ValueError>([] { ops::clamp(new_zeros({2}), 2, 1); }),
            "clamp: low 2 is above high 1 (input [2])");
}

TEST(Elementwise, EmptyTensorsPassThrough) {
  Tensor x = new_zeros({0, 3});
  x.set_requires_grad(true);
  const Tensor y = ops::relu(ops::add(x, new_ones({3})));
  EXPECT_EQ(y.shape().to_string(), "[0,3]");
  y.backward(new_zeros({0, 3}));
  EXPECT_EQ(x.grad().shape().to_string(), "[0,3]");
}

}  // namespace
}  // namespace hanok::testing
