// The seam between the engine and the devices: one abstract class, one virtual call per op.
//
// Rules that hold for every function:
// - Views are dense (view.h): rank 4 lies in memory as N,H,W,C. Outputs are allocated by the caller
//   and never alias inputs unless the comment allows it ("in place").
// - Arguments were checked by engine/ops; a backend throws only for what it does not support
//   (DTypeError), cannot get (OutOfMemory) or, on the CPU, meets in the data: a target beyond the
//   classes (ValueError).
// - Results are the same bits for any thread count and for every run on the same instruction-set
//   path.
// - Values that change from step to step (learning rate, counters) are one-element tensors on the
//   device, never host scalars, so that a captured step can be replayed.
//
// Adding an op: declare it here, implement it in one file of kernels/cpu (and kernels/cuda), call
// it from one file of engine/ops, test it in tests/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "hanok/kernels/base/device.h"
#include "hanok/kernels/base/philox.h"
#include "hanok/kernels/base/view.h"
#include "hanok/kernels/conv2d.h"
#include "hanok/kernels/epilogue.h"
#include "hanok/kernels/exec_context.h"
#include "hanok/kernels/inverted_residual.h"
#include "hanok/kernels/op_kind.h"

namespace hanok {

struct UnaryParams {
  float alpha = 0;
  float beta = 0;
};

/// C [m,n] = A [m,k] * B [k,n] (+ C if accumulate), then the epilogue with n as the channel.
/// Row-major. transpose_a: A is stored [k,m]; transpose_b: B is stored [n,k]. `batch` independent
/// products lie `stride_*` elements apart. lda/ldb/ldc: elements per stored row.
struct GemmShape {
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  std::int64_t lda = 0, ldb = 0, ldc = 0;
  bool accumulate = false;
  std::int64_t batch = 1, stride_a = 0, stride_b = 0, stride_c = 0;
};

enum class Conv2dPass { Forward, BackwardData, BackwardWeights };

/// Tells packed forms of weights apart: where two convolutions have equal keys, they read the same
/// packed weights.
struct Conv2dPackKey {
  std::string_view backend;    // Backend::name()
  std::string_view algorithm;  // as Backend::conv2d_algorithm names it
  Conv2dPass pass = Conv2dPass::Forward;
  std::int64_t groups = 1;
  Window2d phases;  // where the order depends on it: the window, padding modulo stride
  std::size_t bytes = 0;

  bool operator==(const Conv2dPackKey&) const = default;
};

/// Picks along one dimension: x is seen as [outer, length, inner], the result as [outer, count,
/// inner]. Indices are i64 in [0, length): [count] if they are shared by all lanes, else of the
/// result's shape.
struct GatherShape {
  std::int64_t outer = 1, length = 0, count = 0, inner = 1;
  bool shared = false;
};

/// Batch norm of x seen as [rows, channels] (rows = N*H*W or N) in the training direction, fused
/// with residual and ReLU.
///   xhat = (x - mean) * invstd;  y = activation(gamma * xhat + beta + residual)
struct BatchNormApply {
  ConstView x;
  ConstView mean, invstd;  // f32 [C]
  ConstView gamma, beta;   // f32 [C]; undefined: 1 and 0
  ConstView residual;      // undefined: none
  Activation activation = Activation::None;
  View y;  // may be x (in place)
};

/// Its backward. g = dy where activation let it pass (y > 0), else 0.
///   dbeta = sum g; dgamma = sum g*xhat; dresidual = g
///   training:           dx = gamma*invstd * (g - dbeta/rows - xhat*dgamma/rows)
///   frozen statistics:  dx = gamma*invstd * g
struct BatchNormBackward {
  ConstView x, y, dy;
  ConstView mean, invstd, gamma;
  /// Where activation is Relu, g needs y > 0: from y or, if y is undefined, computed again from x,
  /// gamma and beta (undefined: 1 and 0), bit for bit as batch_norm_apply did without a residual.
  ConstView beta;
  Activation activation = Activation::None;
  bool frozen_statistics = false;
  View dx;             // undefined: not wanted; may be dy, x or y (in place)
  View dgamma, dbeta;  // f32 [C]; undefined: not wanted
  View dresidual;      // undefined: not wanted; may be dy unless dx is
};

struct CrossEntropy {
  ConstView logits;         // f32 [N,C]
  ConstView targets;        // i64 [N], or f32 [N,C] probabilities (soft targets)
  ConstView class_weights;  // f32 [C]; undefined: 1
  float label_smoothing = 0;
};

/// One parameter in a fused optimiser sweep; all views are f32 and of equal shape. Undefined state
/// views are not used.
struct OptimizerSlot {
  View parameter;
  ConstView gradient;
  View state_a;  // SGD: momentum buffer. Adam: first moment
  View state_b;  // Adam: second moment
};

struct SgdStep {
  ConstView learning_rate;  // f32 [1]
  ConstView step;           // i64 [1]: 1 for the first step (which initialises the momentum buffer)
  ConstView skip;           // f32 [1]: unless it is 0, nothing is written; undefined: 0
  double momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
};

struct AdamStep {
  ConstView learning_rate;  // f32 [1]
  ConstView step;           // i64 [1]: 1 for the first step
  ConstView skip;           // f32 [1]: unless it is 0, nothing is written; undefined: 0
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
  bool decoupled = false;  // true: AdamW
};

/// How a loss scale follows what it finds.
struct LossScaleRule {
  double growth = 2, backoff = 0.5;
  std::int64_t interval = 2000;  // finite steps until it grows
};

/// Random numbers of one op call: lane = element index / 4, word = element index % 4.
struct RandomCall {
  PhiloxKey key{};
  ConstView epoch_step;  // i64 [2] on the device: (epoch, step)
  std::uint32_t draw = 0;
};

/// One of the convolutions of a primitive that computes several.
struct FusedConvolution {
  ConstView w;
  const void* packed = nullptr;  // as conv2d_pack made it for the forward pass; null: from w
  Epilogue epilogue;
};

/// MobileNetV2's block (inverted_residual.h) with the epilogues that its batch norms fold into.
struct InvertedResidual {
  InvertedResidualShape shape;
  ConstView x;
  FusedConvolution expand, depthwise, project;  // expand: only if shape.expands
  View y;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Device device() const = 0;
  /// The instruction-set path or device name, e.g. "avx2", "portable": part of what results depend
  /// on.
  virtual const char* name() const = 0;
  /// Whether epilogues take Activation::Relu6.
  virtual bool fuses_relu6() const { return false; }

  // ---- memory and conversion ----
  virtual void fill(ExecContext&, View out, double value) = 0;
  /// dst = src element by element; equal sizes, any strides, equal types.
  virtual void strided_copy(ExecContext&, StridedView dst, StridedConstView src) = 0;
  /// Converts between types (round to nearest even), same shape.
  virtual void cast(ExecContext&, View dst, ConstView src) = 0;
  /// u8 [N,C,H,W] -> f32: (x/255 - mean[c]) / std[c]; mean and std are f32 [C].
  virtual void normalize_u8(ExecContext&, ConstView x, ConstView mean, ConstView stddev,
                            View y) = 0;

  // ---- random ----
  virtual void random_uniform(ExecContext&, const RandomCall&, float low, float high, View out) = 0;
  virtual void random_normal(ExecContext&, const RandomCall&, float mean, float stddev,
                             View out) = 0;
  /// y = x * mask / (1-p), mask drawn anew from the same call in the backward direction.
  virtual void dropout(ExecContext&, const RandomCall&, float p, ConstView x, View y) = 0;

  // ---- elementwise; f32 ----
  virtual void unary(ExecContext&, UnaryOp, UnaryParams, ConstView x, View y) = 0;
  /// dx = dy * f'(x). Ops whose derivative needs only y (Relu, Sigmoid, Tanh, Exp, Sqrt,
  /// Reciprocal) get x undefined.
  virtual void unary_backward(ExecContext&, UnaryOp, UnaryParams, ConstView x, ConstView y,
                              ConstView dy, View dx) = 0;
  /// out = a op b over out's dense sizes in memory order; a and b have out's sizes with stride 0
  /// where they broadcast.
  virtual void binary(ExecContext&, BinaryOp, StridedConstView a, StridedConstView b, View out) = 0;
  /// y += alpha * x, same shape. In place.
  virtual void add_scaled(ExecContext&, float alpha, ConstView x, View y) = 0;

  // ---- reductions; f32 in f32 out, accumulated in double or pairwise in a fixed order ----
  /// Reduces the dimensions of `x` (dense, memory order sizes) whose bit is set in `dims`; out
  /// holds the others, dense.
  virtual void reduce(ExecContext&, ReduceOp, StridedConstView x, std::uint32_t dims, View out) = 0;
  /// x seen as [outer, length, inner]: maximum over length (first one on ties) and its index (i64).
  virtual void max_along(ExecContext&, ConstView x, std::int64_t outer, std::int64_t length,
                         std::int64_t inner, View values, View indices) = 0;
  /// dx [outer,length,inner] = 0, then dx[o, indices[o,i], i] = dy[o,i].
  virtual void scatter_along(ExecContext&, ConstView dy, ConstView indices, std::int64_t outer,
                             std::int64_t length, std::int64_t inner, View dx) = 0;
  /// The k largest along length, largest first, equal ones by index: values and indices (i64)
  /// [outer,k,inner]. NaN counts as largest.
  virtual void topk(ExecContext&, ConstView x, std::int64_t outer, std::int64_t length,
                    std::int64_t inner, std::int64_t k, View values, View indices) = 0;
  /// Square root of the sum of squares over all views, accumulated in double; out f32 [1].
  virtual void l2_norm(ExecContext&, const std::vector<ConstView>& xs, View out) = 0;

  // ---- choices ----
  /// out = a where condition (u8) is not 0, else b; f32, over out's dense sizes in memory order,
  /// the others with stride 0 where they broadcast.
  virtual void select(ExecContext&, StridedConstView condition, StridedConstView a,
                      StridedConstView b, View out) = 0;
  /// y[o,j,i] = x[o, index, i]; any type.
  virtual void gather(ExecContext&, const GatherShape&, ConstView x, ConstView indices, View y) = 0;
  /// f32: dx = 0, then dx[o, index, i] += dy[o,j,i] in order of j.
  virtual void gather_backward(ExecContext&, const GatherShape&, ConstView dy, ConstView indices,
                               View dx) = 0;

  // ---- matrix products and convolutions ----
  // f32; on CUDA also f16 or bf16, all operands alike, summed in f32. Scale, shift and moments of
  // an epilogue and the gradients of weights are f32 always; a product of 16-bit operands may be
  // written as f32.
  virtual void gemm(ExecContext&, const GemmShape&, ConstView a, ConstView b, const Epilogue&,
                    View c) = 0;
  /// Scratch that a call will take from the workspace, so that the engine can plan for it.
  virtual std::size_t conv2d_workspace_bytes(Conv2dPass, const Conv2dShape&) const = 0;
  /// Name of the algorithm chosen: a pure function of its arguments and name().
  virtual const char* conv2d_algorithm(Conv2dPass, const Conv2dShape&) const = 0;
  /// Bytes of the packed form of the weights for this shape; 0 where the algorithm uses them as
  /// they are.
  virtual std::size_t conv2d_packed_bytes(Conv2dPass, const Conv2dShape&) const = 0;
  /// What packed weights of this shape are kept under. Only where conv2d_packed_bytes isn't 0.
  virtual Conv2dPackKey conv2d_pack_key(Conv2dPass, const Conv2dShape&) const = 0;
  virtual void conv2d_pack(ExecContext&, Conv2dPass, const Conv2dShape&, ConstView w,
                           void* packed) = 0;
  /// `packed` may be null: then the weights are packed into scratch first.
  virtual void conv2d_forward(ExecContext&, const Conv2dShape&, ConstView x, ConstView w,
                              const void* packed, const Epilogue&, View y) = 0;
  virtual void conv2d_backward_data(ExecContext&, const Conv2dShape&, ConstView dy, ConstView w,
                                    const void* packed, View dx) = 0;
  virtual void conv2d_backward_weights(ExecContext&, const Conv2dShape&, ConstView x, ConstView dy,
                                       View dw) = 0;
  /// Whether inverted_residual computes this shape faster than conv2d_forward for one convolution
  /// after the other. Both give the same bits.
  virtual bool fuses_inverted_residual(const InvertedResidualShape&) const { return false; }
  /// The block's convolutions without their tensors between. Only where
  /// fuses_inverted_residual says so.
  virtual void inverted_residual(ExecContext&, const InvertedResidual&);
  /// out[channel] = sum of x [rows, channels] over rows (the gradient of a bias).
  virtual void sum_rows(ExecContext&, ConstView x, std::int64_t rows, std::int64_t channels,
                        View out) = 0;

  // ---- batch norm; x is seen as [rows, channels] ----
  /// Per-channel mean and biased variance -> mean_var f32 [2,C]; blocks combined in double in index
  /// order.
  virtual void batch_norm_statistics(ExecContext&, ConstView x, std::int64_t rows,
                                     std::int64_t channels, View mean_var) = 0;
  virtual void batch_norm_apply(ExecContext&, const BatchNormApply&) = 0;
  virtual void batch_norm_backward(ExecContext&, const BatchNormBackward&) = 0;
  /// Whether the device has the next two; where not, the caller composes them.
  virtual bool fuses_batch_norm_max_pool() const { return false; }
  /// y = max pooling of the batch norm with its activation (None or Relu; no residual), whose own
  /// result is written nowhere. indices (undefined: not wanted) as max_pool2d's, 255 where the
  /// activation let nothing of the window pass.
  virtual void batch_norm_max_pool(ExecContext&, const BatchNormApply&, const Pool2dShape&,
                                   View indices);
  /// Its backward: dy is the pooled one, y and dresidual are undefined, dx may be x (in place).
  virtual void batch_norm_max_pool_backward(ExecContext&, const BatchNormBackward&,
                                            const Pool2dShape&, ConstView indices);

  // ---- softmax and loss; x is seen as [outer, length, inner], over length ----
  virtual void softmax(ExecContext&, bool log, ConstView x, std::int64_t outer, std::int64_t length,
                       std::int64_t inner, View y) = 0;
  virtual void softmax_backward(ExecContext&, bool log, ConstView y, ConstView dy,
                                std::int64_t outer, std::int64_t length, std::int64_t inner,
                                View dx) = 0;
  /// Per-sample losses [N] and per-sample weights [N] (class weight of the target; 1 for soft
  /// targets), as PyTorch defines them. A negative target is ignored: loss 0, weight 0.
  virtual void cross_entropy(ExecContext&, const CrossEntropy&, View losses, View weights) = 0;
  /// dlogits [N,C] = d(losses[i]) / d(logits) * scale[i]; scale f32 [N].
  virtual void cross_entropy_backward(ExecContext&, const CrossEntropy&, ConstView scale,
                                      View dlogits) = 0;

  // ---- pooling ----
  /// indices: u8 tap number r*S+s of the maximum within its window (windows of up to 255 taps); the
  /// first one on ties.
  virtual void max_pool2d(ExecContext&, const Pool2dShape&, ConstView x, View y, View indices) = 0;
  virtual void max_pool2d_backward(ExecContext&, const Pool2dShape&, ConstView dy,
                                   ConstView indices, View dx) = 0;
  virtual void avg_pool2d(ExecContext&, const Pool2dShape&, ConstView x, View y) = 0;
  virtual void avg_pool2d_backward(ExecContext&, const Pool2dShape&, ConstView dy, View dx) = 0;
  /// Output pixel i covers input pixels [floor(i*H/P), ceil((i+1)*H/P)), likewise for W.
  virtual void adaptive_avg_pool2d(ExecContext&, ConstView x, View y) = 0;
  virtual void adaptive_avg_pool2d_backward(ExecContext&, ConstView dy, View dx) = 0;

  // ---- optimisers: one fused sweep over all parameters ----
  virtual void sgd_step(ExecContext&, const SgdStep&, const std::vector<OptimizerSlot>&) = 0;
  virtual void adam_step(ExecContext&, const AdamStep&, const std::vector<OptimizerSlot>&) = 0;

  // ---- loss scaling: gradients of a loss that was multiplied by a power of two; f32 ----
  /// Divides all gradients by `scale` [1], in place; found [1] = 1 if one was infinite or NaN, else
  /// 0.
  virtual void unscale(ExecContext&, const std::vector<View>& gradients, ConstView scale,
                       View found) = 0;
  /// found not 0: scale *= backoff, good_steps (i64 [1]) = 0. Else ++good_steps, and where that is
  /// `interval`: scale *= growth unless that is infinite, good_steps = 0. PyTorch's GradScaler.
  virtual void update_loss_scale(ExecContext&, const LossScaleRule&, ConstView found, View scale,
                                 View good_steps) = 0;
};

}  // namespace hanok
