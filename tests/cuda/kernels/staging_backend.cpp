#include "tests/cuda/kernels/staging_backend.h"

#include <utility>
#include <vector>

#include "tests/cuda/kernels/staging.h"

namespace hanok::test {
namespace {

class StagingBackend final : public Backend {
 public:
  explicit StagingBackend(std::unique_ptr<Backend> backend) : inner_(std::move(backend)) {}
  Device device() const override { return inner_->device(); }
  const char* name() const override { return inner_->name(); }
  bool fuses_relu6() const override { return inner_->fuses_relu6(); }

  void fill(ExecContext& host, View out, double value) override {
    run(host, [&](ExecContext& ctx, Staging& s) { inner_->fill(ctx, s.out(out), value); });
  }
  void strided_copy(ExecContext& host, StridedView dst, StridedConstView src) override {
    run(host,
        [&](ExecContext& ctx, Staging& s) { inner_->strided_copy(ctx, s.out(dst), s.in(src)); });
  }
  void cast(ExecContext& host, View dst, ConstView src) override {
    run(host, [&](ExecContext& ctx, Staging& s) { inner_->cast(ctx, s.out(dst), s.in(src)); });
  }
  void normalize_u8(ExecContext& host, ConstView x, ConstView mean, ConstView stddev,
                    View y) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->normalize_u8(ctx, s.in(x), s.in(mean), s.in(stddev), s.out(y));
    });
  }

  void random_uniform(ExecContext& host, const RandomCall& call, float low, float high,
                      View out) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->random_uniform(ctx, staged(s, call), low, high, s.out(out));
    });
  }
  void random_normal(ExecContext& host, const RandomCall& call, float mean, float stddev,
                     View out) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->random_normal(ctx, staged(s, call), mean, stddev, s.out(out));
    });
  }
  void dropout(ExecContext& host, const RandomCall& call, float p, ConstView x, View y) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->dropout(ctx, staged(s, call), p, s.in(x), s.out(y));
    });
  }

  void unary(ExecContext& host, UnaryOp op, UnaryParams params, ConstView x, View y) override {
    run(host,
        [&](ExecContext& ctx, Staging& s) { inner_->unary(ctx, op, params, s.in(x), s.out(y)); });
  }
  void unary_backward(ExecContext& host, UnaryOp op, UnaryParams params, ConstView x, ConstView y,
                      ConstView dy, View dx) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->unary_backward(ctx, op, params, s.in(x), s.in(y), s.in(dy), s.out(dx));
    });
  }
  void binary(ExecContext& host, BinaryOp op, StridedConstView a, StridedConstView b,
              View out) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->binary(ctx, op, s.in(a), s.in(b), s.out(out));
    });
  }
  void add_scaled(ExecContext& host, float alpha, ConstView x, View y) override {
    run(host,
        [&](ExecContext& ctx, Staging& s) { inner_->add_scaled(ctx, alpha, s.in(x), s.out(y)); });
  }

  void reduce(ExecContext& host, ReduceOp op, StridedConstView x, std::uint32_t dims,
              View out) override {
    run(host,
        [&](ExecContext& ctx, Staging& s) { inner_->reduce(ctx, op, s.in(x), dims, s.out(out)); });
  }
  void max_along(ExecContext& host, ConstView x, std::int64_t outer, std::int64_t length,
                 std::int64_t inner, View values, View indices) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->max_along(ctx, s.in(x), outer, length, inner, s.out(values), s.out(indices));
    });
  }
  void scatter_along(ExecContext& host, ConstView dy, ConstView indices, std::int64_t outer,
                     std::int64_t length, std::int64_t inner, View dx) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->scatter_along(ctx, s.in(dy), s.in(indices), outer, length, inner, s.out(dx));
    });
  }
  void topk(ExecContext& host, ConstView x, std::int64_t outer, std::int64_t length,
            std::int64_t inner, std::int64_t k, View values, View indices) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->topk(ctx, s.in(x), outer, length, inner, k, s.out(values), s.out(indices));
    });
  }
  void l2_norm(ExecContext& host, const std::vector<ConstView>& xs, View out) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      std::vector<ConstView> all;
      for (const ConstView& x : xs) all.push_back(s.in(x));
      inner_->l2_norm(ctx, all, s.out(out));
    });
  }

  void select(ExecContext& host, StridedConstView condition, StridedConstView a, StridedConstView b,
              View out) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->select(ctx, s.in(condition), s.in(a), s.in(b), s.out(out));
    });
  }
  void gather(ExecContext& host, const GatherShape& shape, ConstView x, ConstView indices,
              View y) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->gather(ctx, shape, s.in(x), s.in(indices), s.out(y));
    });
  }
  void gather_backward(ExecContext& host, const GatherShape& shape, ConstView dy, ConstView indices,
                       View dx) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->gather_backward(ctx, shape, s.in(dy), s.in(indices), s.out(dx));
    });
  }

  void gemm(ExecContext& host, const GemmShape& g, ConstView a, ConstView b, const Epilogue& e,
            View c) override {
    // The views say no sizes: rows may be padded.
    const auto extent = [](std::int64_t rows, std::int64_t columns, std::int64_t ld,
                           std::int64_t batch, std::int64_t stride) {
      if (rows <= 0 || columns <= 0 || batch <= 0) return std::int64_t{0};
      return (batch - 1) * stride + (rows - 1) * ld + columns;
    };
    const std::int64_t a_size = g.transpose_a ? extent(g.k, g.m, g.lda, g.batch, g.stride_a)
                                              : extent(g.m, g.k, g.lda, g.batch, g.stride_a);
    const std::int64_t b_size = g.transpose_b ? extent(g.n, g.k, g.ldb, g.batch, g.stride_b)
                                              : extent(g.k, g.n, g.ldb, g.batch, g.stride_b);
    const std::int64_t c_size = extent(g.m, g.n, g.ldc, g.batch, g.stride_c);
    run(host, [&](ExecContext& ctx, Staging& s) {
      Epilogue epilogue = e;
      epilogue.scale = s.in(e.scale);
      epilogue.shift = s.in(e.shift);
      epilogue.residual = s.in(e.residual, c_size);
      epilogue.bn_mean_var = s.out(e.bn_mean_var);
      inner_->gemm(ctx, g, s.in(a, a_size), s.in(b, b_size), epilogue, s.out(c, c_size));
    });
  }
  std::size_t conv2d_workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return inner_->conv2d_workspace_bytes(pass, shape);
  }
  const char* conv2d_algorithm(Conv2dPass pass, const Conv2dShape& shape) const override {
    return inner_->conv2d_algorithm(pass, shape);
  }
  std::size_t conv2d_packed_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return inner_->conv2d_packed_bytes(pass, shape);
  }
  Conv2dPackKey conv2d_pack_key(Conv2dPass pass, const Conv2dShape& shape) const override {
    return inner_->conv2d_pack_key(pass, shape);
  }
  void conv2d_pack(ExecContext& host, Conv2dPass pass, const Conv2dShape& shape, ConstView w,
                   void* packed) override {
    inner_->conv2d_pack(host, pass, shape, w, packed);
  }
  void conv2d_forward(ExecContext& host, const Conv2dShape& shape, ConstView x, ConstView w,
                      const void* packed, const Epilogue& e, View y) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      Epilogue epilogue = e;
      epilogue.scale = s.in(e.scale);
      epilogue.shift = s.in(e.shift);
      epilogue.residual = s.in(e.residual);
      epilogue.bn_mean_var = s.out(e.bn_mean_var);
      inner_->conv2d_forward(ctx, shape, s.in(x), s.in(w), packed, epilogue, s.out(y));
    });
  }
  void conv2d_backward_data(ExecContext& host, const Conv2dShape& shape, ConstView dy, ConstView w,
                            const void* packed, View dx) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->conv2d_backward_data(ctx, shape, s.in(dy), s.in(w), packed, s.out(dx));
    });
  }
  void conv2d_backward_weights(ExecContext& host, const Conv2dShape& shape, ConstView x,
                               ConstView dy, View dw) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->conv2d_backward_weights(ctx, shape, s.in(x), s.in(dy), s.out(dw));
    });
  }
  void sum_rows(ExecContext& host, ConstView x, std::int64_t rows, std::int64_t channels,
                View out) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->sum_rows(ctx, s.in(x), rows, channels, s.out(out));
    });
  }

  void batch_norm_statistics(ExecContext& host, ConstView x, std::int64_t rows,
                             std::int64_t channels, View mean_var) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->batch_norm_statistics(ctx, s.in(x), rows, channels, s.out(mean_var));
    });
  }
  void batch_norm_apply(ExecContext& host, const BatchNormApply& a) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      BatchNormApply b = a;
      for (ConstView* view : {&b.x, &b.mean, &b.invstd, &b.gamma, &b.beta, &b.residual}) {
        *view = s.in(*view);
      }
      b.y = s.out(b.y);
      inner_->batch_norm_apply(ctx, b);
    });
  }
  void batch_norm_backward(ExecContext& host, const BatchNormBackward& a) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      BatchNormBackward b = a;
      for (ConstView* view : {&b.x, &b.y, &b.dy, &b.mean, &b.invstd, &b.gamma, &b.beta}) {
        *view = s.in(*view);
      }
      for (View* view : {&b.dx, &b.dgamma, &b.dbeta, &b.dresidual}) *view = s.out(*view);
      inner_->batch_norm_backward(ctx, b);
    });
  }

  void softmax(ExecContext& host, bool log, ConstView x, std::int64_t outer, std::int64_t length,
               std::int64_t inner, View y) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->softmax(ctx, log, s.in(x), outer, length, inner, s.out(y));
    });
  }
  void softmax_backward(ExecContext& host, bool log, ConstView y, ConstView dy, std::int64_t outer,
                        std::int64_t length, std::int64_t inner, View dx) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->softmax_backward(ctx, log, s.in(y), s.in(dy), outer, length, inner, s.out(dx));
    });
  }
  void cross_entropy(ExecContext& host, const CrossEntropy& loss, View losses,
                     View weights) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->cross_entropy(ctx, staged(s, loss), s.out(losses), s.out(weights));
    });
  }
  void cross_entropy_backward(ExecContext& host, const CrossEntropy& loss, ConstView scale,
                              View dlogits) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->cross_entropy_backward(ctx, staged(s, loss), s.in(scale), s.out(dlogits));
    });
  }

  void max_pool2d(ExecContext& host, const Pool2dShape& shape, ConstView x, View y,
                  View indices) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->max_pool2d(ctx, shape, s.in(x), s.out(y), s.out(indices));
    });
  }
  void max_pool2d_backward(ExecContext& host, const Pool2dShape& shape, ConstView dy,
                           ConstView indices, View dx) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->max_pool2d_backward(ctx, shape, s.in(dy), s.in(indices), s.out(dx));
    });
  }
  void avg_pool2d(ExecContext& host, const Pool2dShape& shape, ConstView x, View y) override {
    run(host,
        [&](ExecContext& ctx, Staging& s) { inner_->avg_pool2d(ctx, shape, s.in(x), s.out(y)); });
  }
  void avg_pool2d_backward(ExecContext& host, const Pool2dShape& shape, ConstView dy,
                           View dx) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->avg_pool2d_backward(ctx, shape, s.in(dy), s.out(dx));
    });
  }
  void adaptive_avg_pool2d(ExecContext& host, ConstView x, View y) override {
    run(host,
        [&](ExecContext& ctx, Staging& s) { inner_->adaptive_avg_pool2d(ctx, s.in(x), s.out(y)); });
  }
  void adaptive_avg_pool2d_backward(ExecContext& host, ConstView dy, View dx) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->adaptive_avg_pool2d_backward(ctx, s.in(dy), s.out(dx));
    });
  }

  void sgd_step(ExecContext& host, const SgdStep& step,
                const std::vector<OptimizerSlot>& slots) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      SgdStep on_device = step;
      on_device.learning_rate = s.in(step.learning_rate);
      on_device.step = s.in(step.step);
      if (step.skip.defined()) on_device.skip = s.in(step.skip);
      inner_->sgd_step(ctx, on_device, staged(s, slots));
    });
  }
  void adam_step(ExecContext& host, const AdamStep& step,
                 const std::vector<OptimizerSlot>& slots) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      AdamStep on_device = step;
      on_device.learning_rate = s.in(step.learning_rate);
      on_device.step = s.in(step.step);
      if (step.skip.defined()) on_device.skip = s.in(step.skip);
      inner_->adam_step(ctx, on_device, staged(s, slots));
    });
  }

  void unscale(ExecContext& host, const std::vector<View>& gradients, ConstView scale,
               View found) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      std::vector<View> all;
      for (const View& gradient : gradients) all.push_back(s.out(gradient));
      inner_->unscale(ctx, all, s.in(scale), s.out(found));
    });
  }
  void update_loss_scale(ExecContext& host, const LossScaleRule& rule, ConstView found, View scale,
                         View good_steps) override {
    run(host, [&](ExecContext& ctx, Staging& s) {
      inner_->update_loss_scale(ctx, rule, s.in(found), s.out(scale), s.out(good_steps));
    });
  }

 private:
  template <typename Call>
  void run(ExecContext& host, const Call& call) {
    StagedContext context(host);
    Staging staging;
    call(context, staging);
    staging.finish();
  }

  static RandomCall staged(Staging& s, RandomCall call) {
    call.epoch_step = s.in(call.epoch_step);
    return call;
  }
  static CrossEntropy staged(Staging& s, CrossEntropy loss) {
    loss.logits = s.in(loss.logits);
    loss.targets = s.in(loss.targets);
    loss.class_weights = s.in(loss.class_weights);
    return loss;
  }
  static std::vector<OptimizerSlot> staged(Staging& s, std::vector<OptimizerSlot> slots) {
    for (OptimizerSlot& slot : slots) {
      slot.parameter = s.out(slot.parameter);
      slot.gradient = s.in(slot.gradient);
      slot.state_a = s.out(slot.state_a);
      slot.state_b = s.out(slot.state_b);
    }
    return slots;
  }

  std::unique_ptr<Backend> inner_;
};

}  // namespace

std::unique_ptr<Backend> stage(std::unique_ptr<Backend> backend) {
  return std::make_unique<StagingBackend>(std::move(backend));
}

}  // namespace hanok::test
