// The CPU's side of the seam: checks element types, flushes denormals on the calling thread for the
// length of the call, and hands over to one function a primitive.
#include "hanok/kernels/cpu/cpu_backend.h"

#include "hanok/kernels/cpu/batch_norm.h"
#include "hanok/kernels/cpu/batch_norm_pool.h"
#include "hanok/kernels/cpu/conv2d/conv2d.h"
#include "hanok/kernels/cpu/conv2d/inverted_residual.h"
#include "hanok/kernels/cpu/elementwise.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/index.h"
#include "hanok/kernels/cpu/layout.h"
#include "hanok/kernels/cpu/loss_scale.h"
#include "hanok/kernels/cpu/optimizer_step.h"
#include "hanok/kernels/cpu/pool.h"
#include "hanok/kernels/cpu/random.h"
#include "hanok/kernels/cpu/reduce.h"
#include "hanok/kernels/cpu/softmax_cross_entropy.h"
#include "hanok/kernels/operand_types.h"

namespace hanok::cpu {
namespace {

class CpuBackend final : public Backend, private OperandTypes {
 public:
  explicit CpuBackend(Isa isa) : OperandTypes("the CPU"), isa_(isa) {}

  Device device() const override { return Device::cpu(); }
  const char* name() const override { return name_of(isa_); }
  bool fuses_relu6() const override { return true; }
  bool fuses_batch_norm_max_pool() const override { return true; }

  // ---- memory and conversion ----

  void fill(ExecContext& ctx, View out, double value) override {
    const FlushDenormals flush;
    cpu::fill(ctx, isa_, out, value);
  }

  void strided_copy(ExecContext& ctx, StridedView dst, StridedConstView src) override {
    require("strided_copy", dst.dtype, src.dtype);
    cpu::strided_copy(ctx, dst, src);
  }

  void cast(ExecContext& ctx, View dst, ConstView src) override {
    const FlushDenormals flush;
    cpu::cast(ctx, dst, src);
  }

  void normalize_u8(ExecContext& ctx, ConstView x, ConstView mean, ConstView stddev,
                    View y) override {
    const FlushDenormals flush;
    require("normalize_u8", DType::U8, {x});
    require_f32("normalize_u8", {mean, stddev, y});
    cpu::normalize_u8(ctx, x, mean, stddev, y);
  }

  // ---- random ----

  void random_uniform(ExecContext& ctx, const RandomCall& call, float low, float high,
                      View out) override {
    const FlushDenormals flush;
    require("random_uniform", DType::I64, {call.epoch_step});
    require_f32("random_uniform", {out});
    cpu::random_uniform(ctx, isa_, call, low, high, out);
  }

  void random_normal(ExecContext& ctx, const RandomCall& call, float mean, float stddev,
                     View out) override {
    const FlushDenormals flush;
    require("random_normal", DType::I64, {call.epoch_step});
    require_f32("random_normal", {out});
    cpu::random_normal(ctx, isa_, call, mean, stddev, out);
  }

  void dropout(ExecContext& ctx, const RandomCall& call, float p, ConstView x, View y) override {
    const FlushDenormals flush;
    require("dropout", DType::I64, {call.epoch_step});
    require_f32("dropout", {x, y});
    cpu::dropout(ctx, isa_, call, p, x, y);
  }

  // ---- elementwise ----

  void unary(ExecContext& ctx, UnaryOp op, UnaryParams params, ConstView x, View y) override {
    const FlushDenormals flush;
    require_f32("unary", {x, y});
    cpu::unary(ctx, isa_, op, params, x, y);
  }

  void unary_backward(ExecContext& ctx, UnaryOp op, UnaryParams params, ConstView x, ConstView y,
                      ConstView dy, View dx) override {
    const FlushDenormals flush;
    require_f32("unary_backward", {x, y, dy, dx});
    cpu::unary_backward(ctx, isa_, op, params, x, y, dy, dx);
  }

  void binary(ExecContext& ctx, BinaryOp op, StridedConstView a, StridedConstView b,
              View out) override {
    const FlushDenormals flush;
    require("binary", DType::F32, a.dtype);
    require("binary", DType::F32, b.dtype);
    require_f32("binary", {out});
    cpu::binary(ctx, isa_, op, a, b, out);
  }

  void add_scaled(ExecContext& ctx, float alpha, ConstView x, View y) override {
    const FlushDenormals flush;
    require_f32("add_scaled", {x, y});
    cpu::add_scaled(ctx, isa_, alpha, x, y);
  }

  // ---- reductions ----

  void reduce(ExecContext& ctx, ReduceOp op, StridedConstView x, std::uint32_t dims,
              View out) override {
    const FlushDenormals flush;
    require("reduce", DType::F32, x.dtype);
    require_f32("reduce", {out});
    cpu::reduce(ctx, isa_, op, x, dims, out);
  }

  void max_along(ExecContext& ctx, ConstView x, std::int64_t outer, std::int64_t length,
                 std::int64_t inner, View values, View indices) override {
    const FlushDenormals flush;
    require_f32("max_along", {x, values});
    require("max_along", DType::I64, {indices});
    cpu::max_along(ctx, x, outer, length, inner, values, indices);
  }

  void scatter_along(ExecContext& ctx, ConstView dy, ConstView indices, std::int64_t outer,
                     std::int64_t length, std::int64_t inner, View dx) override {
    const FlushDenormals flush;
    require_f32("scatter_along", {dy, dx});
    require("scatter_along", DType::I64, {indices});
    cpu::scatter_along(ctx, dy, indices, outer, length, inner, dx);
  }

  void topk(ExecContext& ctx, ConstView x, std::int64_t outer, std::int64_t length,
            std::int64_t inner, std::int64_t k, View values, View indices) override {
    const FlushDenormals flush;
    require_f32("topk", {x, values});
    require("topk", DType::I64, indices.dtype);
    cpu::topk(ctx, x, outer, length, inner, k, values, indices);
  }

  void l2_norm(ExecContext& ctx, const std::vector<ConstView>& xs, View out) override {
    const FlushDenormals flush;
    for (const ConstView& x : xs) {
      require_f32("l2_norm", {x});
    }
    require_f32("l2_norm", {out});
    cpu::l2_norm(ctx, isa_, xs, out);
  }

  // ---- choices ----

  void select(ExecContext& ctx, StridedConstView condition, StridedConstView a, StridedConstView b,
              View out) override {
    require("select", DType::U8, condition.dtype);
    require("select", DType::F32, a.dtype);
    require("select", DType::F32, b.dtype);
    require_f32("select", {out});
    cpu::select(ctx, condition, a, b, out);
  }

  void gather(ExecContext& ctx, const GatherShape& shape, ConstView x, ConstView indices,
              View y) override {
    require("gather", x.dtype, y.dtype);
    require("gather", DType::I64, indices.dtype);
    cpu::gather(ctx, shape, x, indices, y);
  }

  void gather_backward(ExecContext& ctx, const GatherShape& shape, ConstView dy, ConstView indices,
                       View dx) override {
    const FlushDenormals flush;
    require_f32("gather_backward", {dy, dx});
    require("gather_backward", DType::I64, indices.dtype);
    cpu::gather_backward(ctx, shape, dy, indices, dx);
  }

  // ---- matrix products and convolutions ----

  void gemm(ExecContext& ctx, const GemmShape& shape, ConstView a, ConstView b,
            const Epilogue& epilogue, View c) override {
    const FlushDenormals flush;
    require_f32("gemm", {a, b, c});
    require_f32_epilogue("gemm", epilogue);
    cpu::gemm(ctx, isa_, shape, a, b, epilogue, c);
  }

  std::size_t conv2d_workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return cpu::conv2d_workspace_bytes(isa_, pass, shape);
  }

  const char* conv2d_algorithm(Conv2dPass pass, const Conv2dShape& shape) const override {
    return cpu::conv2d_algorithm(isa_, pass, shape);
  }

  std::size_t conv2d_packed_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return cpu::conv2d_packed_bytes(isa_, pass, shape);
  }

  Conv2dPackKey conv2d_pack_key(Conv2dPass pass, const Conv2dShape& shape) const override {
    return cpu::conv2d_pack_key(isa_, pass, shape);
  }

  void conv2d_pack(ExecContext& ctx, Conv2dPass pass, const Conv2dShape& shape, ConstView w,
                   void* packed) override {
    const FlushDenormals flush;
    require_f32("conv2d_pack", {w});
    cpu::conv2d_pack(ctx, isa_, pass, shape, w, packed);
  }

  void conv2d_forward(ExecContext& ctx, const Conv2dShape& shape, ConstView x, ConstView w,
                      const void* packed, const Epilogue& epilogue, View y) override {
    const FlushDenormals flush;
    require_f32("conv2d_forward", {x, w, y});
    require_f32_epilogue("conv2d_forward", epilogue);
    cpu::conv2d_forward(ctx, isa_, shape, x, w, packed, epilogue, y);
  }

  bool fuses_inverted_residual(const InvertedResidualShape& shape) const override {
    return cpu::fuses_inverted_residual(shape);
  }

  void inverted_residual(ExecContext& ctx, const InvertedResidual& call) override {
    const FlushDenormals flush;
    require_f32("inverted_residual", {call.x, call.y});
    for (const FusedConvolution* part : {&call.expand, &call.depthwise, &call.project}) {
      require_f32("inverted_residual", {part->w});
      require_f32_epilogue("inverted_residual", part->epilogue);
    }
    cpu::inverted_residual(ctx, isa_, call);
  }

  void conv2d_backward_data(ExecContext& ctx, const Conv2dShape& shape, ConstView dy, ConstView w,
                            const void* packed, View dx) override {
    const FlushDenormals flush;
    require_f32("conv2d_backward_data", {dy, w, dx});
    cpu::conv2d_backward_data(ctx, isa_, shape, dy, w, packed, dx);
  }

  void conv2d_backward_weights(ExecContext& ctx, const Conv2dShape& shape, ConstView x,
                               ConstView dy, View dw) override {
    const FlushDenormals flush;
    require_f32("conv2d_backward_weights", {x, dy, dw});
    cpu::conv2d_backward_weights(ctx, isa_, shape, x, dy, dw);
  }

  void sum_rows(ExecContext& ctx, ConstView x, std::int64_t rows, std::int64_t channels,
                View out) override {
    const FlushDenormals flush;
    require_f32("sum_rows", {x, out});
    cpu::sum_rows(ctx, isa_, x, rows, channels, out);
  }

  // ---- batch norm ----

  void batch_norm_statistics(ExecContext& ctx, ConstView x, std::int64_t rows,
                             std::int64_t channels, View mean_var) override {
    const FlushDenormals flush;
    require_f32("batch_norm_statistics", {x, mean_var});
    cpu::batch_norm_statistics(ctx, isa_, x, rows, channels, mean_var);
  }

  void batch_norm_apply(ExecContext& ctx, const BatchNormApply& op) override {
    const FlushDenormals flush;
    require_f32("batch_norm_apply",
                {op.x, op.mean, op.invstd, op.gamma, op.beta, op.residual, op.y});
    cpu::batch_norm_apply(ctx, isa_, op);
  }

  void batch_norm_backward(ExecContext& ctx, const BatchNormBackward& op) override {
    const FlushDenormals flush;
    require_f32("batch_norm_backward", {op.x, op.y, op.dy, op.mean, op.invstd, op.gamma, op.beta,
                                        op.dx, op.dgamma, op.dbeta, op.dresidual});
    cpu::batch_norm_backward(ctx, isa_, op);
  }

  void batch_norm_max_pool(ExecContext& ctx, const BatchNormApply& op, const Pool2dShape& shape,
                           View indices) override {
    const FlushDenormals flush;
    require_f32("batch_norm_max_pool", {op.x, op.mean, op.invstd, op.gamma, op.beta, op.y});
    require("batch_norm_max_pool", DType::U8, {indices});
    cpu::batch_norm_max_pool(ctx, isa_, op, shape, indices);
  }

  void batch_norm_max_pool_backward(ExecContext& ctx, const BatchNormBackward& op,
                                    const Pool2dShape& shape, ConstView indices) override {
    const FlushDenormals flush;
    require_f32("batch_norm_max_pool_backward",
                {op.x, op.dy, op.mean, op.invstd, op.gamma, op.beta, op.dx, op.dgamma, op.dbeta});
    require("batch_norm_max_pool_backward", DType::U8, {indices});
    cpu::batch_norm_max_pool_backward(ctx, isa_, op, shape, indices);
  }

  // ---- softmax and loss ----

  void softmax(ExecContext& ctx, bool log, ConstView x, std::int64_t outer, std::int64_t length,
               std::int64_t inner, View y) override {
    const FlushDenormals flush;
    require_f32("softmax", {x, y});
    cpu::softmax(ctx, isa_, log, x, outer, length, inner, y);
  }

  void softmax_backward(ExecContext& ctx, bool log, ConstView y, ConstView dy, std::int64_t outer,
                        std::int64_t length, std::int64_t inner, View dx) override {
    const FlushDenormals flush;
    require_f32("softmax_backward", {y, dy, dx});
    cpu::softmax_backward(ctx, isa_, log, y, dy, outer, length, inner, dx);
  }

  void cross_entropy(ExecContext& ctx, const CrossEntropy& op, View losses, View weights) override {
    const FlushDenormals flush;
    require_cross_entropy("cross_entropy", op);
    require_f32("cross_entropy", {losses, weights});
    cpu::cross_entropy(ctx, isa_, op, losses, weights);
  }

  void cross_entropy_backward(ExecContext& ctx, const CrossEntropy& op, ConstView scale,
                              View dlogits) override {
    const FlushDenormals flush;
    require_cross_entropy("cross_entropy_backward", op);
    require_f32("cross_entropy_backward", {scale, dlogits});
    cpu::cross_entropy_backward(ctx, isa_, op, scale, dlogits);
  }

  // ---- pooling ----

  void max_pool2d(ExecContext& ctx, const Pool2dShape& shape, ConstView x, View y,
                  View indices) override {
    const FlushDenormals flush;
    require_f32("max_pool2d", {x, y});
    require("max_pool2d", DType::U8, {indices});
    cpu::max_pool2d(ctx, isa_, shape, x, y, indices);
  }

  void max_pool2d_backward(ExecContext& ctx, const Pool2dShape& shape, ConstView dy,
                           ConstView indices, View dx) override {
    const FlushDenormals flush;
    require_f32("max_pool2d_backward", {dy, dx});
    require("max_pool2d_backward", DType::U8, {indices});
    cpu::max_pool2d_backward(ctx, isa_, shape, dy, indices, dx);
  }

  void avg_pool2d(ExecContext& ctx, const Pool2dShape& shape, ConstView x, View y) override {
    const FlushDenormals flush;
    require_f32("avg_pool2d", {x, y});
    cpu::avg_pool2d(ctx, isa_, shape, x, y);
  }

  void avg_pool2d_backward(ExecContext& ctx, const Pool2dShape& shape, ConstView dy,
                           View dx) override {
    const FlushDenormals flush;
    require_f32("avg_pool2d_backward", {dy, dx});
    cpu::avg_pool2d_backward(ctx, isa_, shape, dy, dx);
  }

  void adaptive_avg_pool2d(ExecContext& ctx, ConstView x, View y) override {
    const FlushDenormals flush;
    require_f32("adaptive_avg_pool2d", {x, y});
    cpu::adaptive_avg_pool2d(ctx, isa_, x, y);
  }

  void adaptive_avg_pool2d_backward(ExecContext& ctx, ConstView dy, View dx) override {
    const FlushDenormals flush;
    require_f32("adaptive_avg_pool2d_backward", {dy, dx});
    cpu::adaptive_avg_pool2d_backward(ctx, isa_, dy, dx);
  }

  // ---- optimisers ----

  void sgd_step(ExecContext& ctx, const SgdStep& step,
                const std::vector<OptimizerSlot>& slots) override {
    const FlushDenormals flush;
    require_optimizer_step("sgd_step", step, slots);
    cpu::sgd_step(ctx, isa_, step, slots);
  }

  void adam_step(ExecContext& ctx, const AdamStep& step,
                 const std::vector<OptimizerSlot>& slots) override {
    const FlushDenormals flush;
    require_optimizer_step("adam_step", step, slots);
    cpu::adam_step(ctx, isa_, step, slots);
  }

  void unscale(ExecContext& /*ctx*/, const std::vector<View>& gradients, ConstView scale,
               View found) override {
    for (const View& gradient : gradients) require_f32("unscale", {gradient});
    require_f32("unscale", {scale, found});
    cpu::unscale(gradients, scale, found);
  }

  void update_loss_scale(ExecContext& /*ctx*/, const LossScaleRule& rule, ConstView found,
                         View scale, View good_steps) override {
    require_f32("update_loss_scale", {found, scale});
    require("update_loss_scale", DType::I64, {good_steps});
    cpu::update_loss_scale(rule, found, scale, good_steps);
  }

 private:
  Isa isa_;
};

}  // namespace

std::unique_ptr<Backend> make_backend(Isa isa) { return std::make_unique<CpuBackend>(isa); }

}  // namespace hanok::cpu
