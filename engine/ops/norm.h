// The parts of a batch norm that batch_norm and conv_bn_act share.
#pragma once

#include <cstdint>
#include <memory>

#include "hanok/engine/ops.h"
#include "hanok/engine/ops/common.h"
#include "hanok/kernels/backend.h"

namespace hanok::ops {

/// Checks weight, bias and running statistics against `channels` and the batch's rows.
void check_batch_norm(const char* op, const Tensor& x, std::int64_t channels, std::int64_t rows,
                      const BatchNormState& state);

/// True if this thread computes a part or a slice of a batch whose batch norms see all of it.
bool is_part_of_batch();

/// True if the batch's own statistics are used; then gradients flow through them.
bool uses_batch_statistics(const BatchNormState& state);

class WholeBatchNorm;

/// Per-channel statistics in the form that the kernels take, f32 [C]: invstd = 1 / sqrt(var +
/// epsilon).
struct NormStatistics {
  Tensor mean{}, invstd{};
  /// Where x is a part of a batch whose statistics these are: for run_backward().
  std::shared_ptr<WholeBatchNorm> whole{};
};
/// From mean and biased variance [2,C] of a batch of `rows` pixels; also schedules the update of
/// the running statistics if state.training.
NormStatistics batch_statistics(const Tensor& mean_var, std::int64_t rows,
                                const BatchNormState& state);
/// The same from mean and biased variance, each [C].
NormStatistics batch_statistics(const Tensor& mean, const Tensor& var, std::int64_t rows,
                                const BatchNormState& state);
/// From the running statistics.
NormStatistics running_statistics(const BatchNormState& state);

/// A batch norm by running statistics as a scale and a shift of what it normalises, z + bias (bias
/// may be undefined): scale = gamma invstd, shift = beta + (bias - mean) scale. Both f32 [C].
/// Computed once: on the CPU they are kept until one of their sources changes.
struct FoldedNorm {
  Tensor scale, shift;
};
FoldedNorm folded_norm(const BatchNormState& bn, const Tensor& bias);

/// Runs a batch norm's backward kernel; `whole`: of its statistics.
void run_backward(const Target& target, const BatchNormBackward& call,
                  const std::shared_ptr<WholeBatchNorm>& whole);

/// Whether z, a convolution of x that a recorded op normalises by the batch's statistics, is kept
/// for the backward pass in bf16, rounded before it is normalised (kernels/cpu/isa/batch_norm.h):
/// in Precision::Int16.
bool keeps_bf16(const Tensor& x);

/// The kernel's operands for x, but for residual, activation and y.
BatchNormApply batch_norm_of(const Tensor& x, const NormStatistics& statistics,
                             const BatchNormState& bn);

/// y = activation(gamma (x - mean) invstd + beta + residual) with bn's gamma and beta, not
/// recorded; y may be an x of its type. An undefined residual is left out.
void apply_batch_norm(const Tensor& x, const NormStatistics& statistics, const BatchNormState& bn,
                      const Tensor& residual, Activation activation, Tensor& y);

}  // namespace hanok::ops
