// The CUDA backend: checks element types, makes the device current, and calls one function per
// primitive. Nothing here synchronises, except in the debugging mode.
//
// Activations may be f32, f16 or bf16 (each family of functions throws DTypeError for types that it
// does not support); statistics, parameters of norms, losses and optimisers' state are f32.
#include "hanok/kernels/cuda/runtime/cuda_backend.h"

#include <cuda_runtime.h>
#include <string>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda/gemm/gemm.h"
#include "hanok/kernels/cuda/ops/batch_norm.h"
#include "hanok/kernels/cuda/ops/elementwise.h"
#include "hanok/kernels/cuda/ops/index.h"
#include "hanok/kernels/cuda/ops/layout.h"
#include "hanok/kernels/cuda/ops/loss_scale.h"
#include "hanok/kernels/cuda/ops/optimizer_step.h"
#include "hanok/kernels/cuda/ops/pool.h"
#include "hanok/kernels/cuda/ops/random.h"
#include "hanok/kernels/cuda/ops/reduce.h"
#include "hanok/kernels/cuda/ops/softmax_cross_entropy.h"
#include "hanok/kernels/cuda/runtime/cuda.h"
#include "hanok/kernels/operand_types.h"

namespace hanok::cuda {
namespace {

class CudaBackend final : public Backend, private OperandTypes {
 public:
  explicit CudaBackend(BackendParts parts) : OperandTypes("CUDA"), parts_(std::move(parts)) {}

  Device device() const override { return Device::cuda(parts_.device); }
  const char* name() const override { return parts_.name.c_str(); }

  // ---- memory and conversion ----

  void fill(ExecContext& ctx, View out, double value) override {
    run(ctx, "fill", [&] { cuda::fill(ctx, out, value); });
  }

  void strided_copy(ExecContext& ctx, StridedView dst, StridedConstView src) override {
    require("strided_copy", dst.dtype, src.dtype);
    run(ctx, "strided_copy", [&] { cuda::strided_copy(ctx, dst, src); });
  }

  void cast(ExecContext& ctx, View dst, ConstView src) override {
    run(ctx, "cast", [&] { cuda::cast(ctx, dst, src); });
  }

  void normalize_u8(ExecContext& ctx, ConstView x, ConstView mean, ConstView stddev,
                    View y) override {
    require("normalize_u8", DType::U8, {x});
    require_f32("normalize_u8", {mean, stddev});
    run(ctx, "normalize_u8", [&] { cuda::normalize_u8(ctx, x, mean, stddev, y); });
  }

  // ---- random ----

  void random_uniform(ExecContext& ctx, const RandomCall& call, float low, float high,
                      View out) override {
    require("random_uniform", DType::I64, {call.epoch_step});
    run(ctx, "random_uniform", [&] { cuda::random_uniform(ctx, call, low, high, out); });
  }

  void random_normal(ExecContext& ctx, const RandomCall& call, float mean, float stddev,
                     View out) override {
    require("random_normal", DType::I64, {call.epoch_step});
    run(ctx, "random_normal", [&] { cuda::random_normal(ctx, call, mean, stddev, out); });
  }

  void dropout(ExecContext& ctx, const RandomCall& call, float p, ConstView x, View y) override {
    require("dropout", DType::I64, {call.epoch_step});
    require_alike("dropout", {x, y});
    run(ctx, "dropout", [&] { cuda::dropout(ctx, call, p, x, y); });
  }

  // ---- elementwise ----

  void unary(ExecContext& ctx, UnaryOp op, UnaryParams params, ConstView x, View y) override {
    require_alike("unary", {x, y});
    run(ctx, "unary", [&] { cuda::unary(ctx, op, params, x, y); });
  }

  void unary_backward(ExecContext& ctx, UnaryOp op, UnaryParams params, ConstView x, ConstView y,
                      ConstView dy, View dx) override {
    require_alike("unary_backward", {x, y, dy, dx});
    run(ctx, "unary_backward", [&] { cuda::unary_backward(ctx, op, params, x, y, dy, dx); });
  }

  void binary(ExecContext& ctx, BinaryOp op, StridedConstView a, StridedConstView b,
              View out) override {
    require("binary", a.dtype, b.dtype);
    require("binary", a.dtype, out.dtype);
    run(ctx, "binary", [&] { cuda::binary(ctx, op, a, b, out); });
  }

  void add_scaled(ExecContext& ctx, float alpha, ConstView x, View y) override {
    require_alike("add_scaled", {x, y});
    run(ctx, "add_scaled", [&] { cuda::add_scaled(ctx, alpha, x, y); });
  }

  // ---- reductions ----

  void reduce(ExecContext& ctx, ReduceOp op, StridedConstView x, std::uint32_t dims,
              View out) override {
    run(ctx, "reduce", [&] { cuda::reduce(ctx, op, x, dims, out); });
  }

  void max_along(ExecContext& ctx, ConstView x, std::int64_t outer, std::int64_t length,
                 std::int64_t inner, View values, View indices) override {
    require_alike("max_along", {x, values});
    require("max_along", DType::I64, {indices});
    run(ctx, "max_along", [&] { cuda::max_along(ctx, x, outer, length, inner, values, indices); });
  }

  void scatter_along(ExecContext& ctx, ConstView dy, ConstView indices, std::int64_t outer,
                     std::int64_t length, std::int64_t inner, View dx) override {
    require_alike("scatter_along", {dy, dx});
    require("scatter_along", DType::I64, {indices});
    run(ctx, "scatter_along",
        [&] { cuda::scatter_along(ctx, dy, indices, outer, length, inner, dx); });
  }

  void topk(ExecContext& ctx, ConstView x, std::int64_t outer, std::int64_t length,
            std::int64_t inner, std::int64_t k, View values, View indices) override {
    require_alike("topk", {x, values});
    require("topk", DType::I64, indices.dtype);
    run(ctx, "topk", [&] { cuda::topk(ctx, x, outer, length, inner, k, values, indices); });
  }

  void l2_norm(ExecContext& ctx, const std::vector<ConstView>& xs, View out) override {
    for (const ConstView& x : xs) require_f32("l2_norm", {x});
    require_f32("l2_norm", {out});
    run(ctx, "l2_norm", [&] { cuda::l2_norm(ctx, xs, out); });
  }

  // ---- selection ----

  void select(ExecContext& ctx, StridedConstView condition, StridedConstView a, StridedConstView b,
              View out) override {
    require("select", DType::U8, condition.dtype);
    require("select", a.dtype, b.dtype);
    require("select", a.dtype, out.dtype);
    run(ctx, "select", [&] { cuda::select(ctx, condition, a, b, out); });
  }

  void gather(ExecContext& ctx, const GatherShape& shape, ConstView x, ConstView indices,
              View y) override {
    require("gather", x.dtype, y.dtype);
    require("gather", DType::I64, indices.dtype);
    run(ctx, "gather", [&] { cuda::gather(ctx, shape, x, indices, y); });
  }

  void gather_backward(ExecContext& ctx, const GatherShape& shape, ConstView dy, ConstView indices,
                       View dx) override {
    require_f32("gather_backward", {dy, dx});
    require("gather_backward", DType::I64, indices.dtype);
    run(ctx, "gather_backward", [&] { cuda::gather_backward(ctx, shape, dy, indices, dx); });
  }

  // ---- matrix products and convolutions ----

  void gemm(ExecContext& ctx, const GemmShape& shape, ConstView a, ConstView b,
            const Epilogue& epilogue, View c) override {
    require_fused("gemm", epilogue.activation);
    run(ctx, "gemm", [&] { parts_.product->multiply(ctx, shape, a, b, epilogue, c); });
  }

  std::size_t conv2d_workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return parts_.convolution->workspace_bytes(pass, shape);
  }

  const char* conv2d_algorithm(Conv2dPass pass, const Conv2dShape& shape) const override {
    return parts_.convolution->algorithm(pass, shape);
  }

  // Weights are read in place: nothing is packed.
  std::size_t conv2d_packed_bytes(Conv2dPass, const Conv2dShape&) const override { return 0; }
  Conv2dPackKey conv2d_pack_key(Conv2dPass, const Conv2dShape&) const override { return {}; }
  void conv2d_pack(ExecContext&, Conv2dPass, const Conv2dShape&, ConstView, void*) override {}

  void conv2d_forward(ExecContext& ctx, const Conv2dShape& shape, ConstView x, ConstView w,
                      const void*, const Epilogue& epilogue, View y) override {
    require_fused("conv2d_forward", epilogue.activation);
    run(ctx, "conv2d_forward", [&] { parts_.convolution->forward(ctx, shape, x, w, epilogue, y); });
  }

  void conv2d_backward_data(ExecContext& ctx, const Conv2dShape& shape, ConstView dy, ConstView w,
                            const void*, View dx) override {
    run(ctx, "conv2d_backward_data",
        [&] { parts_.convolution->backward_data(ctx, shape, dy, w, dx); });
  }

  void conv2d_backward_weights(ExecContext& ctx, const Conv2dShape& shape, ConstView x,
                               ConstView dy, View dw) override {
    run(ctx, "conv2d_backward_weights",
        [&] { parts_.convolution->backward_weights(ctx, shape, x, dy, dw); });
  }

  void sum_rows(ExecContext& ctx, ConstView x, std::int64_t rows, std::int64_t channels,
                View out) override {
    run(ctx, "sum_rows", [&] { cuda::sum_rows(ctx, x, rows, channels, out); });
  }

  // ---- batch norm ----

  void batch_norm_statistics(ExecContext& ctx, ConstView x, std::int64_t rows,
                             std::int64_t channels, View mean_var) override {
    require_f32("batch_norm_statistics", {mean_var});
    run(ctx, "batch_norm_statistics",
        [&] { cuda::batch_norm_statistics(ctx, x, rows, channels, mean_var); });
  }

  void batch_norm_apply(ExecContext& ctx, const BatchNormApply& op) override {
    require_alike("batch_norm_apply", {op.x, op.residual, op.y});
    require_f32("batch_norm_apply", {op.mean, op.invstd, op.gamma, op.beta});
    require_fused("batch_norm_apply", op.activation);
    run(ctx, "batch_norm_apply", [&] { cuda::batch_norm_apply(ctx, op); });
  }

  void batch_norm_backward(ExecContext& ctx, const BatchNormBackward& op) override {
    require_alike("batch_norm_backward", {op.x, op.y, op.dy, op.dx, op.dresidual});
    require_f32("batch_norm_backward",
                {op.mean, op.invstd, op.gamma, op.beta, op.dgamma, op.dbeta});
    run(ctx, "batch_norm_backward", [&] { cuda::batch_norm_backward(ctx, op); });
  }

  // ---- softmax and loss ----

  void softmax(ExecContext& ctx, bool log, ConstView x, std::int64_t outer, std::int64_t length,
               std::int64_t inner, View y) override {
    require_f32("softmax", {x, y});
    run(ctx, "softmax", [&] { cuda::softmax(ctx, log, x, outer, length, inner, y); });
  }

  void softmax_backward(ExecContext& ctx, bool log, ConstView y, ConstView dy, std::int64_t outer,
                        std::int64_t length, std::int64_t inner, View dx) override {
    require_f32("softmax_backward", {y, dy, dx});
    run(ctx, "softmax_backward",
        [&] { cuda::softmax_backward(ctx, log, y, dy, outer, length, inner, dx); });
  }

  void cross_entropy(ExecContext& ctx, const CrossEntropy& op, View losses, View weights) override {
    require_cross_entropy("cross_entropy", op);
    require_f32("cross_entropy", {losses, weights});
    run(ctx, "cross_entropy", [&] { cuda::cross_entropy(ctx, op, losses, weights); });
  }

  void cross_entropy_backward(ExecContext& ctx, const CrossEntropy& op, ConstView scale,
                              View dlogits) override {
    require_cross_entropy("cross_entropy_backward", op);
    require_f32("cross_entropy_backward", {scale, dlogits});
    run(ctx, "cross_entropy_backward",
        [&] { cuda::cross_entropy_backward(ctx, op, scale, dlogits); });
  }

  // ---- pooling ----

  void max_pool2d(ExecContext& ctx, const Pool2dShape& shape, ConstView x, View y,
                  View indices) override {
    require_alike("max_pool2d", {x, y});
    require("max_pool2d", DType::U8, {indices});
    run(ctx, "max_pool2d", [&] { cuda::max_pool2d(ctx, shape, x, y, indices); });
  }

  void max_pool2d_backward(ExecContext& ctx, const Pool2dShape& shape, ConstView dy,
                           ConstView indices, View dx) override {
    require_alike("max_pool2d_backward", {dy, dx});
    require("max_pool2d_backward", DType::U8, {indices});
    run(ctx, "max_pool2d_backward",
        [&] { cuda::max_pool2d_backward(ctx, shape, dy, indices, dx); });
  }

  void avg_pool2d(ExecContext& ctx, const Pool2dShape& shape, ConstView x, View y) override {
    require_alike("avg_pool2d", {x, y});
    run(ctx, "avg_pool2d", [&] { cuda::avg_pool2d(ctx, shape, x, y); });
  }

  void avg_pool2d_backward(ExecContext& ctx, const Pool2dShape& shape, ConstView dy,
                           View dx) override {
    require_alike("avg_pool2d_backward", {dy, dx});
    run(ctx, "avg_pool2d_backward", [&] { cuda::avg_pool2d_backward(ctx, shape, dy, dx); });
  }

  void adaptive_avg_pool2d(ExecContext& ctx, ConstView x, View y) override {
    require_alike("adaptive_avg_pool2d", {x, y});
    run(ctx, "adaptive_avg_pool2d", [&] { cuda::adaptive_avg_pool2d(ctx, x, y); });
  }

  void adaptive_avg_pool2d_backward(ExecContext& ctx, ConstView dy, View dx) override {
    require_alike("adaptive_avg_pool2d_backward", {dy, dx});
    run(ctx, "adaptive_avg_pool2d_backward",
        [&] { cuda::adaptive_avg_pool2d_backward(ctx, dy, dx); });
  }

  // ---- optimisers ----

  void sgd_step(ExecContext& ctx, const SgdStep& step,
                const std::vector<OptimizerSlot>& slots) override {
    require_optimizer_step("sgd_step", step, slots);
    run(ctx, "sgd_step", [&] { cuda::sgd_step(ctx, step, slots); });
  }

  void adam_step(ExecContext& ctx, const AdamStep& step,
                 const std::vector<OptimizerSlot>& slots) override {
    require_optimizer_step("adam_step", step, slots);
    run(ctx, "adam_step", [&] { cuda::adam_step(ctx, step, slots); });
  }

  void unscale(ExecContext& ctx, const std::vector<View>& gradients, ConstView scale,
               View found) override {
    for (const View& gradient : gradients) require_f32("unscale", {gradient});
    require_f32("unscale", {scale, found});
    run(ctx, "unscale", [&] { cuda::unscale(ctx, gradients, scale, found); });
  }

  void update_loss_scale(ExecContext& ctx, const LossScaleRule& rule, ConstView found, View scale,
                         View good_steps) override {
    require_f32("update_loss_scale", {found, scale});
    require("update_loss_scale", DType::I64, {good_steps});
    run(ctx, "update_loss_scale",
        [&] { cuda::update_loss_scale(ctx, rule, found, scale, good_steps); });
  }

 private:
  /// Every primitive is called through this function. An error names the op; with `synchronize`
  /// also one that the device reports later.
  template <typename Primitive>
  void run(ExecContext& ctx, const char* op, const Primitive& primitive) {
    try {
      check(cudaSetDevice(parts_.device), "cudaSetDevice");
      primitive();
      if (parts_.synchronize && !is_capturing(stream_of(ctx))) {
        check(cudaStreamSynchronize(stream_of(ctx)), "the device");
      }
    } catch (const DeviceError& error) {
      throw DeviceError(std::string(op) + " on " + device().to_string() + ": " + error.what());
    }
  }

  /// A ReLU6 requested through another backend's fuses_relu6() must not be dropped silently.
  void require_fused(const char* op, Activation activation) const {
    if (activation == Activation::Relu6) {
      throw ValueError(std::string(op) + " on " + device().to_string() +
                       ": ReLU6 is not fused here; it is a primitive of its own (clamp)");
    }
  }

  BackendParts parts_;
};

}  // namespace

std::unique_ptr<Backend> make_backend(BackendParts parts) {
  return std::make_unique<CudaBackend>(std::move(parts));
}

}  // namespace hanok::cuda
