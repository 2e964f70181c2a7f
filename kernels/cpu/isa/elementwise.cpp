// One plain loop an op: they are bound by memory, and the compiler makes vector code of them.
#include "hanok/kernels/cpu/isa/elementwise.h"

#include "hanok/kernels/base/vector_math.h"
#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr double kSqrtHalf = 0.7071067811865476;
constexpr double kTwoOverSqrtPi = 1.1283791670955126;
constexpr double kInvSqrtTwoPi = 0.3989422804014327;

template <typename Function>
inline void map(const float* x, float* y, int64_t count, Function function) {
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) {
    y[i] = function(x[i]);
  }
}

/// dx[i] = function(value[i], dy[i]), value being x or y.
template <typename Function>
inline void map_backward(const float* value, const float* dy, float* dx, int64_t count,
                         Function function) {
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) {
    dx[i] = function(value[i], dy[i]);
  }
}

inline float clamp(float x, float low, float high) {
  const float above = x < low ? low : x;
  return above > high ? high : above;
}

// The limits of silu and gelu at -infinity are 0, where 0 times x is NaN; those of their
// derivatives are 0 and 1. So products take x within +-700, which changes nothing else: from there
// on the other factor is 0 or 1 in single precision.
inline float with_limit(float x, double y) {
  return x == -__builtin_inff() ? 0.0F : static_cast<float>(y);
}

/// sigmoid(z) for z within [-700, 700].
inline double sigmoid_of_within(double z) { return 1.0 / (1.0 + math::exp_of_within(-z)); }

/// x^exponent, at zeros, infinities and NaN as C's pow: whole exponents by repeated squaring,
/// others as e^(exponent ln x).
inline double power(double x, double exponent) {
  const double infinity = __builtin_inf();
  const double magnitude = exponent < 0 ? -exponent : exponent;
  if (magnitude < 0x1p31 && magnitude == static_cast<double>(static_cast<int>(magnitude))) {
    double result = 1;
    double square = x;
    for (int n = static_cast<int>(magnitude); n > 0; n >>= 1, square *= square) {
      result = (n & 1) != 0 ? result * square : result;
    }
    return exponent < 0 ? 1 / result : result;
  }
  if (x == 1 || exponent != exponent) {
    return x == 1 ? 1.0 : exponent;
  }
  // From 2^31 on every float is even.
  const double base = magnitude >= 0x1p31 || x == -infinity ? __builtin_fabs(x) : x;
  if (base == 0) {
    return exponent < 0 ? infinity : 0.0;
  }
  if (base == 1) {
    return 1;
  }
  return math::exp_double(exponent * math::log_double(base));
}

void unary(UnaryOp op, float alpha, float beta, const float* x, float* y, int64_t n) {
  switch (op) {
    case UnaryOp::Neg:
      return map(x, y, n, [](float v) { return -v; });
    case UnaryOp::Abs:
      return map(x, y, n, [](float v) { return __builtin_fabsf(v); });
    case UnaryOp::Exp:
      return map(x, y, n, [](float v) { return math::exp(v); });
    case UnaryOp::Log:
      return map(x, y, n, [](float v) { return math::log(v); });
    case UnaryOp::Sqrt:
      return map(x, y, n, [](float v) { return __builtin_sqrtf(v); });
    case UnaryOp::Square:
      return map(x, y, n, [](float v) { return v * v; });
    case UnaryOp::Reciprocal:
      return map(x, y, n, [](float v) { return 1.0F / v; });
    case UnaryOp::Sin:
      for (int64_t i = 0; i < n; ++i) {
        y[i] = math::sin(x[i]);
      }
      return;
    case UnaryOp::Cos:
      for (int64_t i = 0; i < n; ++i) {
        y[i] = math::cos(x[i]);
      }
      return;
    case UnaryOp::Erf:
      return map(x, y, n, [](float v) { return math::erf(v); });
    case UnaryOp::Relu:  // written so that NaN stays NaN
      return map(x, y, n, [](float v) { return v <= 0.0F ? 0.0F : v; });
    case UnaryOp::LeakyRelu:
      return map(x, y, n, [alpha](float v) { return v < 0.0F ? alpha * v : v; });
    case UnaryOp::Sigmoid:
      return map(x, y, n, [](float v) { return math::sigmoid(v); });
    case UnaryOp::Tanh:
      return map(x, y, n, [](float v) { return math::tanh(v); });
    case UnaryOp::Silu:
      return map(x, y, n, [](float v) {
        return with_limit(v, static_cast<float>(v * math::sigmoid_double(v)));
      });
    case UnaryOp::Gelu:
      return map(x, y, n, [](float v) {
        const double wide = v;
        const double y = 0.5 * wide * (1.0 + math::erf_double(wide * kSqrtHalf));
        return with_limit(v, static_cast<float>(y));
      });
    case UnaryOp::Hardswish:
      return map(x, y, n, [](float v) { return v * clamp(v + 3.0F, 0.0F, 6.0F) / 6.0F; });
    case UnaryOp::Hardsigmoid:
      return map(x, y, n, [](float v) { return clamp(v + 3.0F, 0.0F, 6.0F) / 6.0F; });
    case UnaryOp::Clamp:
      return map(x, y, n, [alpha, beta](float v) { return clamp(v, alpha, beta); });
    case UnaryOp::Pow:
      for (int64_t i = 0; i < n; ++i) {
        y[i] = static_cast<float>(power(x[i], alpha));
      }
      return;
    case UnaryOp::Affine:
      return map(x, y, n, [alpha, beta](float v) { return alpha * v + beta; });
  }
}

void unary_backward(UnaryOp op, float alpha, float beta, const float* x, const float* y,
                    const float* dy, float* dx, int64_t n) {
  switch (op) {
    case UnaryOp::Neg:
      return map(dy, dx, n, [](float g) { return -g; });
    case UnaryOp::Abs:
      return map_backward(x, dy, dx, n, [](float v, float g) {
        const float negative = v < 0.0F ? -g : 0.0F;
        return v > 0.0F ? g : negative;
      });
    case UnaryOp::Exp:
      return map_backward(y, dy, dx, n, [](float v, float g) { return g * v; });
    case UnaryOp::Log:
      return map_backward(x, dy, dx, n, [](float v, float g) { return g / v; });
    case UnaryOp::Sqrt:
      return map_backward(y, dy, dx, n, [](float v, float g) { return g / (2.0F * v); });
    case UnaryOp::Square:
      return map_backward(x, dy, dx, n, [](float v, float g) { return g * 2.0F * v; });
    case UnaryOp::Reciprocal:
      return map_backward(y, dy, dx, n, [](float v, float g) { return -g * (v * v); });
    case UnaryOp::Sin:
      for (int64_t i = 0; i < n; ++i) {
        dx[i] = dy[i] * math::cos(x[i]);
      }
      return;
    case UnaryOp::Cos:
      for (int64_t i = 0; i < n; ++i) {
        dx[i] = -dy[i] * math::sin(x[i]);
      }
      return;
    case UnaryOp::Erf:
      return map_backward(x, dy, dx, n, [](float v, float g) {
        const double wide = v;
        return static_cast<float>(g * kTwoOverSqrtPi * math::exp_double(-wide * wide));
      });
    case UnaryOp::Relu:
      return map_backward(y, dy, dx, n, [](float v, float g) { return v > 0.0F ? g : 0.0F; });
    case UnaryOp::LeakyRelu:
      return map_backward(x, dy, dx, n,
                          [alpha](float v, float g) { return v > 0.0F ? g : alpha * g; });
    case UnaryOp::Sigmoid:
      return map_backward(y, dy, dx, n, [](float v, float g) { return g * (v * (1.0F - v)); });
    case UnaryOp::Tanh:
      return map_backward(y, dy, dx, n, [](float v, float g) { return g * (1.0F - v * v); });
    case UnaryOp::Silu:  // s (1 + x (1 - s)) with s = sigmoid(x)
      return map_backward(x, dy, dx, n, [](float v, float g) {
        const double wide = math::within_exp(v);
        const double s = sigmoid_of_within(wide);
        return static_cast<float>(g * (s * (1.0 + wide * (1.0 - s))));
      });
    case UnaryOp::Gelu:  // Phi(x) + x phi(x)
      return map_backward(x, dy, dx, n, [](float v, float g) {
        const double wide = math::within_exp(v);
        const double cdf = 0.5 * (1.0 + math::erf_double(wide * kSqrtHalf));
        const double density = kInvSqrtTwoPi * math::exp_double(-0.5 * wide * wide);
        return static_cast<float>(g * (cdf + wide * density));
      });
    case UnaryOp::Hardswish:
      return map_backward(x, dy, dx, n, [](float v, float g) {
        const float middle = g * (v / 3.0F + 0.5F);
        const float below = v <= -3.0F ? 0.0F : middle;
        return v < 3.0F ? below : g;
      });
    case UnaryOp::Hardsigmoid:
      return map_backward(x, dy, dx, n, [](float v, float g) {
        const float inside = v > -3.0F ? g / 6.0F : 0.0F;
        return v < 3.0F ? inside : 0.0F;
      });
    case UnaryOp::Clamp:
      return map_backward(x, dy, dx, n, [alpha, beta](float v, float g) {
        const float inside = v > alpha ? g : 0.0F;
        return v < beta ? inside : 0.0F;
      });
    case UnaryOp::Pow:
      for (int64_t i = 0; i < n; ++i) {
        const double slope = alpha == 0.0F ? 0.0 : alpha * power(x[i], alpha - 1.0);
        dx[i] = static_cast<float>(dy[i] * slope);
      }
      return;
    case UnaryOp::Affine:
      return map(dy, dx, n, [alpha](float g) { return alpha * g; });
  }
}

/// Steps of 0 (broadcast) and 1 get loops of their own.
template <typename Function>
inline void combine(const float* a, int64_t step_a, const float* b, int64_t step_b, float* out,
                    int64_t count, Function function) {
  if (step_a == 1 && step_b == 1) {
    HANOK_INDEPENDENT
    for (int64_t i = 0; i < count; ++i) {
      out[i] = function(a[i], b[i]);
    }
  } else if (step_a == 1 && step_b == 0) {
    const float right = *b;
    HANOK_INDEPENDENT
    for (int64_t i = 0; i < count; ++i) {
      out[i] = function(a[i], right);
    }
  } else if (step_a == 0 && step_b == 1) {
    const float left = *a;
    HANOK_INDEPENDENT
    for (int64_t i = 0; i < count; ++i) {
      out[i] = function(left, b[i]);
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      out[i] = function(a[i * step_a], b[i * step_b]);
    }
  }
}

void binary(BinaryOp op, const float* a, int64_t step_a, const float* b, int64_t step_b, float* out,
            int64_t n) {
  switch (op) {
    case BinaryOp::Add:
      return combine(a, step_a, b, step_b, out, n, [](float l, float r) { return l + r; });
    case BinaryOp::Sub:
      return combine(a, step_a, b, step_b, out, n, [](float l, float r) { return l - r; });
    case BinaryOp::Mul:
      return combine(a, step_a, b, step_b, out, n, [](float l, float r) { return l * r; });
    case BinaryOp::Div:
      return combine(a, step_a, b, step_b, out, n, [](float l, float r) { return l / r; });
    case BinaryOp::Maximum:  // NaN in either operand gives NaN
      return combine(a, step_a, b, step_b, out, n, [](float l, float r) {
        const float larger = l > r ? l : r;
        return l != l ? l : larger;
      });
    case BinaryOp::Minimum:
      return combine(a, step_a, b, step_b, out, n, [](float l, float r) {
        const float smaller = l < r ? l : r;
        return l != l ? l : smaller;
      });
  }
}

void prelu(const float* x, const float* slope, float* y, int64_t count) {
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) {
    const float scaled = slope[i] * x[i];
    y[i] = x[i] > 0.0F ? x[i] : scaled;
  }
}

void prelu_backward(const float* x, const float* slope, const float* dy, float* dx,
                    float* slope_terms, int64_t count) {
  if (dx != nullptr) {
    HANOK_INDEPENDENT
    for (int64_t i = 0; i < count; ++i) {
      const float scaled = slope[i] * dy[i];
      dx[i] = x[i] > 0.0F ? dy[i] : scaled;
    }
  }
  if (slope_terms != nullptr) {
    HANOK_INDEPENDENT
    for (int64_t i = 0; i < count; ++i) {
      const float term = dy[i] * x[i];
      slope_terms[i] = x[i] > 0.0F ? 0.0F : term;
    }
  }
}

void add_scaled(float alpha, const float* x, float* y, int64_t count) {
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) {
    y[i] += alpha * x[i];
  }
}

void fill(float value, float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    y[i] = value;
  }
}

void round_to_bf16(const float* x, uint16_t* y, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store(y + i, load(x + i));
  }
  for (; i < count; ++i) {
    y[i] = to_bf16(x[i]);
  }
}

}  // namespace

const ElementwiseKernels elementwise = {unary,          unary_backward, binary, prelu,
                                        prelu_backward, add_scaled,     fill,   round_to_bf16};

}  // namespace hanok::cpu::HANOK_ISA
