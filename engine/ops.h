// Every public differentiable op, with its formula and shapes. Errors: ShapeError, DTypeError,
// DeviceError and ValueError name the op and all shapes. Tensors are f32 unless stated otherwise;
// all operands live on one device.
//
// Mixed precision: on CUDA, activations may also be f16 or bf16 (all operands of an op alike), and
// results have their type. Convolutions and matrix products make them so (precision.h); their
// weights and biases, scales and shifts of norms, and the gradients of all these stay f32. Softmax
// and losses widen what they get and are f32; layer norm, group norm and resizing compute in f32.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "hanok/engine/tensor.h"
#include "hanok/kernels/conv2d.h"
#include "hanok/kernels/epilogue.h"

#pragma GCC visibility push(default)
namespace hanok::ops {

/// x in another element type, converted as by Tensor::to; x itself if it has it already.
/// Differentiable between floating types.
Tensor cast(const Tensor& x, DType dtype);

// ---- arithmetic, with broadcasting (NumPy's rule) ----
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
/// scale * x + shift, with plain numbers.
Tensor affine(const Tensor& x, float scale, float shift);
Tensor neg(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor square(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
/// 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.
Tensor erf(const Tensor& x);
/// x^exponent; NaN for x < 0 and an exponent that is no integer.
Tensor pow(const Tensor& x, float exponent);
/// x limited to [low, high]; the gradient passes where low < x < high.
Tensor clamp(const Tensor& x, float low, float high);
/// a where condition is not 0, else b. condition is u8; all three broadcast.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// ---- activations ----
Tensor relu(const Tensor& x);
Tensor leaky_relu(const Tensor& x, float slope = 0.01F);
/// x where x > 0, else slope * x (He et al., Delving Deep into Rectifiers, 2015). slopes: f32 [C],
/// one for each channel of x [N,C,...], or [1] for x of any shape.
Tensor prelu(const Tensor& x, const Tensor& slopes);
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
/// x sigmoid(x).
Tensor silu(const Tensor& x);
/// x Phi(x), Phi the normal distribution function (the exact form, not the tanh one).
Tensor gelu(const Tensor& x);
/// x clamp(x + 3, 0, 6) / 6 and clamp(x + 3, 0, 6) / 6 (Howard et al., MobileNetV3, section 5.2).
Tensor hardswish(const Tensor& x);
Tensor hardsigmoid(const Tensor& x);

// ---- matrix products ----
/// [M,K] x [K,N] -> [M,N]; [B,M,K] x [B,K,N] -> [B,M,N].
Tensor matmul(const Tensor& a, const Tensor& b);
/// y = x w^T + b: x [N,I], w [O,I], b [O] or undefined -> [N,O].
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// ---- convolution and batch norm ----
/// x [N,C,H,W], weight [K,C/groups,R,S], bias [K] or undefined -> [N,K,P,Q].
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Window2d& window = {}, std::int64_t groups = 1);

/// Where a convolution's zeros go. Window: window.pad_h rows above and below, window.pad_w columns
/// left and right. Same: TensorFlow's SAME, whose P = ceil(H / stride_h) rows of outputs need
///   max((P - 1) stride_h + dilation_h (R - 1) + 1 - H, 0)
/// rows of zeros, the smaller half of them above, the larger below; columns likewise.
enum class Padding { Window, Same };
struct Conv2dArguments {
  Tensor weight{}, bias{};  // bias may be undefined
  Window2d window{};        // with Padding::Same without padding of its own
  std::int64_t groups = 1;
  Padding padding = Padding::Window;
};
/// The same op. Throws ValueError where a window with padding of its own meets Padding::Same.
Tensor conv2d(const Tensor& x, const Conv2dArguments& conv);

/// x [N,C,L], weight [K,C/groups,S], bias [K] or undefined -> [N,K,(L + 2 padding - dilation (S-1)
/// - 1) / stride + 1].
struct Window1d {
  std::int64_t stride = 1, padding = 0, dilation = 1;
};
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Window1d& window = {}, std::int64_t groups = 1);
/// The adjoint of conv2d in its input: x [N,C,H,W], weight [C,K/groups,R,S], bias [K] or undefined
/// -> [N,K,P,Q], P = (H-1) stride - 2 pad + dilation (R-1) + output_pad_h + 1, likewise Q. The
/// output padding (below stride or dilation) picks one of the sizes that conv2d maps to H; that of
/// the width is that of the height if it is -1.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const Window2d& window = {}, std::int64_t groups = 1,
                        std::int64_t output_pad_h = 0, std::int64_t output_pad_w = -1);

/// Parameters and running statistics of a batch norm over channels (dimension 1).
struct BatchNormState {
  Tensor weight{}, bias{};               // gamma, beta [C]; undefined: 1 and 0
  Tensor running_mean{}, running_var{};  // [C]; undefined: always use the batch's statistics
  Tensor num_batches_tracked{};          // i64 [] or undefined
  bool training = true;   // true: the batch's statistics, and update the running ones at commit
  double momentum = 0.1;  // negative: cumulative average
  double epsilon = 1e-5;
};
/// x [N,C], [N,C,L] or [N,C,H,W] -> same shape: (x - mean) / sqrt(var + epsilon) * weight + bias.
/// Running var is unbiased, as PyTorch's.
Tensor batch_norm(const Tensor& x, const BatchNormState& state);

/// activation(batch_norm(conv2d(x)) + residual) as one op; its meaning is exactly that composition.
/// In evaluation (or with a frozen batch norm) BN folds into the convolution's epilogue and no
/// intermediate exists.
Tensor conv_bn_act(const Tensor& x, const Conv2dArguments& conv, const BatchNormState& bn,
                   const Tensor& residual = {}, Activation activation = Activation::Relu);

struct ConvNorm {
  Conv2dArguments conv{};
  BatchNormState bn{};
};
/// Whether inverted_residual computes these layers over x in one go: the layers' shapes are such,
/// nothing is recorded, the statistics are the running ones, and the device gains by it.
bool fuses_inverted_residual(const Tensor& x, const std::vector<ConvNorm>& layers, bool residual);
/// MobileNetV2's block in evaluation: a 1x1 convolution that widens (may be missing), a depthwise
/// 3x3, a 1x1 that narrows, each with its batch norm, all but the last one with ReLU6; plus x if
/// `residual`. The same bits as conv_bn_act for one layer after the other. Throws ValueError where
/// fuses_inverted_residual says no.
Tensor inverted_residual(const Tensor& x, const std::vector<ConvNorm>& layers, bool residual);

/// max_pool2d(relu(batch_norm(conv2d(x)))) as one op; its meaning is exactly that composition.
/// Where the device can, the batch norm's output, as large as the convolution's, exists neither
/// forward nor backward: a network's stem.
Tensor conv_bn_relu_max_pool2d(const Tensor& x, const Conv2dArguments& conv,
                               const BatchNormState& bn, std::int64_t kernel_h,
                               std::int64_t kernel_w, const Window2d& window);

// ---- other norms: (x - mean) / sqrt(var + epsilon) weight + bias, biased variance ----
/// Statistics over the last `dims` dimensions; weight and bias have their sizes, or are undefined.
Tensor layer_norm(const Tensor& x, int dims, const Tensor& weight = {}, const Tensor& bias = {},
                  double epsilon = 1e-5);
/// x [N,C,H,W]: statistics over the channels of each pixel; weight and bias [C] or undefined (what
/// ConvNeXt calls LayerNorm2d).
Tensor layer_norm_channels(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                           double epsilon = 1e-6);
/// x [N,C] or [N,C,L] or [N,C,H,W]: statistics over C/groups channels and all pixels; weight and
/// bias [C] or undefined. One channel a group: instance norm.
Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight = {},
                  const Tensor& bias = {}, double epsilon = 1e-5);

// ---- pooling ----
/// x [N,C,H,W] -> [N,C,P,Q]; padding counts as minus infinity. At most 255 taps.
/// PoolSize::Ceil is PyTorch's ceil_mode.
Tensor max_pool2d(const Tensor& x, std::int64_t kernel_h, std::int64_t kernel_w,
                  const Window2d& window, PoolSize rounding = PoolSize::Floor);
/// What lies beyond the padding counts in no mean.
Tensor avg_pool2d(const Tensor& x, std::int64_t kernel_h, std::int64_t kernel_w,
                  const Window2d& window, bool count_include_pad = true,
                  PoolSize rounding = PoolSize::Floor);
/// x [N,C,H,W] -> [N,C,out_h,out_w].
Tensor adaptive_avg_pool2d(const Tensor& x, std::int64_t out_h, std::int64_t out_w);

// ---- resizing: x [N,C,H,W] -> [N,C,out_h,out_w] ----
// As PyTorch's F.interpolate. Where `scale` is given (> 0), 1/scale stands for H/P and W/Q: they
// differ where the scaled size was rounded.
/// Output pixel p is input pixel floor(p H / P), likewise for W.
Tensor upsample_nearest2d(const Tensor& x, std::int64_t out_h, std::int64_t out_w,
                          double scale = 0);
/// Linear interpolation at (p + 1/2) H/P - 1/2, or at p (H-1)/(P-1) if corners are aligned; clamped
/// at the border, no antialiasing.
Tensor upsample_bilinear2d(const Tensor& x, std::int64_t out_h, std::int64_t out_w,
                           bool align_corners = false, double scale = 0);

// ---- softmax and losses ----
Tensor softmax(const Tensor& x, int dim);
Tensor log_softmax(const Tensor& x, int dim);

enum class Reduction { Mean, Sum, None };
struct CrossEntropyOptions {
  Tensor class_weights{};     // [C] or undefined
  float label_smoothing = 0;  // in [0,1]
  Reduction reduction =
      Reduction::Mean;  // Mean divides by the sum of the targets' class weights, as PyTorch's
  std::int64_t ignore_index = -100;  // targets of this value have loss 0 and count nowhere
  /// Replaces the mean's divisor, so that micro-batches add up to one batch's mean.
  std::optional<double> denominator{};
};
/// logits [N,C]; targets i64 [N] or f32 [N,C] -> [] (or [N] without reduction). The mean over
/// targets that are all ignored, or whose weights are all 0, is NaN. Throws ValueError for a target
/// that is neither ignore_index nor one of 0..C-1; on a GPU, whose values the host does not see,
/// its loss and gradient are NaN.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options = {});

/// sum_c alpha_c t_c (1 - p_c)^gamma (-log p_c) for the probabilities p = softmax(logits) and
/// targets t: for one class it is the formula of Lin et al. (Focal Loss for Dense Object Detection,
/// 2017, equation 5). It is linear in t, so the loss of a mixed target is the mixture of its
/// classes' losses, as mixup defines it (Zhang et al., 2018). With gamma 0 it is cross_entropy().
/// Mean divides by the number of targets that are not ignored, or by `denominator`.
struct FocalLossOptions {
  float gamma = 2;            // 0 or above
  Tensor alpha{};             // [C] or undefined: 1
  float label_smoothing = 0;  // in [0,1]: t becomes (1 - label_smoothing) t + label_smoothing / C
  Reduction reduction = Reduction::Mean;
  std::int64_t ignore_index = -100;
  std::optional<double> denominator{};
};
/// Shapes, types and errors are those of cross_entropy().
Tensor focal_loss(const Tensor& logits, const Tensor& targets,
                  const FocalLossOptions& options = {});
/// (x - target)^2, |x - target|: same shapes. Mean divides by the number of elements.
Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::Mean);
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::Mean);
/// Binary cross-entropy -t log s - (1-t) log(1-s), s = sigmoid(logit), t in [0,1].
Tensor bce_with_logits(const Tensor& logits, const Tensor& targets,
                       Reduction reduction = Reduction::Mean);
/// Kullback-Leibler divergence sum q (log q - log p) of log-probabilities [N,C] from probabilities
/// [N,C]; 0 where q is 0. Mean divides by N ("batchmean").
Tensor kl_div(const Tensor& log_probabilities, const Tensor& targets,
              Reduction reduction = Reduction::Mean);

// ---- regularisation ----
/// Training: zero with probability p, else x / (1-p). Not training: x itself.
Tensor dropout(const Tensor& x, float p, bool training);

// ---- reductions; `dims` empty: all dimensions ----
Tensor sum(const Tensor& x, const std::vector<int>& dims = {}, bool keep_dims = false);
Tensor mean(const Tensor& x, const std::vector<int>& dims = {}, bool keep_dims = false);
/// Sum of (x - mean)^2 divided by count - correction (1: unbiased), and its root, whose gradient is
/// 0 where it is 0. Throw ShapeError unless the count is above the correction.
Tensor var(const Tensor& x, const std::vector<int>& dims = {}, bool keep_dims = false,
           double correction = 1);
Tensor std(const Tensor& x, const std::vector<int>& dims = {}, bool keep_dims = false,
           double correction = 1);
/// Maximum along one dimension and its index (i64, outside the graph); the first one on ties.
std::pair<Tensor, Tensor> max(const Tensor& x, int dim, bool keep_dim = false);
/// Index of the maximum along one dimension, i64; the first one on ties.
Tensor argmax(const Tensor& x, int dim);

/// The k largest along one dimension, largest first, and their indices (i64, outside the graph);
/// the first one on ties.
std::pair<Tensor, Tensor> topk(const Tensor& x, std::int64_t k, int dim);

// ---- indices: i64, 0 to size-1 ----
/// y[..., j, ...] = x[..., indices[j], ...] along `dim`; indices [J].
Tensor index_select(const Tensor& x, int dim, const Tensor& indices);
/// y[..., j, ...] = x[..., indices[..., j, ...], ...] along `dim`; indices have x's sizes but in
/// `dim`.
Tensor gather(const Tensor& x, int dim, const Tensor& indices);
/// Rows of table [V,D]: indices of any shape -> that shape + [D]. The table's gradient is zero in
/// row `padding_index` (-1: no such row).
Tensor embedding(const Tensor& indices, const Tensor& table, std::int64_t padding_index = -1);

// ---- shape; logical (NCHW) meaning, copying only where the memory order demands it ----
/// One size may be -1: inferred.
Tensor reshape(const Tensor& x, const std::vector<std::int64_t>& sizes);
Tensor flatten(const Tensor& x, int start_dim = 0, int end_dim = -1);
/// Result dimension i is x's dimension order[i].
Tensor permute(const Tensor& x, const std::vector<int>& order);
Tensor transpose(const Tensor& x, int dim_a, int dim_b);
/// Elements [begin, end) along `dim`.
Tensor slice(const Tensor& x, int dim, std::int64_t begin, std::int64_t end);
Tensor concat(const std::vector<Tensor>& xs, int dim);
Tensor unsqueeze(const Tensor& x, int dim);
Tensor squeeze(const Tensor& x, int dim);

}  // namespace hanok::ops

namespace hanok {
inline Tensor operator+(const Tensor& a, const Tensor& b) { return ops::add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return ops::sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return ops::mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return ops::div(a, b); }
inline Tensor operator-(const Tensor& a) { return ops::neg(a); }
inline Tensor operator+(const Tensor& a, float b) { return ops::affine(a, 1, b); }
inline Tensor operator-(const Tensor& a, float b) { return ops::affine(a, 1, -b); }
inline Tensor operator*(const Tensor& a, float b) { return ops::affine(a, b, 0); }
inline Tensor operator/(const Tensor& a, float b) { return ops::affine(a, 1.0F / b, 0); }
}  // namespace hanok
#pragma GCC visibility pop
