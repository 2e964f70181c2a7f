// Softmax over `length` of x viewed as [outer, length, inner], and cross entropy.
//
// If inner is 1 a row is contiguous: a warp processes a row of up to kWarpRow elements, a block a
// longer one; maximum and sum use shuffles. Otherwise a thread processes a column, and adjacent
// threads read adjacent columns. Rows are read three times, but two of these reads hit a cache:
// memory traffic is 8 bytes per element (f32).
//
// Cross entropy as PyTorch defines it. With log p = log_softmax(logits), class weights w, smoothing
// e and C classes, every form is a weighted sum  loss = -sum_c coefficient_c log p_c:
//   target t:               coefficient_c = (1-e) w_t [c = t] + e/C w_c;      weight w_t
//   soft targets q:         coefficient_c = ((1-e) q_c + e/C) w_c;           weight 1
//   t = ignore_index:       all 0;                                           weight 0
// and so  d loss / d logits_j = p_j sum_c coefficient_c - coefficient_j.
// Focal loss has  loss = -sum_c coefficient_c (1-p_c)^gamma log p_c,  whose gradient has the same
// form with  coefficient_c ((1-p_c)^gamma - gamma (1-p_c)^(gamma-1) p_c log p_c)  instead.
// A warp processes a sample in double: there are few elements, and losses are compared.
#include "hanok/kernels/cuda/ops/packet.h"
#include "hanok/kernels/cuda/ops/sizes.h"
#include "hanok/kernels/primitives/softmax_cross_entropy.h"

namespace hanok::cuda {
namespace {

constexpr int kWarp = 32;
constexpr int kWide = 256;  // threads of a block that processes one row
constexpr int kRowsPerBlock = 4;  // if a warp processes a row
constexpr std::int64_t kWarpRow = 512;
constexpr unsigned kAllLanes = 0xffffffffU;

struct Max {
  __device__ static float join(float a, float b) { return a > b ? a : b; }
};
struct Sum {
  template <typename V>
  __device__ static V join(V a, V b) {
    return a + b;
  }
};

/// Combines the values of a warp in a fixed tree; every lane gets the result.
template <typename Join, typename V>
__device__ V join_warp(V value) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    value = Join::join(value, __shfl_xor_sync(kAllLanes, value, distance));
  }
  return value;
}

/// Combines the values of the kLanes threads of a row. `shared` (one element per warp) is for one
/// call.
template <typename Join, int kLanes, typename V>
__device__ V join_row(V value, V* shared) {
  value = join_warp<Join>(value);
  if constexpr (kLanes > kWarp) {
    if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = value;
    __syncthreads();
    value = shared[0];
    for (int warp = 1; warp < kLanes / kWarp; ++warp) value = Join::join(value, shared[warp]);
  }
  return value;
}

template <typename T, bool kLog, int kLanes>
__global__ void softmax_rows_kernel(const T* x, std::int64_t rows, std::int64_t length, T* y) {
  __shared__ float shared_largest[kWide / kWarp];
  __shared__ double shared_sum[kWide / kWarp];
  const std::int64_t row = blockIdx.x * static_cast<std::int64_t>(blockDim.y) + threadIdx.y;
  if (row >= rows) return;  // a whole warp
  x += row * length;
  y += row * length;
  float largest = to_float(x[0]);
  for (std::int64_t i = threadIdx.x; i < length; i += kLanes) {
    largest = Max::join(to_float(x[i]), largest);
  }
  largest = join_row<Max, kLanes>(largest, shared_largest);
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < length; i += kLanes) {
    sum += static_cast<double>(expf(to_float(x[i]) - largest));
  }
  sum = join_row<Sum, kLanes>(sum, shared_sum);
  const auto total = static_cast<float>(sum);
  const float log_sum = logf(total);
  for (std::int64_t i = threadIdx.x; i < length; i += kLanes) {
    const float shifted = to_float(x[i]) - largest;
    y[i] = from_float<T>(kLog ? shifted - log_sum : expf(shifted) / total);
  }
}

template <typename T, bool kLog>
__global__ void softmax_columns_kernel(const T* x, std::int64_t columns, std::int64_t length,
                                       std::int64_t inner, T* y) {
  const std::int64_t column = blockIdx.x * static_cast<std::int64_t>(kWide) + threadIdx.x;
  if (column >= columns) return;
  const std::int64_t first = column / inner * length * inner + column % inner;
  x += first;
  y += first;
  float largest = to_float(x[0]);
  for (std::int64_t i = 1; i < length; ++i) largest = Max::join(to_float(x[i * inner]), largest);
  double sum = 0;
  for (std::int64_t i = 0; i < length; ++i) {
    sum += static_cast<double>(expf(to_float(x[i * inner]) - largest));
  }
  const auto total = static_cast<float>(sum);
  const float log_sum = logf(total);
  for (std::int64_t i = 0; i < length; ++i) {
    const float shifted = to_float(x[i * inner]) - largest;
    y[i * inner] = from_float<T>(kLog ? shifted - log_sum : expf(shifted) / total);
  }
}

// softmax: dx = y (dy - sum y dy); log-softmax: dx = dy - exp(y) sum dy. In double, since both
// cancel if one class has almost all probability.
template <typename T, bool kLog>
__device__ double summand(const T* y, const T* dy) {
  const auto gradient = static_cast<double>(to_float(*dy));
  return kLog ? gradient : static_cast<double>(to_float(*y)) * gradient;
}
template <typename T, bool kLog>
__device__ void store_gradient(const T* y, const T* dy, double sum, T* dx) {
  const float value = to_float(*y);
  const auto gradient = static_cast<double>(to_float(*dy));
  const double result = kLog ? gradient - static_cast<double>(expf(value)) * sum
                             : static_cast<double>(value) * (gradient - sum);
  *dx = from_float<T>(static_cast<float>(result));
}

template <typename T, bool kLog, int kLanes>
__global__ void softmax_backward_rows_kernel(const T* y, const T* dy, std::int64_t rows,
                                             std::int64_t length, T* dx) {
  __shared__ double shared[kWide / kWarp];
  const std::int64_t row = blockIdx.x * static_cast<std::int64_t>(blockDim.y) + threadIdx.y;
  if (row >= rows) return;
  const std::int64_t end = (row + 1) * length;
  double sum = 0;
  for (std::int64_t i = row * length + threadIdx.x; i < end; i += kLanes) {
    sum += summand<T, kLog>(y + i, dy + i);
  }
  sum = join_row<Sum, kLanes>(sum, shared);
  for (std::int64_t i = row * length + threadIdx.x; i < end; i += kLanes) {
    store_gradient<T, kLog>(y + i, dy + i, sum, dx + i);
  }
}

template <typename T, bool kLog>
__global__ void softmax_backward_columns_kernel(const T* y, const T* dy, std::int64_t columns,
                                                std::int64_t length, std::int64_t inner, T* dx) {
  const std::int64_t column = blockIdx.x * static_cast<std::int64_t>(kWide) + threadIdx.x;
  if (column >= columns) return;
  const std::int64_t first = column / inner * length * inner + column % inner;
  const std::int64_t end = first + length * inner;
  double sum = 0;
  for (std::int64_t i = first; i < end; i += inner) sum += summand<T, kLog>(y + i, dy + i);
  for (std::int64_t i = first; i < end; i += inner) {
    store_gradient<T, kLog>(y + i, dy + i, sum, dx + i);
  }
}

// ---- cross entropy ----

struct CrossEntropyArguments {
  const float* logits;
  const std::int64_t* targets;  // null if soft targets are given
  const float* soft;
  const float* class_weights;  // null: 1
  double smoothing, gamma;
  std::int64_t samples, classes, ignore_index;
  bool count_targets;
};

struct Coefficients {
  const CrossEntropyArguments& a;
  std::int64_t sample, target;

  __device__ Coefficients(const CrossEntropyArguments& arguments, std::int64_t row)
      : a(arguments), sample(row), target(arguments.targets ? arguments.targets[row] : 0) {}
  __device__ bool ignored() const { return a.targets && target == a.ignore_index; }
  __device__ bool impossible() const {
    return a.targets && !ignored() && (target < 0 || target >= a.classes);
  }
  __device__ double class_weight(std::int64_t c) const {
    return a.class_weights ? static_cast<double>(a.class_weights[c]) : 1.0;
  }
  __device__ double operator()(std::int64_t c) const {
    if (ignored()) return 0.0;
    const double share = a.smoothing / static_cast<double>(a.classes);
    const double hit =
        a.targets ? (c == target ? 1.0 : 0.0) : static_cast<double>(a.soft[sample * a.classes + c]);
    return ((1.0 - a.smoothing) * hit + share) * class_weight(c);
  }
  __device__ float weight() const {
    if (impossible()) return nanf("");
    if (ignored()) return 0.0F;
    return a.targets && !a.count_targets ? static_cast<float>(class_weight(target)) : 1.0F;
  }
};

/// x^exponent for x in [0,1]; 0 for x = 0, the limit wherever it is used here.
__device__ inline double power(double x, double exponent) { return x <= 0 ? 0 : pow(x, exponent); }

// What focal loss multiplies a class's coefficient by, and the same in the gradient:
// (1-p)^gamma - gamma (1-p)^(gamma-1) p log p, which is 0 for p = 1 and 1 for p = 0.
__device__ inline double focal_factor(double gamma, double log_p) {
  return power(1 - exp(log_p), gamma);
}
__device__ inline double focal_slope(double gamma, double log_p) {
  const double p = exp(log_p);
  const double p_log_p = p > 0 ? p * log_p : 0;
  return power(1 - p, gamma) - gamma * power(1 - p, gamma - 1) * p_log_p;
}

/// A warp's statistics of its sample's logits: log p_c = (logits_c - largest) - log_sum.
struct LogSoftmax {
  const float* logits;
  double largest, log_sum;

  __device__ LogSoftmax(const float* row, std::int64_t classes) : logits(row) {
    float most = row[0];
    for (std::int64_t c = threadIdx.x; c < classes; c += kWarp) most = Max::join(row[c], most);
    largest = static_cast<double>(join_warp<Max>(most));
    double sum = 0;
    for (std::int64_t c = threadIdx.x; c < classes; c += kWarp) {
      sum += exp(static_cast<double>(row[c]) - largest);
    }
    log_sum = log(join_warp<Sum>(sum));
  }
  __device__ double operator()(std::int64_t c) const {
    return (static_cast<double>(logits[c]) - largest) - log_sum;
  }
};

/// h_c of  d loss / d logits_j = p_j sum_c h_c - h_j.
__device__ inline double gradient_coefficient(const Coefficients& coefficient,
                                              const LogSoftmax& log_p, std::int64_t c) {
  const double own = coefficient(c);
  const double gamma = coefficient.a.gamma;
  return gamma == 0 || own == 0 ? own : own * focal_slope(gamma, log_p(c));
}

__global__ void cross_entropy_kernel(CrossEntropyArguments a, float* losses, float* weights) {
  const std::int64_t row = blockIdx.x * static_cast<std::int64_t>(kRowsPerBlock) + threadIdx.y;
  if (row >= a.samples) return;
  const Coefficients coefficient(a, row);
  const LogSoftmax log_p(a.logits + row * a.classes, a.classes);
  double loss = 0;
  for (std::int64_t c = threadIdx.x; c < a.classes; c += kWarp) {
    double factor = coefficient(c);
    if (factor == 0.0) continue;  // 0 times an infinite logarithm is 0
    if (a.gamma != 0) factor *= focal_factor(a.gamma, log_p(c));
    if (factor != 0.0) loss -= factor * log_p(c);
  }
  loss = join_warp<Sum>(loss);
  if (threadIdx.x != 0) return;
  losses[row] = coefficient.impossible() ? nanf("") : static_cast<float>(loss);
  weights[row] = coefficient.weight();
}

__global__ void cross_entropy_backward_kernel(CrossEntropyArguments a, const float* scale,
                                              float* dlogits) {
  const std::int64_t row = blockIdx.x * static_cast<std::int64_t>(kRowsPerBlock) + threadIdx.y;
  if (row >= a.samples) return;
  const Coefficients coefficient(a, row);
  const LogSoftmax log_p(a.logits + row * a.classes, a.classes);
  double total = 0;
  for (std::int64_t c = threadIdx.x; c < a.classes; c += kWarp) {
    total += gradient_coefficient(coefficient, log_p, c);
  }
  total = join_warp<Sum>(total);
  if (coefficient.impossible()) total = nan("");
  const auto factor = static_cast<double>(scale[row]);
  for (std::int64_t c = threadIdx.x; c < a.classes; c += kWarp) {
    const double own = gradient_coefficient(coefficient, log_p, c);
    dlogits[row * a.classes + c] = static_cast<float>(factor * (exp(log_p(c)) * total - own));
  }
}

CrossEntropyArguments arguments_of(const char* name, const CrossEntropyLoss& loss) {
  check_dtype(name, "logits", loss.logits, DType::F32);
  check_dtype(name, "class_weights", loss.class_weights, DType::F32);
  const bool soft = loss.targets.dtype == DType::F32;
  if (!soft) check_dtype(name, "targets", loss.targets, DType::I64);
  return {loss.logits.f32(),
          soft ? nullptr : loss.targets.as<std::int64_t>(),
          soft ? loss.targets.f32() : nullptr,
          loss.class_weights.f32(),
          static_cast<double>(loss.label_smoothing),
          static_cast<double>(loss.focal_gamma),
          loss.logits.shape[0],
          loss.logits.shape[1],
          loss.ignore_index,
          loss.count_targets};
}

template <typename T, bool kLog>
void launch_softmax(ExecContext& ctx, const T* x, std::int64_t columns, std::int64_t length,
                    std::int64_t inner, T* y) {
  if (inner > 1) {
    launch(softmax_columns_kernel<T, kLog>, grid_for(columns, kWide), dim3(kWide), 0,
           stream_of(ctx), x, columns, length, inner, y);
  } else if (length > kWarpRow) {
    launch(softmax_rows_kernel<T, kLog, kWide>, grid_for(columns, 1), dim3(kWide), 0,
           stream_of(ctx), x, columns, length, y);
  } else {
    launch(softmax_rows_kernel<T, kLog, kWarp>, grid_for(columns, kRowsPerBlock),
           dim3(kWarp, kRowsPerBlock), 0, stream_of(ctx), x, columns, length, y);
  }
}

template <typename T, bool kLog>
void launch_softmax_backward(ExecContext& ctx, const T* y, const T* dy, std::int64_t columns,
                             std::int64_t length, std::int64_t inner, T* dx) {
  if (inner > 1) {
    launch(softmax_backward_columns_kernel<T, kLog>, grid_for(columns, kWide), dim3(kWide), 0,
           stream_of(ctx), y, dy, columns, length, inner, dx);
  } else if (length > kWarpRow) {
    launch(softmax_backward_rows_kernel<T, kLog, kWide>, grid_for(columns, 1), dim3(kWide), 0,
           stream_of(ctx), y, dy, columns, length, dx);
  } else {
    launch(softmax_backward_rows_kernel<T, kLog, kWarp>, grid_for(columns, kRowsPerBlock),
           dim3(kWarp, kRowsPerBlock), 0, stream_of(ctx), y, dy, columns, length, dx);
  }
}

}  // namespace

void run(ExecContext& ctx, const Softmax& op) {
  const Lanes& lanes = op.lanes;
  check_dtype(Softmax::kName, "y", op.y, op.x.dtype);
  if (lanes.outer * lanes.length * lanes.inner == 0) return;
  with_storage(Softmax::kName, op.x.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const auto softmax = op.log ? launch_softmax<T, true> : launch_softmax<T, false>;
    softmax(ctx, op.x.as<T>(), lanes.outer * lanes.inner, lanes.length, lanes.inner, op.y.as<T>());
  });
}

void run(ExecContext& ctx, const SoftmaxBackward& op) {
  const Lanes& lanes = op.lanes;
  check_dtype(SoftmaxBackward::kName, "dy", op.dy, op.y.dtype);
  check_dtype(SoftmaxBackward::kName, "dx", op.dx, op.y.dtype);
  if (lanes.outer * lanes.length * lanes.inner == 0) return;
  with_storage(SoftmaxBackward::kName, op.y.dtype, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const auto softmax =
        op.log ? launch_softmax_backward<T, true> : launch_softmax_backward<T, false>;
    softmax(ctx, op.y.as<T>(), op.dy.as<T>(), lanes.outer * lanes.inner, lanes.length, lanes.inner,
            op.dx.as<T>());
  });
}

void run(ExecContext& ctx, const CrossEntropy& op) {
  const CrossEntropyArguments a = arguments_of(CrossEntropy::kName, op.loss);
  if (a.samples == 0) return;
  launch(cross_entropy_kernel, grid_for(a.samples, kRowsPerBlock), dim3(kWarp, kRowsPerBlock), 0,
         stream_of(ctx), a, op.losses.f32(), op.weights.f32());
}

void run(ExecContext& ctx, const CrossEntropyBackward& op) {
  const CrossEntropyArguments a = arguments_of(CrossEntropyBackward::kName, op.loss);
  check_dtype(CrossEntropyBackward::kName, "scale", op.scale, DType::F32);
  if (a.samples == 0) return;
  launch(cross_entropy_backward_kernel, grid_for(a.samples, kRowsPerBlock),
         dim3(kWarp, kRowsPerBlock), 0, stream_of(ctx), a, op.scale.f32(), op.dlogits.f32());
}

}  // namespace hanok::cuda
