#include "hanok/engine/profiler.h"

#include <chrono>
#include <fmt/format.h>
#include <mutex>
#include <utility>

#include "hanok/engine/allocator.h"
#include "hanok/engine/layer_scope.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/backend.h"

namespace hanok {
namespace {

using Clock = std::chrono::steady_clock;

double bytes_of(const ConstView& view) {
  return view.defined()
             ? static_cast<double>(view.numel()) * static_cast<double>(size_of(view.dtype))
             : 0;
}
double bytes_of(const View& view) { return bytes_of(static_cast<ConstView>(view)); }
template <typename... Views>
double bytes_of(const Views&... views) {
  return (bytes_of(views) + ...);
}

/// A broadcast operand is counted at the size of what lies in memory.
double bytes_of(const StridedConstView& view) {
  double count = 1;
  for (int i = 0; i < view.sizes.rank(); ++i) {
    if (view.strides[i] != 0) count *= static_cast<double>(view.sizes[i]);
  }
  return count * static_cast<double>(size_of(view.dtype));
}

double count_of(const ConstView& view) {
  return view.defined() ? static_cast<double>(view.numel()) : 0;
}

const char* text_of(UnaryOp op) {
  constexpr const char* kNames[] = {
      "neg",  "abs",  "exp",       "log",         "sqrt",       "square",  "reciprocal",
      "sin",  "cos",  "erf",       "relu",        "leaky_relu", "sigmoid", "tanh",
      "silu", "gelu", "hardswish", "hardsigmoid", "clamp",      "pow",     "affine"};
  return kNames[static_cast<int>(op)];
}
const char* text_of(BinaryOp op) {
  constexpr const char* kNames[] = {"add", "sub", "mul", "div", "maximum", "minimum"};
  return kNames[static_cast<int>(op)];
}

std::string window_text(const Conv2dShape& s) {
  return fmt::format("{} * {} / {}", s.input_shape().to_string(), s.weight_shape().to_string(),
                     s.window.stride_h);
}

/// Operations that an epilogue does on each output.
double flop_per_output(const Epilogue& epilogue) {
  return (epilogue.scale.defined() ? 1 : 0) + (epilogue.shift.defined() ? 1 : 0) +
         (epilogue.residual.defined() ? 1 : 0) + (epilogue.activation != Activation::None ? 1 : 0) +
         (epilogue.bn_mean_var.defined() ? 3 : 0);
}

double total(const std::vector<ConstView>& views) {
  double count = 0;
  for (const ConstView& view : views) count += count_of(view);
  return count;
}
double total(const std::vector<OptimizerSlot>& slots) {
  double count = 0;
  for (const OptimizerSlot& slot : slots) count += count_of(slot.parameter);
  return count;
}
/// Parameter and state are read and written, the gradient is read.
double traffic(const std::vector<OptimizerSlot>& slots) {
  double bytes = 0;
  for (const OptimizerSlot& slot : slots) {
    bytes += 2 * bytes_of(slot.parameter, slot.state_a, slot.state_b) + bytes_of(slot.gradient);
  }
  return bytes;
}

}  // namespace

const char* name_of(KernelCall::Pass pass) {
  switch (pass) {
    case KernelCall::Pass::Backward:
      return "backward";
    case KernelCall::Pass::Update:
      return "update";
    default:
      return "forward";
  }
}

/// The backend that passes every call on and notes it.
class Profiler::Recorder final : public Backend {
 public:
  void set_inner(std::unique_ptr<Backend> inner) { inner_ = std::move(inner); }
  std::unique_ptr<Backend> take_inner() { return std::move(inner_); }

  double now() const { return std::chrono::duration<double>(Clock::now() - origin_).count(); }
  const std::vector<KernelCall>& calls() const { return calls_; }
  void set_recording(bool on) {
    const std::lock_guard lock(mutex_);
    recording_ = on;
  }

  Device device() const override { return inner_->device(); }
  const char* name() const override { return inner_->name(); }
  bool fuses_relu6() const override { return inner_->fuses_relu6(); }
  bool fuses_batch_norm_max_pool() const override { return inner_->fuses_batch_norm_max_pool(); }
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

  void fill(ExecContext& context, View out, double value) override {
    note(
        "fill", [&] { inner_->fill(context, out, value); },
        [&] {
          return Cost{0, bytes_of(out), out.shape.to_string()};
        });
  }
  void strided_copy(ExecContext& context, StridedView dst, StridedConstView src) override {
    note(
        "strided_copy", [&] { inner_->strided_copy(context, dst, src); },
        [&] {
          return Cost{0, bytes_of(static_cast<StridedConstView>(dst)) + bytes_of(src),
                      dst.sizes.to_string()};
        });
  }
  void cast(ExecContext& context, View dst, ConstView src) override {
    note(
        "cast", [&] { inner_->cast(context, dst, src); },
        [&] {
          return Cost{0, bytes_of(dst, src), dst.shape.to_string()};
        });
  }
  void normalize_u8(ExecContext& context, ConstView x, ConstView mean, ConstView stddev,
                    View y) override {
    note(
        "normalize_u8", [&] { inner_->normalize_u8(context, x, mean, stddev, y); },
        [&] {
          return Cost{3 * count_of(x), bytes_of(x, y), x.shape.to_string()};
        });
  }
  void random_uniform(ExecContext& context, const RandomCall& call, float low, float high,
                      View out) override {
    note(
        "random_uniform", [&] { inner_->random_uniform(context, call, low, high, out); },
        [&] {
          return Cost{2 * count_of(out), bytes_of(out), out.shape.to_string()};
        });
  }
  void random_normal(ExecContext& context, const RandomCall& call, float mean, float stddev,
                     View out) override {
    note(
        "random_normal", [&] { inner_->random_normal(context, call, mean, stddev, out); },
        [&] {
          return Cost{2 * count_of(out), bytes_of(out), out.shape.to_string()};
        });
  }
  void dropout(ExecContext& context, const RandomCall& call, float p, ConstView x,
               View y) override {
    note(
        "dropout", [&] { inner_->dropout(context, call, p, x, y); },
        [&] {
          return Cost{2 * count_of(x), bytes_of(x, y), x.shape.to_string()};
        });
  }
  void unary(ExecContext& context, UnaryOp op, UnaryParams params, ConstView x, View y) override {
    note(
        "unary", [&] { inner_->unary(context, op, params, x, y); },
        [&] {
          return Cost{count_of(x), bytes_of(x, y), x.shape.to_string(), text_of(op)};
        });
  }
  void unary_backward(ExecContext& context, UnaryOp op, UnaryParams params, ConstView x,
                      ConstView y, ConstView dy, View dx) override {
    note(
        "unary_backward", [&] { inner_->unary_backward(context, op, params, x, y, dy, dx); },
        [&] {
          return Cost{2 * count_of(dy), bytes_of(x, y, dy, dx), dy.shape.to_string(), text_of(op)};
        });
  }
  void binary(ExecContext& context, BinaryOp op, StridedConstView a, StridedConstView b,
              View out) override {
    note(
        "binary", [&] { inner_->binary(context, op, a, b, out); },
        [&] {
          return Cost{count_of(out), bytes_of(a) + bytes_of(b) + bytes_of(out),
                      out.shape.to_string(), text_of(op)};
        });
  }
  void add_scaled(ExecContext& context, float alpha, ConstView x, View y) override {
    note(
        "add_scaled", [&] { inner_->add_scaled(context, alpha, x, y); },
        [&] {
          return Cost{2 * count_of(x), bytes_of(x, y, y), x.shape.to_string()};
        });
  }
  void reduce(ExecContext& context, ReduceOp op, StridedConstView x, std::uint32_t dims,
              View out) override {
    note(
        "reduce", [&] { inner_->reduce(context, op, x, dims, out); },
        [&] {
          return Cost{static_cast<double>(x.sizes.numel()), bytes_of(x) + bytes_of(out),
                      x.sizes.to_string()};
        });
  }
  void max_along(ExecContext& context, ConstView x, std::int64_t outer, std::int64_t length,
                 std::int64_t inner, View values, View indices) override {
    note(
        "max_along", [&] { inner_->max_along(context, x, outer, length, inner, values, indices); },
        [&] {
          return Cost{count_of(x), bytes_of(x, values, indices), x.shape.to_string()};
        });
  }
  void scatter_along(ExecContext& context, ConstView dy, ConstView indices, std::int64_t outer,
                     std::int64_t length, std::int64_t inner, View dx) override {
    note(
        "scatter_along",
        [&] { inner_->scatter_along(context, dy, indices, outer, length, inner, dx); },
        [&] {
          return Cost{0, bytes_of(dy, indices, dx), dx.shape.to_string()};
        });
  }
  void topk(ExecContext& context, ConstView x, std::int64_t outer, std::int64_t length,
            std::int64_t inner, std::int64_t k, View values, View indices) override {
    note(
        "topk", [&] { inner_->topk(context, x, outer, length, inner, k, values, indices); },
        [&] {
          return Cost{count_of(x), bytes_of(x, values, indices), x.shape.to_string()};
        });
  }
  void l2_norm(ExecContext& context, const std::vector<ConstView>& xs, View out) override {
    note(
        "l2_norm", [&] { inner_->l2_norm(context, xs, out); },
        [&] {
          return Cost{2 * total(xs), 4 * total(xs), fmt::format("{} tensors", xs.size())};
        });
  }
  void select(ExecContext& context, StridedConstView condition, StridedConstView a,
              StridedConstView b, View out) override {
    note(
        "select", [&] { inner_->select(context, condition, a, b, out); },
        [&] {
          return Cost{count_of(out),
                      bytes_of(condition) + bytes_of(a) + bytes_of(b) + bytes_of(out),
                      out.shape.to_string()};
        });
  }
  void gather(ExecContext& context, const GatherShape& shape, ConstView x, ConstView indices,
              View y) override {
    note(
        "gather", [&] { inner_->gather(context, shape, x, indices, y); },
        [&] {
          return Cost{0, bytes_of(indices, y, y), y.shape.to_string()};
        });
  }
  void gather_backward(ExecContext& context, const GatherShape& shape, ConstView dy,
                       ConstView indices, View dx) override {
    note(
        "gather_backward", [&] { inner_->gather_backward(context, shape, dy, indices, dx); },
        [&] {
          return Cost{count_of(dy), bytes_of(dy, indices, dx), dx.shape.to_string()};
        });
  }
  void gemm(ExecContext& context, const GemmShape& s, ConstView a, ConstView b,
            const Epilogue& epilogue, View c) override {
    note(
        "gemm", [&] { inner_->gemm(context, s, a, b, epilogue, c); },
        [&] {
          return Cost{2.0 * static_cast<double>(s.m * s.n) * static_cast<double>(s.k * s.batch) +
                          flop_per_output(epilogue) * count_of(c),
                      bytes_of(a, b, epilogue.residual, c),
                      fmt::format("[{},{}] x [{},{}]", s.m, s.k, s.k, s.n)};
        });
  }
  void conv2d_pack(ExecContext& context, Conv2dPass pass, const Conv2dShape& s, ConstView w,
                   void* packed) override {
    note(
        "conv2d_pack", [&] { inner_->conv2d_pack(context, pass, s, w, packed); },
        [&] {
          return Cost{0, bytes_of(w) + static_cast<double>(inner_->conv2d_packed_bytes(pass, s)),
                      w.shape.to_string(), inner_->conv2d_algorithm(pass, s)};
        });
  }
  void conv2d_forward(ExecContext& context, const Conv2dShape& s, ConstView x, ConstView w,
                      const void* packed, const Epilogue& epilogue, View y) override {
    note(
        "conv2d_forward", [&] { inner_->conv2d_forward(context, s, x, w, packed, epilogue, y); },
        [&] {
          return Cost{s.flop() + flop_per_output(epilogue) * count_of(y),
                      bytes_of(x, w, epilogue.residual, y), window_text(s),
                      inner_->conv2d_algorithm(Conv2dPass::Forward, s)};
        });
  }
  bool fuses_inverted_residual(const InvertedResidualShape& shape) const override {
    return inner_->fuses_inverted_residual(shape);
  }
  void inverted_residual(ExecContext& context, const InvertedResidual& call) override {
    note(
        "inverted_residual", [&] { inner_->inverted_residual(context, call); },
        [&] {
          const InvertedResidualShape& s = call.shape;
          double flop = 0;
          const auto add = [&](const Conv2dShape& conv, const Epilogue& epilogue) {
            flop += conv.flop() +
                    flop_per_output(epilogue) * static_cast<double>(conv.output_shape().numel());
          };
          if (s.expands) add(s.expand(), call.expand.epilogue);
          add(s.depthwise(), call.depthwise.epilogue);
          add(s.project(), call.project.epilogue);
          return Cost{flop,
                      bytes_of(call.x, call.expand.w, call.depthwise.w, call.project.w,
                               call.project.epilogue.residual, call.y),
                      fmt::format("{} -> {} -> {}", call.x.shape.to_string(), s.hidden,
                                  call.y.shape.to_string())};
        });
  }
  void conv2d_backward_data(ExecContext& context, const Conv2dShape& s, ConstView dy, ConstView w,
                            const void* packed, View dx) override {
    note(
        "conv2d_backward_data",
        [&] { inner_->conv2d_backward_data(context, s, dy, w, packed, dx); },
        [&] {
          return Cost{s.flop(), bytes_of(dy, w, dx), window_text(s),
                      inner_->conv2d_algorithm(Conv2dPass::BackwardData, s)};
        });
  }
  void conv2d_backward_weights(ExecContext& context, const Conv2dShape& s, ConstView x,
                               ConstView dy, View dw) override {
    note(
        "conv2d_backward_weights", [&] { inner_->conv2d_backward_weights(context, s, x, dy, dw); },
        [&] {
          return Cost{s.flop(), bytes_of(x, dy, dw), window_text(s),
                      inner_->conv2d_algorithm(Conv2dPass::BackwardWeights, s)};
        });
  }
  void sum_rows(ExecContext& context, ConstView x, std::int64_t rows, std::int64_t channels,
                View out) override {
    note(
        "sum_rows", [&] { inner_->sum_rows(context, x, rows, channels, out); },
        [&] {
          return Cost{count_of(x), bytes_of(x, out), x.shape.to_string()};
        });
  }
  void batch_norm_statistics(ExecContext& context, ConstView x, std::int64_t rows,
                             std::int64_t channels, View mean_var) override {
    note(
        "batch_norm_statistics",
        [&] { inner_->batch_norm_statistics(context, x, rows, channels, mean_var); },
        [&] {
          return Cost{3 * count_of(x), bytes_of(x, mean_var), x.shape.to_string()};
        });
  }
  void batch_norm_apply(ExecContext& context, const BatchNormApply& call) override {
    note(
        "batch_norm_apply", [&] { inner_->batch_norm_apply(context, call); },
        [&] {
          return Cost{(2 + (call.residual.defined() ? 1 : 0) +
                       (call.activation != Activation::None ? 1 : 0)) *
                          count_of(call.x),
                      bytes_of(call.x, call.residual, call.y), call.x.shape.to_string()};
        });
  }
  void batch_norm_backward(ExecContext& context, const BatchNormBackward& call) override {
    note(
        "batch_norm_backward", [&] { inner_->batch_norm_backward(context, call); },
        [&] {
          return Cost{((call.dgamma.defined() || call.dbeta.defined() ? 4 : 0) +
                       (call.dx.defined() ? 5 : 0)) *
                          count_of(call.dy),
                      bytes_of(call.x, call.y, call.dy, call.dx, call.dresidual),
                      call.dy.shape.to_string()};
        });
  }
  void batch_norm_max_pool(ExecContext& context, const BatchNormApply& call, const Pool2dShape& s,
                           View indices) override {
    note(
        "batch_norm_max_pool", [&] { inner_->batch_norm_max_pool(context, call, s, indices); },
        [&] {
          return Cost{3 * count_of(call.x) + count_of(call.y) * static_cast<double>(s.r * s.s),
                      bytes_of(call.x, call.y, indices), call.x.shape.to_string()};
        });
  }
  void batch_norm_max_pool_backward(ExecContext& context, const BatchNormBackward& call,
                                    const Pool2dShape& s, ConstView indices) override {
    note(
        "batch_norm_max_pool_backward",
        [&] { inner_->batch_norm_max_pool_backward(context, call, s, indices); },
        [&] {
          return Cost{4 * count_of(call.dy) + (call.dx.defined() ? 5 : 0) * count_of(call.x),
                      bytes_of(call.x, call.dy, indices, call.dx), call.x.shape.to_string()};
        });
  }
  void softmax(ExecContext& context, bool log, ConstView x, std::int64_t outer, std::int64_t length,
               std::int64_t inner, View y) override {
    note(
        "softmax", [&] { inner_->softmax(context, log, x, outer, length, inner, y); },
        [&] {
          return Cost{4 * count_of(x), bytes_of(x, y), x.shape.to_string()};
        });
  }
  void softmax_backward(ExecContext& context, bool log, ConstView y, ConstView dy,
                        std::int64_t outer, std::int64_t length, std::int64_t inner,
                        View dx) override {
    note(
        "softmax_backward",
        [&] { inner_->softmax_backward(context, log, y, dy, outer, length, inner, dx); },
        [&] {
          return Cost{4 * count_of(y), bytes_of(y, dy, dx), y.shape.to_string()};
        });
  }
  void cross_entropy(ExecContext& context, const CrossEntropy& call, View losses,
                     View weights) override {
    note(
        "cross_entropy", [&] { inner_->cross_entropy(context, call, losses, weights); },
        [&] {
          return Cost{4 * count_of(call.logits),
                      bytes_of(call.logits, call.targets, losses, weights),
                      call.logits.shape.to_string()};
        });
  }
  void cross_entropy_backward(ExecContext& context, const CrossEntropy& call, ConstView scale,
                              View dlogits) override {
    note(
        "cross_entropy_backward",
        [&] { inner_->cross_entropy_backward(context, call, scale, dlogits); },
        [&] {
          return Cost{4 * count_of(dlogits), bytes_of(call.logits, call.targets, scale, dlogits),
                      dlogits.shape.to_string()};
        });
  }
  void max_pool2d(ExecContext& context, const Pool2dShape& s, ConstView x, View y,
                  View indices) override {
    note(
        "max_pool2d", [&] { inner_->max_pool2d(context, s, x, y, indices); },
        [&] {
          return Cost{count_of(y) * static_cast<double>(s.r * s.s), bytes_of(x, y, indices),
                      x.shape.to_string()};
        });
  }
  void max_pool2d_backward(ExecContext& context, const Pool2dShape& s, ConstView dy,
                           ConstView indices, View dx) override {
    note(
        "max_pool2d_backward", [&] { inner_->max_pool2d_backward(context, s, dy, indices, dx); },
        [&] {
          return Cost{count_of(dy), bytes_of(dy, indices, dx), dx.shape.to_string()};
        });
  }
  void avg_pool2d(ExecContext& context, const Pool2dShape& s, ConstView x, View y) override {
    note(
        "avg_pool2d", [&] { inner_->avg_pool2d(context, s, x, y); },
        [&] {
          return Cost{count_of(y) * static_cast<double>(s.r * s.s), bytes_of(x, y),
                      x.shape.to_string()};
        });
  }
  void avg_pool2d_backward(ExecContext& context, const Pool2dShape& s, ConstView dy,
                           View dx) override {
    note(
        "avg_pool2d_backward", [&] { inner_->avg_pool2d_backward(context, s, dy, dx); },
        [&] {
          return Cost{count_of(dy) * static_cast<double>(s.r * s.s), bytes_of(dy, dx),
                      dx.shape.to_string()};
        });
  }
  void adaptive_avg_pool2d(ExecContext& context, ConstView x, View y) override {
    note(
        "adaptive_avg_pool2d", [&] { inner_->adaptive_avg_pool2d(context, x, y); },
        [&] {
          return Cost{count_of(x), bytes_of(x, y), x.shape.to_string()};
        });
  }
  void adaptive_avg_pool2d_backward(ExecContext& context, ConstView dy, View dx) override {
    note(
        "adaptive_avg_pool2d_backward",
        [&] { inner_->adaptive_avg_pool2d_backward(context, dy, dx); },
        [&] {
          return Cost{count_of(dx), bytes_of(dy, dx), dx.shape.to_string()};
        });
  }
  void sgd_step(ExecContext& context, const SgdStep& call,
                const std::vector<OptimizerSlot>& slots) override {
    note(
        "sgd_step", [&] { inner_->sgd_step(context, call, slots); },
        [&] {
          return Cost{6 * total(slots), traffic(slots), fmt::format("{} parameters", slots.size())};
        },
        true);
  }
  void adam_step(ExecContext& context, const AdamStep& call,
                 const std::vector<OptimizerSlot>& slots) override {
    note(
        "adam_step", [&] { inner_->adam_step(context, call, slots); },
        [&] {
          return Cost{12 * total(slots), traffic(slots),
                      fmt::format("{} parameters", slots.size())};
        },
        true);
  }
  void unscale(ExecContext& context, const std::vector<View>& gradients, ConstView scale,
               View found) override {
    note(
        "unscale", [&] { inner_->unscale(context, gradients, scale, found); },
        [&] {
          double count = 0;
          for (const View& gradient : gradients) count += count_of(gradient);
          return Cost{count, 8 * count, fmt::format("{} tensors", gradients.size())};
        });
  }
  void update_loss_scale(ExecContext& context, const LossScaleRule& rule, ConstView found,
                         View scale, View good_steps) override {
    note(
        "update_loss_scale",
        [&] { inner_->update_loss_scale(context, rule, found, scale, good_steps); },
        [&] {
          return Cost{1, bytes_of(found, scale, good_steps), scale.shape.to_string()};
        });
  }

 private:
  /// What a call costs in theory, and how to tell it from others.
  struct Cost {
    double flop, bytes;
    std::string shape, variant = {};
  };

  template <typename Run, typename GetCost>
  void note(const char* kernel, const Run& run, const GetCost& cost, bool update = false) {
    const double start = now();
    run();
    const double seconds = now() - start;
    const std::lock_guard lock(mutex_);
    if (!recording_) return;
    const LayerScope::Current current = LayerScope::current();
    KernelCall call;
    call.kernel = kernel;
    call.layer = current.layer;
    call.pass = update             ? KernelCall::Pass::Update
                : current.backward ? KernelCall::Pass::Backward
                                   : KernelCall::Pass::Forward;
    call.start = start;
    call.seconds = seconds;
    Cost known = cost();
    call.flop = known.flop;
    call.bytes = known.bytes;
    call.shape = std::move(known.shape);
    call.variant = std::move(known.variant);
    call.memory = allocator_of(inner_->device()).statistics().in_use_by_tag;
    calls_.push_back(std::move(call));
  }

  std::unique_ptr<Backend> inner_;
  const Clock::time_point origin_ = Clock::now();
  std::mutex mutex_;  // guards what follows
  bool recording_ = true;
  std::vector<KernelCall> calls_;
};

Profiler::Profiler(Device device) : device_(device) {
  // The backend that works is reachable only by putting another in its place: the recorder goes in
  // empty and gets it afterwards.
  auto recorder = std::make_unique<Recorder>();
  recorder_ = recorder.get();
  recorder_->set_inner(exchange_backend(device, std::move(recorder)));
}

Profiler::~Profiler() { exchange_backend(device_, recorder_->take_inner()); }

void Profiler::set_recording(bool on) { recorder_->set_recording(on); }
double Profiler::now() const { return recorder_->now(); }
const std::vector<KernelCall>& Profiler::calls() const { return recorder_->calls(); }

}  // namespace hanok
