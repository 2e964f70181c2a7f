// Elementwise ops: a thread computes one 16-byte pack of the output (4 elements of f32, 8 of f16 or
// bf16), adjacent threads adjacent packs, so that accesses are coalesced. Unaligned pointers, rows
// whose length is not a multiple of a pack, and the tail use one access per element.
//
// Roofline: memory. add of f32 moves 12 bytes per operation; an H100 does 20 operations per byte.
// 2048 threads of 16 bytes are 32 KiB in flight per multiprocessor, about twice what 3.35 TB/s and
// 650 ns of latency require, so one pack per thread is enough.
#include <limits>
#include <utility>

#include "hanok/kernels/base/vector_math.h"
#include "hanok/kernels/cuda/ops/storage.h"
#include "hanok/kernels/cuda/ops/strided.h"
#include "hanok/kernels/cuda/runtime/launch.h"
#include "hanok/kernels/primitives/elementwise.h"

namespace hanok::cuda {
namespace {

constexpr int kThreads = 256;

// ---- the functions ----
//
// CUDA's own, except sin and cos: sinf uses a local-memory array for arguments beyond 10^5; the
// CPU's version has none, and gives the same bits.

constexpr float kSqrtHalf = 0.70710678F;
constexpr float kTwoOverSqrtPi = 1.1283791671F;
constexpr float kInvSqrtTwoPi = 0.3989422804F;

__device__ float clamp(float x, float low, float high) {
  const float above = x < low ? low : x;
  return above > high ? high : above;
}

__device__ float sigmoid(float x) { return 1.0F / (1.0F + expf(-x)); }

/// Phi(x), the normal distribution function; erfc keeps its relative accuracy where x is negative.
__device__ float normal_cdf(float x) { return 0.5F * erfcf(-x * kSqrtHalf); }

/// y = f(x) of silu and gelu, whose limit at -infinity is 0, where 0 times x is NaN.
__device__ float with_limit(float x, float y) { return x == -INFINITY ? 0.0F : y; }

/// For the derivatives of silu and gelu, which are 0 and 1 from +-200 on: no infinity, whose
/// product with 0 is NaN. NaN stays.
__device__ float within_far(float x) {
  constexpr float kFar = 200.0F;
  const float below = x > kFar ? kFar : x;
  return below < -kFar ? -kFar : below;
}

/// The result of an op without a case: NaN, so that every test of it fails.
constexpr float kNoCase = std::numeric_limits<float>::quiet_NaN();

template <UnaryOp op>
__device__ float apply(float x, float alpha, float beta) {
  switch (op) {
    case UnaryOp::Neg:
      return -x;
    case UnaryOp::Abs:
      return fabsf(x);
    case UnaryOp::Exp:
      return expf(x);
    case UnaryOp::Log:
      return logf(x);
    case UnaryOp::Sqrt:
      return sqrtf(x);
    case UnaryOp::Square:
      return x * x;
    case UnaryOp::Reciprocal:
      return 1.0F / x;
    case UnaryOp::Sin:
      return math::sin(x);
    case UnaryOp::Cos:
      return math::cos(x);
    case UnaryOp::Erf:
      return erff(x);
    case UnaryOp::Relu:  // written so that NaN propagates
      return x <= 0.0F ? 0.0F : x;
    case UnaryOp::LeakyRelu:
      return x < 0.0F ? alpha * x : x;
    case UnaryOp::Sigmoid:
      return sigmoid(x);
    case UnaryOp::Tanh:
      return tanhf(x);
    case UnaryOp::Silu:
      return with_limit(x, x * sigmoid(x));
    case UnaryOp::Gelu:
      return with_limit(x, x * normal_cdf(x));
    case UnaryOp::Hardswish:
      return x * clamp(x + 3.0F, 0.0F, 6.0F) / 6.0F;
    case UnaryOp::Hardsigmoid:
      return clamp(x + 3.0F, 0.0F, 6.0F) / 6.0F;
    case UnaryOp::Clamp:
      return clamp(x, alpha, beta);
    case UnaryOp::Pow:
      return powf(x, alpha);
    case UnaryOp::Affine:
      return alpha * x + beta;
  }
  return kNoCase;
}

/// g f'(x), with v = x or y as derivative_needs(op) says.
template <UnaryOp op>
__device__ float derive(float v, float g, float alpha, float beta) {
  switch (op) {
    case UnaryOp::Neg:
      return -g;
    case UnaryOp::Abs: {
      const float negative = v < 0.0F ? -g : 0.0F;
      return v > 0.0F ? g : negative;
    }
    case UnaryOp::Exp:
      return g * v;
    case UnaryOp::Log:
      return g / v;
    case UnaryOp::Sqrt:
      return g / (2.0F * v);
    case UnaryOp::Square:
      return g * 2.0F * v;
    case UnaryOp::Reciprocal:
      return -g * (v * v);
    case UnaryOp::Sin:
      return g * math::cos(v);
    case UnaryOp::Cos:
      return -g * math::sin(v);
    case UnaryOp::Erf:
      return g * kTwoOverSqrtPi * expf(-v * v);
    case UnaryOp::Relu:
      return v > 0.0F ? g : 0.0F;
    case UnaryOp::LeakyRelu:
      return v > 0.0F ? g : alpha * g;
    case UnaryOp::Sigmoid:
      return g * (v * (1.0F - v));
    case UnaryOp::Tanh:
      return g * (1.0F - v * v);
    case UnaryOp::Silu: {  // s (1 + x (1 - s)) with s = sigmoid(x)
      const float x = within_far(v);
      const float s = sigmoid(x);
      return g * (s * (1.0F + x * (1.0F - s)));
    }
    case UnaryOp::Gelu: {  // Phi(x) + x phi(x)
      const float x = within_far(v);
      return g * (normal_cdf(x) + x * kInvSqrtTwoPi * expf(-0.5F * x * x));
    }
    case UnaryOp::Hardswish: {
      const float middle = g * (v / 3.0F + 0.5F);
      const float below = v <= -3.0F ? 0.0F : middle;
      return v < 3.0F ? below : g;
    }
    case UnaryOp::Hardsigmoid: {
      const float inside = v > -3.0F ? g / 6.0F : 0.0F;
      return v < 3.0F ? inside : 0.0F;
    }
    case UnaryOp::Clamp: {
      const float inside = v > alpha ? g : 0.0F;
      return v < beta ? inside : 0.0F;
    }
    case UnaryOp::Pow:
      return alpha == 0.0F ? 0.0F : g * (alpha * powf(v, alpha - 1.0F));
    case UnaryOp::Affine:
      return alpha * g;
  }
  return kNoCase;
}

template <BinaryOp op>
__device__ float combine(float a, float b) {
  switch (op) {
    case BinaryOp::Add:
      return a + b;
    case BinaryOp::Sub:
      return a - b;
    case BinaryOp::Mul:
      return a * b;
    case BinaryOp::Div:
      return a / b;
    case BinaryOp::Maximum: {  // NaN in either operand gives NaN
      const float larger = a > b ? a : b;
      return a != a ? a : larger;
    }
    case BinaryOp::Minimum: {
      const float smaller = a < b ? a : b;
      return a != a ? a : smaller;
    }
  }
  return kNoCase;
}

// ---- the kernels ----

/// y = f(x). `aligned`: both pointers are, see load_floats.
template <UnaryOp op, typename T>
__global__ void unary_kernel(float alpha, float beta, const T* x, T* y, std::int64_t count,
                             bool aligned) {
  constexpr int kPack = kPackOf<T>;
  const std::int64_t begin = thread_number() * kPack;
  if (begin + kPack <= count) {
    float values[kPack];
    load_floats(x + begin, aligned, values);
    for (float& value : values) value = apply<op>(value, alpha, beta);
    store_floats(values, aligned, y + begin);
  } else {
    for (std::int64_t i = begin; i < count; ++i) {
      y[i] = from_float<T>(apply<op>(to_float(x[i]), alpha, beta));
    }
  }
}

/// dx = dy f'.
template <UnaryOp op, typename T>
__global__ void unary_backward_kernel(float alpha, float beta, const T* value, const T* dy, T* dx,
                                      std::int64_t count, bool aligned) {
  constexpr int kPack = kPackOf<T>;
  const std::int64_t begin = thread_number() * kPack;
  if (begin + kPack <= count) {
    float v[kPack];
    float g[kPack];
    load_floats(value + begin, aligned, v);
    load_floats(dy + begin, aligned, g);
    for (int i = 0; i < kPack; ++i) g[i] = derive<op>(v[i], g[i], alpha, beta);
    store_floats(g, aligned, dx + begin);
  } else {
    for (std::int64_t i = begin; i < count; ++i) {
      dx[i] = from_float<T>(derive<op>(to_float(value[i]), to_float(dy[i]), alpha, beta));
    }
  }
}

template <typename T>
__global__ void add_scaled_kernel(float alpha, const T* x, T* y, std::int64_t count, bool aligned) {
  constexpr int kPack = kPackOf<T>;
  const std::int64_t begin = thread_number() * kPack;
  if (begin + kPack <= count) {
    float added[kPack];
    float sums[kPack];
    load_floats(x + begin, aligned, added);
    load_floats(y + begin, aligned, sums);
    for (int i = 0; i < kPack; ++i) sums[i] += alpha * added[i];
    store_floats(sums, aligned, y + begin);
  } else {
    for (std::int64_t i = begin; i < count; ++i) {
      y[i] = from_float<T>(to_float(y[i]) + alpha * to_float(x[i]));
    }
  }
}

/// Slopes of the channels of elements begin, begin + 1, ...: channels follow each other in memory.
template <int count>
__device__ void load_slopes(const float* slopes, std::int64_t channels, std::int64_t begin,
                            float (&values)[count]) {
  std::int64_t channel = begin % channels;
  for (float& value : values) {
    value = slopes[channel];
    channel = channel + 1 == channels ? 0 : channel + 1;
  }
}

/// y = x where x > 0, else slope x.
template <typename T>
__global__ void prelu_kernel(const T* x, const float* slopes, std::int64_t channels, T* y,
                             std::int64_t count, bool aligned) {
  constexpr int kPack = kPackOf<T>;
  const std::int64_t begin = thread_number() * kPack;
  if (begin >= count) return;
  const std::int64_t left = count - begin;
  const int exist = left < kPack ? static_cast<int>(left) : kPack;
  float slope[kPack];
  float values[kPack];
  load_slopes(slopes, channels, begin, slope);
  load_some(x + begin, aligned, exist, values);
  for (int i = 0; i < kPack; ++i) values[i] = values[i] > 0.0F ? values[i] : slope[i] * values[i];
  store_some(values, aligned, exist, y + begin);
}

/// dx = dy where x > 0, else slope dy; terms = 0 where x > 0, else dy x. Either may be null.
template <typename T>
__global__ void prelu_backward_kernel(const T* x, const float* slopes, std::int64_t channels,
                                      const T* dy, T* dx, float* terms, std::int64_t count,
                                      bool aligned) {
  constexpr int kPack = kPackOf<T>;
  const std::int64_t begin = thread_number() * kPack;
  if (begin >= count) return;
  const std::int64_t left = count - begin;
  const int exist = left < kPack ? static_cast<int>(left) : kPack;
  float slope[kPack];
  float values[kPack];
  float gradient[kPack];
  float result[kPack];
  load_slopes(slopes, channels, begin, slope);
  load_some(x + begin, aligned, exist, values);
  load_some(dy + begin, aligned, exist, gradient);
  if (dx) {
    for (int i = 0; i < kPack; ++i) {
      result[i] = values[i] > 0.0F ? gradient[i] : slope[i] * gradient[i];
    }
    store_some(result, aligned, exist, dx + begin);
  }
  if (terms) {
    for (int i = 0; i < kPack; ++i) result[i] = values[i] > 0.0F ? 0.0F : gradient[i] * values[i];
    store_some(result, aligned, exist, terms + begin);
  }
}

/// Elements along a row: all different, or one broadcast element.
template <int count, typename T>
__device__ void load_row(const T* x, std::int64_t step, float (&values)[count]) {
  if (step == 1) {
    load_floats(x, true, values);
  } else {
    const float value = to_float(*x);
    for (float& each : values) each = value;
  }
}

/// out = a op b, out dense. `packed`: splits_into(pack) is true and all pointers are aligned.
template <BinaryOp op, typename T>
__global__ void binary_kernel(StridedIndex<2> index, const T* a, const T* b, T* out,
                              std::int64_t count, bool packed) {
  constexpr int kPack = kPackOf<T>;
  const std::int64_t begin = thread_number() * kPack;
  std::int64_t at[2];
  if (packed && begin + kPack <= count) {
    float left[kPack];
    float right[kPack];
    index.offsets_of(begin, at);
    load_row(a + at[0], index.steps[index.rank - 1][0], left);
    load_row(b + at[1], index.steps[index.rank - 1][1], right);
    for (int i = 0; i < kPack; ++i) left[i] = combine<op>(left[i], right[i]);
    store_floats(left, true, out + begin);
    return;
  }
  for (std::int64_t number = begin; number < count && number < begin + kPack; ++number) {
    index.offsets_of(number, at);
    out[number] = from_float<T>(combine<op>(to_float(a[at[0]]), to_float(b[at[1]])));
  }
}

// ---- from an op to its kernel ----

template <UnaryOp op>
struct UnaryTag {
  static constexpr UnaryOp value = op;
};
template <BinaryOp op>
struct BinaryTag {
  static constexpr BinaryOp value = op;
};

template <int... numbers, typename Function>
void with_unary_op(std::integer_sequence<int, numbers...>, UnaryOp op, const Function& function) {
  const auto call_if = [&](auto tag) {
    if (tag.value == op) function(tag);
  };
  (call_if(UnaryTag<static_cast<UnaryOp>(numbers)>{}), ...);
}
/// Calls function(UnaryTag<op>{}): the op becomes a constant that selects the kernel.
template <typename Function>
void with_op(UnaryOp op, const Function& function) {
  with_unary_op(std::make_integer_sequence<int, kUnaryOps>{}, op, function);
}

template <typename Function>
void with_op(BinaryOp op, const Function& function) {
  switch (op) {
    case BinaryOp::Add:
      return function(BinaryTag<BinaryOp::Add>{});
    case BinaryOp::Sub:
      return function(BinaryTag<BinaryOp::Sub>{});
    case BinaryOp::Mul:
      return function(BinaryTag<BinaryOp::Mul>{});
    case BinaryOp::Div:
      return function(BinaryTag<BinaryOp::Div>{});
    case BinaryOp::Maximum:
      return function(BinaryTag<BinaryOp::Maximum>{});
    case BinaryOp::Minimum:
      return function(BinaryTag<BinaryOp::Minimum>{});
  }
}

}  // namespace

void run(ExecContext& ctx, const Unary& op) {
  const std::int64_t count = op.y.numel();
  if (count == 0) return;
  with_storage(Unary::kName, op.x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    with_op(op.kind, [&](auto tag) {
      launch(unary_kernel<decltype(tag)::value, T>, grid_for(count, kThreads * kPackOf<T>),
             dim3(kThreads), 0, stream_of(ctx), op.params.alpha, op.params.beta, op.x.as<T>(),
             op.y.as<T>(), count, aligned16(op.x.data, op.y.data));
    });
  });
}

void run(ExecContext& ctx, const UnaryBackward& op) {
  const std::int64_t count = op.dx.numel();
  if (count == 0) return;
  with_storage(UnaryBackward::kName, op.dy.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    with_op(op.kind, [&](auto tag) {
      constexpr UnaryOp kOp = decltype(tag)::value;
      constexpr DerivativeNeeds kNeeds = derivative_needs(kOp);
      // If no operand is needed, dy replaces it, at no cost since it is read anyway.
      const ConstView value = kNeeds == DerivativeNeeds::X   ? op.x
                              : kNeeds == DerivativeNeeds::Y ? op.y
                                                             : op.dy;
      launch(unary_backward_kernel<kOp, T>, grid_for(count, kThreads * kPackOf<T>), dim3(kThreads),
             0, stream_of(ctx), op.params.alpha, op.params.beta, value.as<T>(), op.dy.as<T>(),
             op.dx.as<T>(), count, aligned16(value.data, op.dy.data, op.dx.data));
    });
  });
}

void run(ExecContext& ctx, const Binary& op) {
  const std::int64_t count = op.out.numel();
  if (count == 0) return;
  // The walk is dense for out: its strides only keep dimensions apart that must not be merged.
  const StridedIndex<2> index(StridedLoop<2>(op.a.sizes, {op.a.strides, op.b.strides}));
  with_storage(Binary::kName, op.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const bool packed =
        index.splits_into(kPackOf<T>) && aligned16(op.a.data, op.b.data, op.out.data);
    with_op(op.kind, [&](auto tag) {
      launch(binary_kernel<decltype(tag)::value, T>, grid_for(count, kThreads * kPackOf<T>),
             dim3(kThreads), 0, stream_of(ctx), index, static_cast<const T*>(op.a.data),
             static_cast<const T*>(op.b.data), op.out.as<T>(), count, packed);
    });
  });
}

void run(ExecContext& ctx, const Prelu& op) {
  const std::int64_t count = op.y.numel();
  if (count == 0) return;
  with_storage(Prelu::kName, op.y.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(prelu_kernel<T>, grid_for(count, kThreads * kPackOf<T>), dim3(kThreads), 0,
           stream_of(ctx), op.x.as<T>(), op.slopes.as<float>(), op.slopes.numel(), op.y.as<T>(),
           count, aligned16(op.x.data, op.y.data));
  });
}

void run(ExecContext& ctx, const PreluBackward& op) {
  const std::int64_t count = op.dy.numel();
  if (count == 0) return;
  with_storage(PreluBackward::kName, op.dy.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(prelu_backward_kernel<T>, grid_for(count, kThreads * kPackOf<T>), dim3(kThreads), 0,
           stream_of(ctx), op.x.as<T>(), op.slopes.as<float>(), op.slopes.numel(), op.dy.as<T>(),
           op.dx.as<T>(), op.slope_terms.as<float>(), count,
           aligned16(op.x.data, op.dy.data, op.dx.data, op.slope_terms.data));
  });
}

void run(ExecContext& ctx, const AddScaled& op) {
  const std::int64_t count = op.y.numel();
  if (count == 0) return;
  with_storage(AddScaled::kName, op.y.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(add_scaled_kernel<T>, grid_for(count, kThreads * kPackOf<T>), dim3(kThreads), 0,
           stream_of(ctx), op.alpha, op.x.as<T>(), op.y.as<T>(), count,
           aligned16(op.x.data, op.y.data));
  });
}

}  // namespace hanok::cuda
