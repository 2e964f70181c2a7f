// Batch norm.
#include "hanok/engine/ops/norm.h"

#include <array>
#include <fmt/format.h>
#include <memory>
#include <mutex>

#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/counter.h"
#include "hanok/engine/ops/common.h"
#include "hanok/engine/ops/whole_batch_norm.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/sliced_batch.h"
#include "hanok/engine/tensor_impl.h"
#include "hanok/engine/transaction.h"
#include "hanok/engine/virtual_batch.h"

namespace hanok::ops {

bool is_part_of_batch() {
  const SlicedBatch* slices = SlicedBatch::current();
  return VirtualBatchNorms::active() || (slices != nullptr && slices->norms() == NormsOver::Batch);
}

void check_batch_norm(const char* op, const Tensor& x, std::int64_t channels, std::int64_t rows,
                      const BatchNormState& state) {
  const std::initializer_list<Operand> operands = {{"input", x},
                                                   {"weight", state.weight, true},
                                                   {"bias", state.bias, true},
                                                   {"running_mean", state.running_mean, true},
                                                   {"running_var", state.running_var, true}};
  check_defined(op, operands);
  check_activations(op, {{"input", x}});
  for (const Operand& operand : operands) {
    if (&operand.tensor == &x || !operand.tensor.defined()) continue;
    check_f32(op, {{operand.name, operand.tensor}});
    if (operand.tensor.shape() != Shape{channels}) {
      throw_shape_error(op,
                        fmt::format("{} must be [{}], one value a channel", operand.name, channels),
                        operands);
    }
  }
  if (state.running_mean.defined() != state.running_var.defined()) {
    throw_value_error(op, "running_mean and running_var come together", operands);
  }
  if (state.num_batches_tracked.defined() &&
      (state.num_batches_tracked.dtype() != DType::I64 || state.num_batches_tracked.numel() != 1)) {
    throw_value_error(op, "num_batches_tracked must be one i64", operands);
  }
  if (state.training && state.momentum < 0 && !state.num_batches_tracked.defined()) {
    throw_value_error(op, "a cumulative average (negative momentum) needs num_batches_tracked",
                      operands);
  }
  if (!(state.epsilon >= 0)) {
    throw_value_error(op, fmt::format("epsilon is {}, expected >= 0", state.epsilon), operands);
  }
  if (state.training && rows < 2 && !is_part_of_batch()) {  // there the whole batch counts
    throw_value_error(op, fmt::format("training needs more than {} value a channel", rows),
                      operands);
  }
}

bool uses_batch_statistics(const BatchNormState& state) {
  return state.training || !state.running_mean.defined();
}

namespace {

/// 1 / sqrt(var + epsilon).
Tensor invstd_of(const Tensor& var, double epsilon) {
  return reciprocal(sqrt(affine(var, 1, static_cast<float>(epsilon))));
}

/// running = (1 - momentum) running + momentum batch. `scratch` was allocated with the forward
/// pass, so that a commit allocates nothing and cannot fail half-way.
void move_towards(Tensor& running, const Tensor& batch, float momentum, Tensor& scratch) {
  const Target target(running);
  target.run(Unary{.kind = UnaryOp::Affine,
                   .params = {1.0F - momentum, 0},
                   .x = running.view(),
                   .y = scratch.mutable_view()});
  target.run(AddScaled{.alpha = momentum, .x = batch.view(), .y = scratch.mutable_view()});
  running.copy_from(scratch);
}

/// The batch's values are captured, not the new running ones: two forward passes within one
/// transaction then move the statistics twice, as they do outside.
void schedule_running_update(const BatchNormState& state, const Tensor& mean,
                             const Tensor& biased_var, std::int64_t rows) {
  if (!state.training || !state.running_mean.defined()) return;
  const double correction = static_cast<double>(rows) / static_cast<double>(rows - 1);
  const Tensor unbiased_var = affine(biased_var, static_cast<float>(correction), 0);
  Tensor running_mean = state.running_mean.detach();
  Tensor running_var = state.running_var.detach();
  Tensor tracked = state.num_batches_tracked;
  Tensor scratch = empty_like(mean);
  const double momentum = state.momentum;
  StepTransaction::write([=]() mutable {
    double factor = momentum;
    if (tracked.defined()) {
      count_up(tracked);
      if (momentum < 0) factor = 1.0 / tracked.item();
    }
    move_towards(running_mean, mean, static_cast<float>(factor), scratch);
    move_towards(running_var, unbiased_var, static_cast<float>(factor), scratch);
  });
}

}  // namespace

NormStatistics batch_statistics(const Tensor& mean_var, std::int64_t rows,
                                const BatchNormState& state) {
  const SlicedBatch* slices = SlicedBatch::current();
  if (slices != nullptr && slices->norms() == NormsOver::Batch) {
    auto whole = std::make_shared<WholeBatchNorm>();
    NormStatistics statistics = whole->statistics_over_slices(mean_var, rows, state);
    statistics.whole = std::move(whole);
    return statistics;
  }
  if (std::shared_ptr<WholeBatchNorm> whole = VirtualBatchNorms::next()) {
    NormStatistics statistics = whole->statistics(mean_var, rows, state);
    statistics.whole = std::move(whole);
    return statistics;
  }
  const NoGrad no_grad;
  return batch_statistics(squeeze(slice(mean_var, 0, 0, 1), 0),
                          squeeze(slice(mean_var, 0, 1, 2), 0), rows, state);
}

NormStatistics batch_statistics(const Tensor& mean, const Tensor& var, std::int64_t rows,
                                const BatchNormState& state) {
  const NoGrad no_grad;
  schedule_running_update(state, mean, var, rows);
  return {.mean = mean, .invstd = invstd_of(var, state.epsilon)};
}

NormStatistics running_statistics(const BatchNormState& state) {
  const NoGrad no_grad;
  return {.mean = state.running_mean.detach(),
          .invstd = invstd_of(state.running_var, state.epsilon)};
}

void run_backward(const Target& target, const BatchNormBackward& call,
                  const std::shared_ptr<WholeBatchNorm>& whole) {
  if (whole != nullptr) {
    whole->run_backward(target, call);
  } else {
    target.run(call);
  }
}

}  // namespace hanok::ops

namespace hanok {

/// A folded batch norm and what it was computed from. The sources' memory is held, so that it
/// cannot be reused for other tensors.
struct KeptNorm {
  struct Source {
    std::shared_ptr<Storage> storage;  // null: undefined
    std::int64_t offset = 0;
    std::uint64_t version = 0;
    bool operator==(const Source& other) const {
      return storage == other.storage && offset == other.offset && version == other.version;
    }
  };
  std::array<Source, 5> sources;  // gamma, beta, running mean and variance, bias
  double epsilon = 0;
  ops::FoldedNorm norm;
};

}  // namespace hanok

namespace hanok::ops {
namespace {

KeptNorm::Source source_of(const Tensor& x) {
  if (!x.defined()) return {};
  return {x.impl().storage, x.impl().offset, x.version()};
}

FoldedNorm fold(const BatchNormState& bn, const Tensor& bias) {
  const NoGrad no_grad;
  const NormStatistics statistics = running_statistics(bn);
  const Tensor scale = bn.weight.defined() ? mul(statistics.invstd, bn.weight) : statistics.invstd;
  const Tensor centre = bias.defined() ? sub(bias, statistics.mean) : neg(statistics.mean);
  const Tensor shift = mul(centre, scale);
  return {scale, bn.bias.defined() ? add(shift, bn.bias) : shift};
}

}  // namespace

FoldedNorm folded_norm(const BatchNormState& bn, const Tensor& bias) {
  if (!bn.running_var.device().is_cpu()) return fold(bn, bias);  // a graph must recompute it
  static std::mutex mutex;  // two threads may evaluate one model
  const std::lock_guard lock(mutex);
  std::shared_ptr<const KeptNorm>& kept = bn.running_var.impl().folded_norm;
  const std::array<KeptNorm::Source, 5> sources = {source_of(bn.weight), source_of(bn.bias),
                                                   source_of(bn.running_mean),
                                                   source_of(bn.running_var), source_of(bias)};
  if (!kept || kept->sources != sources || kept->epsilon != bn.epsilon) {
    const MemoryTag tag("packed weights");
    kept = std::make_shared<const KeptNorm>(KeptNorm{sources, bn.epsilon, fold(bn, bias)});
  }
  return kept->norm;
}

bool keeps_bf16(const Tensor& x) { return x.device().is_cpu() && precision() == Precision::Int16; }

BatchNormApply batch_norm_of(const Tensor& x, const NormStatistics& statistics,
                             const BatchNormState& bn) {
  BatchNormApply apply;
  apply.x = x.view();
  apply.mean = statistics.mean.view();
  apply.invstd = statistics.invstd.view();
  apply.gamma = view_or_none(bn.weight);
  apply.beta = view_or_none(bn.bias);
  return apply;
}

void apply_batch_norm(const Tensor& x, const NormStatistics& statistics, const BatchNormState& bn,
                      const Tensor& residual, Activation activation, Tensor& y) {
  BatchNormApply apply = batch_norm_of(x, statistics, bn);
  apply.residual = view_or_none(residual);
  apply.activation = activation;
  apply.y = y.mutable_view();
  const Target target(x);
  target.run(apply);
}

namespace {

// With x seen as [rows, C] and xhat = (x - mean) invstd:
//   y = gamma xhat + beta
//   dbeta = sum dy,  dgamma = sum dy xhat  (over rows)
//   batch statistics:    dx = gamma invstd (dy - dbeta/rows - xhat dgamma/rows)
//   running statistics:  dx = gamma invstd dy                      (they do not depend on x)

class BatchNormNode final : public Node {
 public:
  explicit BatchNormNode(bool frozen) : frozen_(frozen) {}
  const char* name() const override { return "batch_norm"; }

  void save(const Tensor& x, const NormStatistics& statistics, const Tensor& gamma) {
    whole_ = statistics.whole;
    // With frozen statistics only dgamma reads x.
    if (needs(1) || (needs(0) && !frozen_) || whole_ != nullptr) {
      x_ = x;
      mean_ = statistics.mean;
    }
    invstd_ = statistics.invstd;
    if (gamma.defined() && needs(0)) gamma_ = gamma;
    channels_ = statistics.mean.shape();
  }

  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx, dgamma, dbeta;
    const ConstView none;
    BatchNormBackward call;
    call.x = x_.defined() ? x_.get(name()).view() : none;
    call.dy = dy.view();
    call.mean = mean_.defined() ? mean_.get(name()).view() : none;
    call.invstd = invstd_.get(name()).view();
    call.gamma = gamma_.defined() ? gamma_.get(name()).view() : none;
    call.frozen_statistics = frozen_;
    if (needs(0)) call.dx = (dx = empty_over({&dy})).mutable_view();
    if (needs(1)) call.dgamma = (dgamma = empty_on(dy, channels_)).mutable_view();
    if (needs(2)) call.dbeta = (dbeta = empty_on(dy, channels_)).mutable_view();
    run_backward(Target(dy), call, whole_);
    return {dx, dgamma, dbeta};
  }

  void release_saved() override {
    for (SavedTensor* saved : {&x_, &mean_, &invstd_, &gamma_}) saved->release();
    whole_.reset();
  }

 private:
  bool frozen_;
  Shape channels_;
  SavedTensor x_, mean_, invstd_, gamma_;
  std::shared_ptr<WholeBatchNorm> whole_;
};

}  // namespace

Tensor batch_norm(const Tensor& x, const BatchNormState& state) {
  check_activations("batch_norm", {{"input", x}});
  if (x.rank() == 3) {  // as images of one column, whose channels are neighbours in memory
    const Tensor image = reshape(x, {x.size(0), x.size(1), x.size(2), 1});
    return reshape(batch_norm(image, state), {x.size(0), x.size(1), x.size(2)});
  }
  if (x.rank() != 2 && x.rank() != 4) {
    throw_shape_error("batch_norm", "expected an input [N,C], [N,C,L] or [N,C,H,W]",
                      {{"input", x}});
  }
  const std::int64_t channels = x.size(1);
  const std::int64_t rows = channels == 0 ? 0 : x.numel() / channels;
  check_batch_norm("batch_norm", x, channels, rows, state);

  const Target target(x);
  const bool from_batch = uses_batch_statistics(state);
  NormStatistics statistics;
  if (from_batch) {
    Tensor mean_var = empty_on(x, {2, channels});
    target.run(BatchNormStatistics{
        .x = x.view(), .rows = rows, .channels = channels, .mean_var = mean_var.mutable_view()});
    statistics = batch_statistics(mean_var, rows, state);
  } else {
    statistics = running_statistics(state);
  }
  Tensor y = empty_like(x);
  apply_batch_norm(x, statistics, state, {}, Activation::None, y);
  if (any_requires_grad({x, state.weight, state.bias})) {
    auto node = std::make_shared<BatchNormNode>(!from_batch);
    set_inputs(*node, {x, state.weight, state.bias});
    node->save(x, statistics, state.weight);
    record(y, std::move(node));
  }
  return y;
}

}  // namespace hanok::ops
