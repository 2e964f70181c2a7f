// The kinds of elementwise ops and reductions. Plain enums: files of kernels/cpu/isa include them.
#pragma once

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

}  // namespace hanok
