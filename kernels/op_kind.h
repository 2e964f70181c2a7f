// The kinds of elementwise ops and reductions, and what is known of each. Plain enums and constexpr
// functions: files of kernels/cpu/isa include them.
//
// A new kind gets a name here; every other place is a switch without a default, which the compiler
// rejects while a kind is missing.
#pragma once

#pragma GCC visibility push(default)
namespace hanok {

enum class UnaryOp {
  Neg,
  Abs,
  Exp,
  Log,
  Sqrt,
  Square,
  Reciprocal,
  Sin,
  Cos,
  Erf,
  Relu,
  LeakyRelu,  // alpha: slope for x < 0
  Sigmoid,
  Tanh,
  Silu,  // x * sigmoid(x)
  Gelu,  // exact: x * Phi(x)
  Hardswish,
  Hardsigmoid,
  Clamp,   // to [alpha, beta]
  Pow,     // x^alpha
  Affine,  // alpha * x + beta
};

enum class BinaryOp { Add, Sub, Mul, Div, Maximum, Minimum };
enum class ReduceOp { Sum, Mean };

/// As profiles print it: "leaky_relu"; null for a number that is no kind.
constexpr const char* name_of(UnaryOp kind) {
  switch (kind) {
    case UnaryOp::Neg:
      return "neg";
    case UnaryOp::Abs:
      return "abs";
    case UnaryOp::Exp:
      return "exp";
    case UnaryOp::Log:
      return "log";
    case UnaryOp::Sqrt:
      return "sqrt";
    case UnaryOp::Square:
      return "square";
    case UnaryOp::Reciprocal:
      return "reciprocal";
    case UnaryOp::Sin:
      return "sin";
    case UnaryOp::Cos:
      return "cos";
    case UnaryOp::Erf:
      return "erf";
    case UnaryOp::Relu:
      return "relu";
    case UnaryOp::LeakyRelu:
      return "leaky_relu";
    case UnaryOp::Sigmoid:
      return "sigmoid";
    case UnaryOp::Tanh:
      return "tanh";
    case UnaryOp::Silu:
      return "silu";
    case UnaryOp::Gelu:
      return "gelu";
    case UnaryOp::Hardswish:
      return "hardswish";
    case UnaryOp::Hardsigmoid:
      return "hardsigmoid";
    case UnaryOp::Clamp:
      return "clamp";
    case UnaryOp::Pow:
      return "pow";
    case UnaryOp::Affine:
      return "affine";
  }
  return nullptr;
}

constexpr const char* name_of(BinaryOp kind) {
  switch (kind) {
    case BinaryOp::Add:
      return "add";
    case BinaryOp::Sub:
      return "sub";
    case BinaryOp::Mul:
      return "mul";
    case BinaryOp::Div:
      return "div";
    case BinaryOp::Maximum:
      return "maximum";
    case BinaryOp::Minimum:
      return "minimum";
  }
  return nullptr;
}

/// How many kinds an enum has: they are numbered from 0, and each has a name.
template <typename Kind>
constexpr int count_kinds() {
  int count = 0;
  while (name_of(static_cast<Kind>(count)) != nullptr) ++count;
  return count;
}
inline constexpr int kUnaryOps = count_kinds<UnaryOp>();
inline constexpr int kBinaryOps = count_kinds<BinaryOp>();

/// What the derivative of y = f(x) is computed from, besides dy. Where y serves, it is kept instead
/// of x, since the next op often keeps it too: relu' = [y > 0], sigmoid' = y (1 - y),
/// tanh' = 1 - y^2, exp' = y, sqrt' = 1 / (2 y), (1/x)' = -y^2.
enum class DerivativeNeeds { Nothing, X, Y };

constexpr DerivativeNeeds derivative_needs(UnaryOp kind) {
  switch (kind) {
    case UnaryOp::Neg:
    case UnaryOp::Affine:
      return DerivativeNeeds::Nothing;
    case UnaryOp::Exp:
    case UnaryOp::Sqrt:
    case UnaryOp::Reciprocal:
    case UnaryOp::Relu:
    case UnaryOp::Sigmoid:
    case UnaryOp::Tanh:
      return DerivativeNeeds::Y;
    case UnaryOp::Abs:
    case UnaryOp::Log:
    case UnaryOp::Square:
    case UnaryOp::Sin:
    case UnaryOp::Cos:
    case UnaryOp::Erf:
    case UnaryOp::LeakyRelu:
    case UnaryOp::Silu:
    case UnaryOp::Gelu:
    case UnaryOp::Hardswish:
    case UnaryOp::Hardsigmoid:
    case UnaryOp::Clamp:
    case UnaryOp::Pow:
      break;
  }
  return DerivativeNeeds::X;
}

}  // namespace hanok
#pragma GCC visibility pop
